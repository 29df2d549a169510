//! Clients that never stop: senders at port 25, and IMAP clients. Each works at a box for a while, then at either.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use control::Side;
use rack::client::{Answer, Smtp};

use super::books::{Books, Deed, Place};
use super::dice::Dice;
use super::look::look;
use crate::native::{Account, Fate, Imap, No, PATIENCE, sample};

/// After a connection that failed.
const RETRY: Duration = Duration::from_millis(20);
/// Steps at one box, before a client looks for another.
const STEPS_MAX: usize = 12;
/// Between two steps: the machine has other things to do as well.
const THINK: Duration = Duration::from_millis(4);
/// Mailboxes in which messages are.
pub const MAILBOXES: [&str; 2] = ["INBOX", "Archive"];

/// Where a box serves.
#[derive(Clone, Copy)]
pub struct Door {
    pub side: Side,
    pub smtp: SocketAddr,
    pub imaps: SocketAddr,
}

/// What all clients share.
pub struct Scene {
    pub doors: [Door; 2],
    pub accounts: Vec<Account>,
    pub books: Books,
    /// Clients hold it for reading during each step; who holds it for writing sees nothing move.
    pub gate: RwLock<()>,
    stop: AtomicBool,
}

/// Numbers of messages: no two clients of this process send the same.
static NEXT: AtomicU64 = AtomicU64::new(1);

pub fn next_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Clients at work, until they are dropped.
pub struct Crowd {
    pub scene: Arc<Scene>,
    workers: Vec<JoinHandle<()>>,
}

impl Scene {
    pub fn new(doors: [Door; 2], accounts: Vec<Account>) -> Scene {
        let stop = AtomicBool::new(false);
        Scene { doors, accounts, books: Books::default(), gate: RwLock::new(()), stop }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// One step, unless someone wants to look in peace; then it comes after that.
    fn step<T>(&self, step: impl FnOnce() -> T) -> T {
        let pass = self.gate.read().expect("nobody panics at the gate");
        let outcome = step();
        drop(pass);
        std::thread::sleep(THINK);
        outcome
    }
}

impl Crowd {
    pub fn start(scene: Scene, senders: usize, readers: usize, seed: u64) -> Crowd {
        let scene = Arc::new(scene);
        let mut workers = Vec::new();
        for index in 0..senders + readers {
            let scene = scene.clone();
            let dice = Dice::new(seed ^ (index as u64) << 32);
            workers.push(std::thread::spawn(move || {
                if index < senders { send(&scene, dice) } else { read(&scene, dice) }
            }));
        }
        Crowd { scene, workers }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.scene.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            // One that panicked has said so already.
            let _ = worker.join();
        }
    }
}

fn send(scene: &Scene, mut dice: Dice) {
    while !scene.is_over() {
        let door = scene.doors[dice.below(2)];
        if let Ok(mut smtp) = Smtp::connect(door.smtp, PATIENCE) {
            for _ in 0..dice.below(STEPS_MAX) + 1 {
                let fate = scene.step(|| deliver(scene, &mut smtp, &mut dice));
                if scene.is_over() || fate == Fate::Unknown {
                    break;
                }
            }
        }
        std::thread::sleep(RETRY);
    }
}

fn deliver(scene: &Scene, smtp: &mut Smtp, dice: &mut Dice) -> Fate {
    let number = next_number();
    let account = dice.below(scene.accounts.len());
    // Before the answer it is unknown, whatever happens to this client.
    scene.books.sent(number, account, Fate::Unknown);
    let to = scene.accounts[account].address.as_str();
    let fate = match smtp.deliver("sender@elsewhere.test", &[to], &sample(number)) {
        Ok(Answer::Accepted) => Fate::Acknowledged,
        Ok(Answer::Refused { .. }) => Fate::Refused,
        Err(unanswered) if unanswered.whole => Fate::Unknown,
        // The connection is as useless as after no answer, but the message was not taken.
        Err(_) => {
            scene.books.sent(number, account, Fate::Refused);
            return Fate::Unknown;
        }
    };
    scene.books.sent(number, account, fate);
    fate
}

fn read(scene: &Scene, mut dice: Dice) {
    while !scene.is_over() {
        let door = scene.doors[dice.below(2)];
        let account = dice.below(scene.accounts.len());
        if let Ok(mut imap) = Imap::login_at(door.imaps, &scene.accounts[account]) {
            for _ in 0..dice.below(STEPS_MAX) + 1 {
                let outcome = scene.step(|| work(scene, &mut imap, door.side, account, &mut dice));
                if scene.is_over() || outcome.is_err() {
                    break;
                }
            }
        }
        std::thread::sleep(RETRY);
    }
}

/// One step of an IMAP client. An error means that the session is over.
fn work(scene: &Scene, imap: &mut Imap, side: Side, account: usize, dice: &mut Dice) -> Result<()> {
    if dice.percent(40) {
        return append(scene, imap, account);
    }
    let place: Place = (account, "INBOX");
    let sights = look(&scene.books, imap, side, place)?;
    let due = sights.iter().filter_map(|sight| Some((Deed::of(sight.number)?, sight)));
    // The newest first: the old ones were mostly taken on before.
    for (deed, sight) in due.rev().filter(|(_, sight)| scene.books.begin(sight.number)).take(3) {
        match act(imap, deed, sight.uid) {
            Ok(true) => scene.books.done(sight.number, sight.uid),
            Ok(false) => scene.books.refused(sight.number),
            Err(error) if error.is::<No>() => scene.books.refused(sight.number),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the deed was done. A UID that names nothing any more (its message was placed again, say) is no error to a
/// server (RFC 9051 §6.4.9): then there is `OK`, and no word of what was done.
fn act(imap: &mut Imap, deed: Deed, uid: u32) -> Result<bool> {
    let mut told = |command: String, word: &str| -> Result<bool> {
        Ok(imap.command(&command)?.iter().any(|answer| answer.text.contains(word)))
    };
    match deed {
        Deed::Flag => told(format!("UID STORE {uid} +FLAGS (\\Flagged)"), "\\Flagged"),
        Deed::Move => told(format!("UID MOVE {uid} \"Archive\""), "COPYUID"),
        Deed::Expunge => Ok(told(format!("UID STORE {uid} +FLAGS (\\Deleted)"), "\\Deleted")?
            && told(format!("UID EXPUNGE {uid}"), "EXPUNGE")?),
    }
}

fn append(scene: &Scene, imap: &mut Imap, account: usize) -> Result<()> {
    let number = next_number();
    scene.books.sent(number, account, Fate::Unknown);
    let answer = imap.append("INBOX", "", &sample(number));
    match &answer {
        Ok(()) => scene.books.sent(number, account, Fate::Acknowledged),
        Err(error) if error.is::<No>() => scene.books.sent(number, account, Fate::Refused),
        Err(_) => {}
    }
    answer
}
