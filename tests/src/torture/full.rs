//! A disk without room: new mail is refused for a while, reading works, and all is well when there is room again.

use std::fs::File;

use anyhow::{Context, Result, bail, ensure};
use control::Side;
use control::View;
use rack::client::{Answer, Smtp};

use super::disk::Disk;
use super::stand::SHORT;
use crate::native::{Account, Imap, Maild, PATIENCE, Pair, sample, until};

const DISK_MIB: u64 = 256;
const BALLAST_BYTES: u64 = 96 * 1024 * 1024;
/// More would not fit.
const DELIVERIES_MAX: u64 = 20_000;
const REFUSED: u16 = 452;
/// Left free on a disk that is full to the brim.
const LEFT_BYTES: u64 = 4 * 1024 * 1024;

/// # Errors
/// When mail is refused otherwise than by 452, what is there cannot be read, or the pair does not recover.
pub fn full() -> Result<serde_json::Value> {
    let mut pair = Pair::prepare_with("torture-full", SHORT)?;
    let mut disks = Vec::new();
    for at in [&pair.a, &pair.b] {
        let disk = Disk::make(at.folder().join("disk.img"), at.data(), DISK_MIB)?;
        let ballast = File::create(at.data().join("ballast"))?;
        nix::fcntl::fallocate(
            &ballast,
            nix::fcntl::FallocateFlags::empty(),
            0,
            BALLAST_BYTES as i64,
        )?;
        disks.push(disk);
    }
    let outcome = story(&mut pair);
    if outcome.is_err() {
        pair.keep_logs();
    }
    for side in [Side::A, Side::B] {
        // An error is what the outcome tells already.
        let _ = pair.get_mut(side).kill();
    }
    outcome
}

fn story(pair: &mut Pair) -> Result<serde_json::Value> {
    pair.start()?;
    let account = pair.add_account("ann")?;
    let accepted = fill(&pair.a, &account)?;
    println!("{accepted} messages taken, then {REFUSED}");
    delete_one(&pair.a, &account)?;
    let accepted = accepted - 1;
    pair.wait_both()?;
    pair.wait_equal()?;
    for at in [&pair.a, &pair.b] {
        let mut imap = Imap::login(at, &account)?;
        let there = imap.select("INBOX")?.exists as u64;
        ensure!(there == accepted, "{there} of {accepted} at box {}", at.side());
        let uid = *imap.uids()?.last().context("no message")?;
        imap.body(uid)?;
        println!("box {} reads on a full disk", at.side());
    }
    for at in [&pair.a, &pair.b] {
        std::fs::remove_file(at.data().join("ballast"))?;
    }
    for at in [&pair.a, &pair.b] {
        deliver(at, &account, DELIVERIES_MAX + 1)?;
        println!("box {} takes mail again", at.side());
    }
    pair.wait_equal()?;
    lopsided(pair, &account)?;
    Ok(serde_json::json!({ "accepted_before_full": accepted, "recovered": true }))
}

/// Deleting goes on.
fn delete_one(at: &Maild, account: &Account) -> Result<()> {
    let mut imap = Imap::login(at, account)?;
    imap.select("INBOX")?;
    let uid = *imap.uids()?.first().context("no message")?;
    imap.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"))?;
    imap.command("EXPUNGE")?;
    println!("a message is deleted on a full disk");
    Ok(())
}

/// One disk is full to the brim, and the other is not: its box goes on alone, and both are one again when there is
/// room, without a restart.
fn lopsided(pair: &mut Pair, account: &Account) -> Result<()> {
    let ballast = pair.b.data().join("ballast");
    let file = File::create(&ballast)?;
    let room = linux::host::room(&pair.b.data()).context("no word of the room")?.free_bytes;
    let bytes = room.saturating_sub(LEFT_BYTES) as i64;
    nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, bytes)?;
    pair.a.wait_view(View::Alone)?;
    deliver(&pair.a, account, DELIVERIES_MAX + 2)?;
    println!("box a goes on while the disk of b is full");
    // Its room is given back when nobody has it open any more.
    drop(file);
    std::fs::remove_file(&ballast)?;
    pair.wait_both()?;
    deliver(&pair.b, account, DELIVERIES_MAX + 3)?;
    println!("and b is back when there is room");
    pair.wait_equal()
}

fn deliver(at: &Maild, account: &Account, number: u64) -> Result<()> {
    until("mail to be taken", || {
        let mut smtp = Smtp::connect(at.port(25), PATIENCE)?;
        match smtp.deliver("sender@elsewhere.test", &[&account.address], &sample(number))? {
            Answer::Accepted => Ok(Some(())),
            answer => bail!("{answer:?}"),
        }
    })
}

/// Until the box refuses. Gives how many it took.
fn fill(at: &Maild, account: &Account) -> Result<u64> {
    let mut smtp = Smtp::connect(at.port(25), PATIENCE)?;
    for accepted in 0..DELIVERIES_MAX {
        // The largest kind of sample.
        let message = sample(5 * accepted + 4);
        match smtp.deliver("sender@elsewhere.test", &[&account.address], &message)? {
            Answer::Accepted => {}
            Answer::Refused { code: REFUSED, .. } => return Ok(accepted),
            other => bail!("expected {REFUSED} after {accepted} messages, got {other:?}"),
        }
    }
    bail!("{DELIVERIES_MAX} messages on a disk of {DISK_MIB} MiB")
}
