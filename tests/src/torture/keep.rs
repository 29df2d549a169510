//! What reclaim and scrub give back and find, and how clients fare meanwhile.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use control::{Side, View};

use super::catchup::{Clients, fill, size};
use crate::native::{Account, Imap, Maild, Pair, until};

/// Of so many messages one is kept.
const KEPT_OF: usize = 5;
/// Before reclaim begins, and while the scrub runs at full speed.
const CALM: Duration = Duration::from_secs(10);
/// From a start to the first look for dead messages, seconds: the clients' calm before.
const RECLAIM_INTERVAL_S: &str = "20";
/// Nothing more was given back for so long: done.
const QUIET: Duration = Duration::from_secs(12);

/// # Errors
/// When something does not work, not when it is slow.
pub fn keep(mib: usize) -> Result<serde_json::Value> {
    let mut pair = Pair::prepare("torture-keep")?;
    pair.start()?;
    let account = pair.add_account("bulk")?;
    let client = pair.add_account("client")?;
    fill(&pair.a, &account, mib)?;
    delete_most(&pair.a, &account)?;
    pair.wait_equal()?;
    restart(&mut pair, &["--reclaim-interval-s", RECLAIM_INTERVAL_S])?;
    let reclaim = reclaim(&pair, &client)?;
    pair.wait_equal()?;
    restart(&mut pair, &["--scrub-round-s", "1"])?;
    let scrub = scrub(&pair, &client)?;
    begin_anew(&mut pair)?;
    Ok(serde_json::json!({ "mib": mib, "reclaim": reclaim, "scrub": scrub }))
}

/// What was reclaimed is no hole: a blank disk is filled from such a log, and lost stores are built again from it.
fn begin_anew(pair: &mut Pair) -> Result<()> {
    pair.b.kill()?;
    pair.a.wait_view(View::Alone)?;
    pair.b.replace_disk()?;
    pair.b.start()?;
    pair.wait_both()?;
    pair.wait_equal()?;
    println!("a blank disk is filled");
    pair.a.stop()?;
    fs::remove_file(pair.a.data().join("mail/index.redb"))?;
    fs::remove_dir_all(pair.a.data().join("mail/users"))?;
    pair.a.start()?;
    pair.wait_both()?;
    pair.wait_equal()?;
    println!("lost stores are built again");
    Ok(())
}

fn delete_most(at: &Maild, account: &Account) -> Result<()> {
    let mut imap = Imap::login(at, account)?;
    imap.select("INBOX")?;
    let uids = imap.uids()?;
    for kept in uids.chunks(KEPT_OF) {
        if let [_, first, .., last] = kept {
            imap.command(&format!("UID STORE {first}:{last} +FLAGS.SILENT (\\Deleted)"))?;
        }
    }
    imap.command("EXPUNGE")?;
    let left = imap.uids()?.len();
    println!("{} messages of {} are left", left, uids.len());
    ensure!(left < uids.len() / 2, "too many are left");
    Ok(())
}

fn restart(pair: &mut Pair, options: &[&str]) -> Result<()> {
    for side in [Side::B, Side::A] {
        pair.get_mut(side).stop()?;
        pair.get_mut(side).set_options(options);
        pair.get_mut(side).start()?;
        pair.wait_both()?;
    }
    Ok(())
}

fn reclaim(pair: &Pair, client: &Account) -> Result<serde_json::Value> {
    let log = |at: &Maild| size(&at.data().join("mail/log"));
    let before = log(&pair.a)?;
    let clients = Clients::start(&pair.a, client);
    let given_back = || pair.a.status().map(|status| status.upkeep.reclaimed_bytes);
    until("dead messages to be given up", || Ok((given_back()? > 0).then_some(())))?;
    clients.next_phase();
    let begun = Instant::now();
    let (mut last, mut at) = (given_back()?, Instant::now());
    while at.elapsed() < QUIET {
        thread::sleep(Duration::from_millis(200));
        let now = given_back()?;
        if now > last {
            (last, at) = (now, Instant::now());
        }
    }
    let took = at - begun;
    clients.next_phase();
    thread::sleep(CALM);
    let clients = clients.told(&["before", "reclaim", "after"])?;
    let after = log(&pair.a)?;
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "the log of a: {} MiB, then {} MiB; {} MiB given back in {} ms",
        mib(before),
        mib(after),
        mib(last),
        took.as_millis()
    );
    Ok(serde_json::json!({
        "log_bytes_before": before,
        "log_bytes_after": after,
        "given_back_bytes": last,
        "took_ms": took.as_millis() as u64,
        "clients": clients,
    }))
}

/// At full speed; an ordinary box reads each record once a week.
fn scrub(pair: &Pair, client: &Account) -> Result<serde_json::Value> {
    let scrubbed = || pair.a.status().map(|status| status.upkeep.scrubbed_bytes);
    let clients = Clients::start(&pair.a, client);
    thread::sleep(CALM);
    let (before, begun) = (scrubbed()?, Instant::now());
    thread::sleep(CALM);
    let rate = (scrubbed()? - before) as f64 / begun.elapsed().as_secs_f64();
    println!("the scrub reads {:.0} MB/s", rate / 1e6);
    let clients = clients.told(&["scrub"])?;
    Ok(serde_json::json!({ "bytes_per_s": rate as u64, "clients": clients }))
}
