//! Clients on the street, each with a stopwatch: how long did it go without?

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use control::Side;

use crate::native::{Account, Imap};

/// The kernels answer each other within this time, or a frame was lost: then the client tries again and does not wait
/// for its kernel's second attempt, which comes after a second. Over a slow cable only the more patient client gets
/// through.
const CONNECT_LIMITS: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(500)];
/// A connection that was taken but is not greeted (the program stands still) is given up after this.
const GREETING_LIMIT: Duration = Duration::from_millis(300);
/// For an answer to a reader.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const READ_EVERY: Duration = Duration::from_millis(10);

/// Something that succeeds again and again, and when it did.
pub struct Watched {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    successes: Mutex<Vec<Success>>,
}

/// `by`: the box that greeted, as it called itself.
#[derive(Clone, Copy, Debug)]
pub struct Success {
    pub at: Instant,
    pub by: Option<Side>,
}

/// Connects to a port 25 on and on, and waits for the greeting each time: two clients, of whom the second is there for
/// slow cables. Call it from the street.
#[must_use]
pub fn greeter(address: SocketAddr, every: Duration) -> Watched {
    let client = |limit| {
        move |shared: &Shared| {
            while !shared.is_over() {
                if let Ok(by) = greet(address, limit) {
                    shared.success(by);
                }
                thread::sleep(every);
            }
        }
    };
    Watched::start(CONNECT_LIMITS.map(client))
}

/// Reads by IMAP on and on, in one session for as long as that lives. Call it from the street.
#[must_use]
pub fn reader(address: SocketAddr, account: Account) -> Watched {
    Watched::start([move |shared: &Shared| {
        while !shared.is_over() {
            // A session that ends is what the stopwatch is for.
            let _ = read(address, &account, shared);
            thread::sleep(READ_EVERY);
        }
    }])
}

fn greet(address: SocketAddr, limit: Duration) -> Result<Option<Side>> {
    let stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(GREETING_LIMIT))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let name = line.strip_prefix("220 ").context("no greeting")?;
    Ok([Side::A, Side::B].into_iter().find(|side| name.starts_with(&format!("mail-{side}."))))
}

fn read(address: SocketAddr, account: &Account, shared: &Shared) -> Result<()> {
    let mut imap = Imap::login_within(ANSWER_LIMIT, address, account)?;
    imap.select("INBOX")?;
    while !shared.is_over() {
        imap.command("UID FETCH 1:3 (FLAGS RFC822.SIZE BODY.PEEK[HEADER])")?;
        shared.success(None);
        thread::sleep(READ_EVERY);
    }
    Ok(())
}

impl Watched {
    fn start<Body, const N: usize>(bodies: [Body; N]) -> Watched
    where
        Body: FnOnce(&Shared) + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let spawn = |body: Body| {
            let shared = shared.clone();
            thread::spawn(move || body(&shared))
        };
        Watched { threads: bodies.map(spawn).into_iter().collect(), shared }
    }

    /// All successes so far.
    #[must_use]
    pub fn successes(&self) -> Vec<Success> {
        self.shared.successes.lock().expect("nobody panics").clone()
    }

    /// The first success after a moment, by this box if one is named.
    #[must_use]
    pub fn first_after(&self, after: Instant, by: Option<Side>) -> Option<Instant> {
        let successes = self.successes();
        let fits = |success: &&Success| success.at >= after && (by.is_none() || success.by == by);
        successes.iter().find(fits).map(|success| success.at)
    }

    /// The longest time without success from the last one before `from`, to now.
    #[must_use]
    pub fn longest_gap(&self, from: Instant) -> Duration {
        let successes = self.successes();
        let mut last = successes.iter().rev().find(|one| one.at <= from).map_or(from, |one| one.at);
        let mut longest = Duration::ZERO;
        for at in successes.iter().map(|one| one.at).chain([Instant::now()]) {
            if at > last {
                longest = longest.max(at - last);
                last = at;
            }
        }
        longest
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn success(&self, by: Option<Side>) {
        let mut successes = self.successes.lock().expect("nobody panics");
        successes.push(Success { at: Instant::now(), by });
    }
}
