//! Reads all mailboxes of all accounts, byte for byte.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rack::client::Imap;

use super::super::pair::{ANSWER_LIMIT, Account, PATIENCE};
use super::ledger::{Ledger, Reading};

/// How many messages are asked for at once.
const BATCH: usize = 20;
const POLL: Duration = Duration::from_millis(200);
/// How long a mailbox may stay behind what was promised before the missing messages count as
/// missing.
const SETTLE: Duration = Duration::from_secs(60);
/// How often a reading is begun again when its connection breaks.
const ATTEMPTS: usize = 5;

/// What stood in the mailboxes, and how long the last promised message let wait for itself.
#[derive(Debug, Default)]
pub struct Collected {
    /// What the ledger says to it.
    pub reading: Reading,
    /// From the first look at a mailbox to the moment when all that was promised stood in it; the
    /// longest.
    pub lag: Duration,
}

/// Reads every account's INBOX through one IMAPS port.
pub fn read(
    imaps: SocketAddr,
    accounts: &[Account],
    ledger: &Ledger<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Collected> {
    let (mut found, mut lag) = (Vec::new(), Duration::ZERO);
    for (number, account) in accounts.iter().enumerate() {
        let before = found.len();
        let report = |count| progress(before + count);
        let mailbox = Mailbox { imaps, account, number, ledger, progress: &report };
        let (messages, waited) = mailbox
            .read_stubbornly()
            .with_context(|| format!("cannot read the mail of {}", account.address))?;
        found.extend(messages);
        lag = lag.max(waited);
    }
    Ok(Collected { reading: ledger.compare(found), lag })
}

/// One account's INBOX.
struct Mailbox<'a> {
    imaps: SocketAddr,
    account: &'a Account,
    number: usize,
    ledger: &'a Ledger<'a>,
    progress: &'a dyn Fn(usize),
}

/// One delivery's number for each message, or what is wrong with it.
type Found = Vec<Result<usize, String>>;

impl Mailbox<'_> {
    /// A connection may break when an address moves: then all of it is read again.
    fn read_stubbornly(&self) -> Result<(Found, Duration)> {
        let mut attempt = 1;
        loop {
            match self.read() {
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    /// Reads until all that was promised is there: an index may lag behind the log.
    fn read(&self) -> Result<(Found, Duration)> {
        let mut imap = login(self.imaps, self.account)?;
        imap.examine("INBOX")?;
        let start = Instant::now();
        let (mut seen, mut found) = (BTreeSet::new(), Found::new());
        let (mut last_news, mut lag) = (start, Duration::ZERO);
        loop {
            let uids = imap.uids()?;
            if uids.windows(2).any(|pair| pair[0] == pair[1]) {
                bail!("a UID stands twice in the answer to SEARCH");
            }
            let new: Vec<u32> = uids.into_iter().filter(|uid| seen.insert(*uid)).collect();
            self.fetch(&mut imap, &new, &mut found)?;
            if !new.is_empty() {
                last_news = Instant::now();
            }
            if self.ledger.has_all(self.number, &found) || last_news.elapsed() > SETTLE {
                imap.logout()?;
                return Ok((found, lag));
            }
            std::thread::sleep(POLL);
            lag = start.elapsed();
        }
    }

    fn fetch(&self, imap: &mut Imap, uids: &[u32], found: &mut Found) -> Result<()> {
        for batch in uids.chunks(BATCH) {
            let (Some(&from), Some(&to)) = (batch.first(), batch.last()) else { continue };
            let messages = imap.fetch(from, to)?;
            let fetched: Vec<u32> = messages.iter().map(|message| message.uid).collect();
            if fetched != batch {
                bail!("asked for the UIDs {batch:?}, got {fetched:?}");
            }
            for message in messages {
                found.push(self.ledger.identify(self.number, &message.bytes));
            }
            (self.progress)(found.len());
        }
        Ok(())
    }
}

/// A server that has just taken over may refuse for a while.
fn login(imaps: SocketAddr, account: &Account) -> Result<Imap> {
    let start = Instant::now();
    loop {
        match Imap::login(imaps, &account.address, &account.password, ANSWER_LIMIT) {
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(POLL),
            result => return Ok(result?),
        }
    }
}
