//! Deliveries by several senders at once, and the books about them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rack::client::{Answer, Imap, Message, Smtp};

use super::maild::Maild;
use super::message::{number_of, sample, without_trace};
use super::pair::Account;
use super::{PATIENCE, until, until_sure};

/// Between two attempts of a sender whose server does not take mail now.
const RETRY: Duration = Duration::from_millis(100);
/// Deliveries in one connection.
const PER_CONNECTION: usize = 20;

/// Senders at work. They never send a message twice, so a doubled message is the server's doing.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

/// How senders go about it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub senders: usize,
    /// Between two deliveries of a sender.
    pub pause: Duration,
    /// For each answer of the server; then the connection counts as broken.
    pub patience: Duration,
}

struct Shared {
    to: SocketAddr,
    recipients: Vec<String>,
    pace: Pace,
    stop: AtomicBool,
    ledger: Mutex<Ledger>,
    /// When each acknowledged delivery ended, and how long it took.
    took: Mutex<Vec<(Instant, Duration)>>,
}

/// What was sent, by number, and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    sent: BTreeMap<u64, Sent>,
    /// Which message a UID of an account's inbox has named, at any box, at any time.
    named: BTreeMap<(String, u32), u64>,
}

#[derive(Clone, Debug)]
struct Sent {
    recipient: String,
    fate: Fate,
}

/// What a sender knows about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// `250`: it is there, once.
    Acknowledged,
    /// Refused, or the server did not get it whole: it is not there.
    Refused,
    /// The connection broke before the answer: it is there once or not at all.
    Unknown,
}

impl Load {
    /// Starts senders that deliver to `box`'s port 25 for these accounts in turn, until they are told to stop.
    #[must_use]
    pub fn start(to: &Maild, accounts: &[Account], senders: usize) -> Load {
        let pace = Pace { senders, pause: Duration::ZERO, patience: PATIENCE };
        Self::start_at(to.port(25), accounts, pace)
    }

    /// The same at an address, whoever serves it.
    #[must_use]
    pub fn start_at(to: SocketAddr, accounts: &[Account], pace: Pace) -> Load {
        let recipients = accounts.iter().map(|account| account.address.clone()).collect();
        let shared = Arc::new(Shared {
            to,
            recipients,
            pace,
            stop: AtomicBool::new(false),
            ledger: Mutex::default(),
            took: Mutex::default(),
        });
        let spawn = |_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.send_until_stopped())
        };
        Load { senders: (0..pace.senders).map(spawn).collect(), shared }
    }

    /// How many messages have been acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.shared.ledger.lock().expect("no sender panics").count(Fate::Acknowledged)
    }

    /// The longest time that a delivery took which was acknowledged after this moment.
    #[must_use]
    pub fn longest_wait(&self, after: Instant) -> Duration {
        let took = self.shared.took.lock().expect("no sender panics");
        took.iter()
            .filter(|(end, _)| *end >= after)
            .map(|(_, took)| *took)
            .max()
            .unwrap_or_default()
    }

    /// Waits until so many more messages have been acknowledged.
    ///
    /// # Errors
    /// When the patience is over.
    pub fn wait_more(&self, more: usize) -> Result<()> {
        let goal = self.acknowledged() + more;
        until("more messages to be acknowledged", || {
            let now = self.acknowledged();
            ensure!(now >= goal, "{now} of {goal}");
            Ok(Some(()))
        })
    }

    /// Lets the senders finish what they are at, and closes the books.
    #[must_use]
    pub fn stop(mut self) -> Ledger {
        self.end();
        self.shared.ledger.lock().expect("no sender panics").clone()
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for sender in self.senders.drain(..) {
            // A sender that panicked has said so already.
            let _ = sender.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn send_until_stopped(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok(smtp) = Smtp::connect(self.to, self.pace.patience) {
                self.send_by(smtp);
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Delivers over one connection for as long as that goes well.
    fn send_by(&self, mut smtp: Smtp) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        for _ in 0..PER_CONNECTION {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let recipient = &self.recipients[number as usize % self.recipients.len()];
            let begun = Instant::now();
            let answer = smtp.deliver("sender@elsewhere.test", &[recipient], &sample(number));
            let fate = match &answer {
                Ok(Answer::Accepted) => Fate::Acknowledged,
                Ok(Answer::Refused { .. }) => Fate::Refused,
                Err(unanswered) if unanswered.whole => Fate::Unknown,
                Err(_) => Fate::Refused,
            };
            let sent = Sent { recipient: recipient.clone(), fate };
            self.ledger.lock().expect("no sender panics").sent.insert(number, sent);
            if fate != Fate::Acknowledged {
                return;
            }
            let took = (Instant::now(), begun.elapsed());
            self.took.lock().expect("no sender panics").push(took);
            std::thread::sleep(self.pace.pause);
        }
        // How the server says goodbye is not what is tested.
        let _ = smtp.quit();
    }
}

impl Ledger {
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.sent.values().filter(|sent| sent.fate == fate).count()
    }

    /// Takes the books of another load in.
    pub fn add(&mut self, other: Ledger) {
        self.sent.extend(other.sent);
        self.named.extend(other.named);
    }

    /// Reads the inboxes of all accounts at a box and compares: every acknowledged message is there once and unaltered,
    /// nothing is there that was refused, nothing twice, and no UID names another message than at an earlier look.
    ///
    /// # Errors
    /// Everything that is not so.
    pub fn check(&mut self, at: &Maild, accounts: &[Account]) -> Result<()> {
        let mut wrong = Vec::new();
        for account in accounts {
            let found = until_sure("[UNAVAILABLE]", || read_all(at, account))
                .with_context(|| format!("reading {} at box {}", account.address, at.side()))?;
            wrong.extend(self.compare(&account.address, &found));
        }
        let (count, first) = (wrong.len(), wrong.iter().take(20));
        if count > 0 {
            let list: Vec<&str> = first.map(String::as_str).collect();
            bail!("box {}: {count} messages are wrong: {}", at.side(), list.join("; "));
        }
        Ok(())
    }

    fn compare(&mut self, recipient: &str, found: &[Message]) -> Vec<String> {
        let mut copies: BTreeMap<u64, usize> = BTreeMap::new();
        let mut wrong = Vec::new();
        for message in found {
            let Some(number) = number_of(&message.bytes) else {
                wrong.push("a message without a number".to_owned());
                continue;
            };
            *copies.entry(number).or_default() += 1;
            match self.sent.get(&number) {
                Some(sent) if sent.recipient != recipient => {
                    wrong.push(format!("{number} is for {}", sent.recipient));
                }
                Some(_) => {}
                None => wrong.push(format!("{number} was never sent")),
            }
            if without_trace(&message.bytes, &sample(number)).is_none() {
                wrong.push(format!("{number} is altered"));
            }
            let named = self.named.entry((recipient.to_owned(), message.uid)).or_insert(number);
            if *named != number {
                wrong.push(format!("UID {} names {number}, before it was {named}", message.uid));
            }
        }
        for (number, sent) in self.sent.iter().filter(|(_, sent)| sent.recipient == recipient) {
            let there = copies.get(number).copied().unwrap_or(0);
            let right = match sent.fate {
                Fate::Acknowledged => there == 1,
                Fate::Refused => there == 0,
                Fate::Unknown => there <= 1,
            };
            if !right {
                wrong.push(format!("{number} ({:?}) is there {there} times", sent.fate));
            }
        }
        wrong
    }
}

fn read_all(at: &Maild, account: &Account) -> Result<Vec<Message>> {
    let mut imap = Imap::login(at.port(993), &account.address, &account.password, PATIENCE)?;
    if imap.examine("INBOX")? == 0 {
        return Ok(Vec::new());
    }
    let messages = imap.fetch(1, u32::MAX)?;
    imap.logout()?;
    Ok(messages)
}
