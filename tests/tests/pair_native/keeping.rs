//! What becomes of the mail while it is kept: backup, and rot.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use control::View;
use tests::native::{Boxes, Ledger, Load, Maild};

use crate::faults::{Inbox, one_at_a_time};
use crate::with_pair;

const ACCOUNTS: &[&str] = &["ann", "bob"];
const SENDERS: usize = 4;
/// Acknowledged messages in each phase of a story.
const PHASE: usize = 60;

/// A backup is taken while mail comes in. Later a disk is lost, and the new one filled from the backup: the box
/// joins with what the copy holds, gets what it lacks, and no UID names two messages.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn a_lost_disk_is_restored_from_a_backup() {
    let _turn = one_at_a_time();
    with_pair("backup", ACCOUNTS, |pair, accounts| {
        let file = pair.a.folder().join("backup");
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        pair.a.backup(&file)?;
        load.wait_more(PHASE)?;
        let mut ledger = load.stop();
        pair.wait_equal()?;
        let before = Inbox::look(&pair.a, &accounts[0])?;
        ensure!(pair.b.data().join("mail").exists());
        pair.b.kill()?;
        pair.a.wait_view(View::Alone)?;
        let refused = pair.b.restore(&file);
        ensure!(refused.is_err(), "a disk with mail on it was filled again");
        pair.b.replace_disk()?;
        cut_is_refused(&mut pair.b, &file)?;
        pair.b.restore(&file)?;
        let load = Load::start(&pair.a, accounts, SENDERS);
        pair.b.start()?;
        pair.wait_both()?;
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        pair.wait_equal()?;
        ledger.check(&pair.a, accounts)?;
        ledger.check(&pair.b, accounts)?;
        for at in [&pair.a, &pair.b] {
            before.goes_on(at, &accounts[0])?;
        }
        Ok(())
    });
}

/// Both disks are lost, and one is filled from a backup that the panel gave.
/// It does not serve by itself, since it is an old copy; by the
/// admin's word it does, and gives no UID again that a client may have seen. The other joins it with a blank disk.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn a_lost_pair_is_restored_from_a_backup() {
    let _turn = one_at_a_time();
    with_pair("backup-of-all", ACCOUNTS, |pair, accounts| {
        let file = pair.a.folder().join("backup");
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        let mut ledger = load.stop();
        pair.wait_equal()?;
        pair.download_backup(&file)?;
        // Known to clients, and to no disk that is left.
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        drop(load.stop());
        let before = Inbox::look(&pair.a, &accounts[0])?;
        pair.a.kill()?;
        pair.b.kill()?;
        pair.a.replace_disk()?;
        pair.b.replace_disk()?;
        pair.a.restore(&file)?;
        pair.a.start()?;
        pair.a.wait_view(View::Waiting)?;
        pair.a.serve_alone()?;
        pair.a.wait_view(View::Alone)?;
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        pair.b.start()?;
        pair.wait_both()?;
        pair.wait_equal()?;
        ledger.check(&pair.a, accounts)?;
        ledger.check(&pair.b, accounts)?;
        let now = Inbox::look(&pair.a, &accounts[0])?;
        let (was, is) = (before.uid_validity, now.uid_validity);
        ensure!(was == is, "UIDVALIDITY was {was}, is {is}");
        let new: Vec<_> = now.uids.iter().filter(|uid| !before.uids.contains(uid)).collect();
        let above = before.uid_next;
        ensure!(!new.is_empty() && new.iter().all(|uid| **uid >= above), "new UIDs {new:?}");
        let old = now.uids.len() - new.len();
        let same = now.uids[..old] == before.uids[..old];
        ensure!(same, "UIDs {:?} became {:?}", before.uids, now.uids);
        Ok(())
    });
}

/// Half a backup is none, and nothing is left of the attempt.
fn cut_is_refused(at: &mut Maild, file: &Path) -> Result<()> {
    let bytes = fs::read(file)?;
    let half = file.with_extension("half");
    fs::write(&half, &bytes[..bytes.len() / 2])?;
    ensure!(at.restore(&half).is_err(), "half a backup was restored");
    Ok(())
}

/// Messages and operations rot on one disk while its box is off, and its index is lost, too: it fetches what it cannot
/// read from the other before it serves, or when the scrub comes by, and has everything again (promise P9).
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn what_rots_on_one_disk_comes_from_the_other() {
    let _turn = one_at_a_time();
    with_pair("rot", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(2 * PHASE)?;
        ledger.add(load.stop());
        pair.wait_equal()?;
        pair.b.stop()?;
        let rotten = rot(&pair.b.data().join("mail/log"))?;
        fs::remove_file(pair.b.data().join("mail/index.redb"))?;
        pair.b.set_options(&["--scrub-round-s", "1"]);
        pair.b.start()?;
        pair.wait_both()?;
        let mended = |status: &control::Status| {
            let upkeep = status.upkeep;
            upkeep.scrub_rounds > 0 && upkeep.mended >= rotten && upkeep.damaged == 0
        };
        pair.b.wait("every rotten record mended", mended)?;
        pair.wait_equal()?;
        ledger.check(&pair.b, accounts)?;
        // The good copy may go now.
        pair.a.kill()?;
        pair.b.wait_view(View::Alone)?;
        ledger.check(&pair.b, accounts)
    });
}

/// An account with much mail is removed: its room is given back at both boxes, and nothing else goes.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn the_mail_of_a_removed_account_is_given_back() {
    let _turn = one_at_a_time();
    with_pair("removed", ACCOUNTS, |pair, accounts| {
        let boxes: &mut Boxes = pair;
        for one in [&mut boxes.a, &mut boxes.b] {
            one.stop()?;
            one.set_options(&["--reclaim-interval-s", "1"]);
            one.start()?;
        }
        pair.wait_both()?;
        let load = Load::start(&pair.a, &accounts[1..], SENDERS);
        load.wait_more(PHASE)?;
        let mut ledger = load.stop();
        for number in 0..LARGE_MESSAGES {
            crate::deliver(&pair.a, &accounts[0], &large(number))?;
        }
        pair.wait_equal()?;
        let sent = LARGE_MESSAGES * LARGE_BYTES;
        let before = pair.a.status()?.log.end;
        let begun = Instant::now();
        pair.remove_account(&accounts[0])?;
        let boxes: &mut Boxes = pair;
        for one in [&mut boxes.a, &mut boxes.b] {
            // A sealed segment is given back at once; the newest, of 64 MiB, is not sealed yet.
            let given_back =
                |status: &control::Status| status.upkeep.reclaimed_bytes >= sent - SEGMENT_BYTES;
            let status = one.wait("the room of the removed account", given_back)?;
            println!(
                "box {}: {} of {} MB given back within {:.0} s, {} records written for it",
                status.side,
                status.upkeep.reclaimed_bytes / 1_000_000,
                sent / 1_000_000,
                begun.elapsed().as_secs_f64(),
                status.log.end - before
            );
        }
        pair.wait_equal()?;
        ledger.check(&pair.a, &accounts[1..])?;
        ledger.check(&pair.b, &accounts[1..])
    });
}

const LARGE_MESSAGES: u64 = 200;
/// Of text that does not compress to much less than it is.
const LARGE_BYTES: u64 = 1_000_000;
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

fn large(number: u64) -> Vec<u8> {
    let mut message = format!("Subject: large {number}\r\n\r\n").into_bytes();
    let mut state = number;
    while message.len() < LARGE_BYTES as usize {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // 8-bit text, but no line end.
        message.extend(state.to_be_bytes()[..4].iter().map(|byte| byte | 0x40));
        if message.len() % 400 < 4 {
            message.extend(b"\r\n");
        }
    }
    message.extend(b"\r\n");
    message
}

/// Changes one bit in every fifth record of the older half of the log. Gives how many.
fn rot(log: &Path) -> Result<u64> {
    let mut rotten = 0;
    for file in fs::read_dir(log)? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let mut bytes = fs::read(&path)?;
        let frames = frames(&bytes);
        for frame in frames[..frames.len() / 2].iter().skip(1).step_by(5) {
            // Of messages that is mostly their text, of all others the operation.
            let at = frame.end - 1 - frame.len() / 8;
            bytes[at] ^= 0x10;
            rotten += 1;
        }
        fs::write(&path, &bytes)?;
    }
    ensure!(rotten > 10, "only {rotten} records to rot");
    Ok(rotten)
}

fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(next) = find(bytes, at) {
        match record::frame_length(&bytes[next..]) {
            Ok(length) => {
                frames.push(next..next + length);
                at = next + length;
            }
            Err(_) => at = next + 1,
        }
    }
    frames
}

fn find(bytes: &[u8], from: usize) -> Option<usize> {
    let found = bytes.get(from..)?.windows(4).position(|window| window == b"TPR1");
    found.map(|at| from + at)
}
