//! Reads all mailboxes of all accounts, byte for byte.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rack::client::Imap;

use super::super::pair::{ANSWER_LIMIT, Account, PATIENCE};
use super::ledger::{Ledger, Reading};

/// How many messages are asked for at once.
const BATCH: usize = 20;
const POLL: Duration = Duration::from_millis(200);
/// How long a mailbox may stay behind what was promised before the missing messages count as missing.
const SETTLE: Duration = Duration::from_secs(60);
/// How often a reading is begun again when its connection breaks.
const ATTEMPTS: usize = 5;

/// Reads every account's INBOX through one IMAPS port.
pub fn read(
    imaps: SocketAddr,
    accounts: &[Account],
    ledger: &Ledger<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Reading> {
    let mut found = Vec::new();
    for (number, account) in accounts.iter().enumerate() {
        found.extend(account_again(imaps, number, account, ledger, found.len(), progress)?);
    }
    Ok(ledger.compare(found))
}

/// A connection may break when an address moves: then all of the account is read again.
fn account_again(
    imaps: SocketAddr,
    number: usize,
    account: &Account,
    ledger: &Ledger<'_>,
    before: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Result<usize, String>>> {
    let mut attempt = 1;
    loop {
        let promised = ledger.promised_to(number);
        let report = |count| progress(before + count);
        match read_account(imaps, account, promised, &report, &|bytes| {
            ledger.identify(number, bytes)
        }) {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            result => {
                return result.with_context(|| format!("cannot read {}", account.address));
            }
        }
    }
}

fn read_account(
    imaps: SocketAddr,
    account: &Account,
    promised: usize,
    progress: &dyn Fn(usize),
    identify: &dyn Fn(&[u8]) -> Result<usize, String>,
) -> Result<Vec<Result<usize, String>>> {
    let mut imap = login(imaps, account)?;
    imap.examine("INBOX")?;
    let uids = settled(&mut imap, promised)?;
    if uids.windows(2).any(|pair| pair[0] == pair[1]) {
        bail!("a UID stands twice in {}", account.address);
    }
    let mut found = Vec::with_capacity(uids.len());
    for batch in uids.chunks(BATCH) {
        let (Some(&from), Some(&to)) = (batch.first(), batch.last()) else { continue };
        for message in imap.fetch(from, to)? {
            found.push(identify(&message.bytes));
        }
        progress(found.len());
    }
    if found.len() < uids.len() {
        bail!("{} of {} messages were fetched", found.len(), uids.len());
    }
    imap.logout()?;
    Ok(found)
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

/// The UIDs, once there are as many as were promised, or no more come.
fn settled(imap: &mut Imap, promised: usize) -> Result<Vec<u32>> {
    let mut uids = imap.uids()?;
    let mut last_change = Instant::now();
    while uids.len() < promised && last_change.elapsed() < SETTLE {
        std::thread::sleep(POLL);
        let now = imap.uids()?;
        if now.len() != uids.len() {
            last_change = Instant::now();
        }
        uids = now;
    }
    Ok(uids)
}
