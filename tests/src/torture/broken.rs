//! A disk that fails: its box says goodbye and ends, and the other carries on at once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use control::{Side, View};

use super::dice::Dice;
use super::disk::Disk;
use crate::native::{Ledger, Load, Pair, TIMING, until};

const DISK_MIB: u64 = 400;
const SENDERS: usize = 4;
/// Acknowledged messages in each phase.
const PHASE: usize = 60;

/// # Errors
/// When the survivor does not carry on, the other does not end, or anything is lost.
pub fn broken() -> Result<serde_json::Value> {
    let mut pair = Pair::prepare_with("torture-broken", TIMING)?;
    let mut disks = Vec::new();
    for at in [&pair.a, &pair.b] {
        disks.push(Disk::make(at.folder().join("disk.img"), at.data(), DISK_MIB)?);
    }
    let outcome = story(&mut pair, &disks);
    if outcome.is_err() {
        pair.keep_logs();
    }
    for side in [Side::A, Side::B] {
        // An error is what the outcome tells already.
        let _ = pair.get_mut(side).kill();
    }
    outcome
}

fn story(pair: &mut Pair, disks: &[Disk]) -> Result<serde_json::Value> {
    pair.start()?;
    let accounts = [pair.add_account("ann")?, pair.add_account("bob")?];
    let mut ledger = Ledger::default();
    let mut figures = serde_json::Map::new();
    for side in [Side::B, Side::A] {
        let load = Load::start(pair.get(side.other()), &accounts, SENDERS);
        load.wait_more(PHASE)?;
        let broke = Instant::now();
        disks[usize::from(side == Side::B)].fail(pair.get(side), &mut Dice::new(1))?;
        pair.get_mut(side.other()).wait_view(View::Alone)?;
        let alone_ms = broke.elapsed().as_millis() as u64;
        load.wait_more(PHASE)?;
        let longest = load.longest_wait(broke);
        let ended = until("the box with the broken disk to end", || pair.get_mut(side).ended())?;
        ensure!(!ended.success(), "box {side} ended as if all were well");
        ensure!(longest < Duration::from_secs(20), "clients waited {longest:?}");
        println!(
            "box {side}: {ended}; the other alone after {alone_ms} ms, clients waited {longest:?}"
        );
        let figure = serde_json::json!({
            "alone_after_ms": alone_ms, "longest_wait_ms": longest.as_millis() as u64
        });
        figures.insert(side.to_string(), figure);
        // Only the books of a process are left of it.
        pair.get_mut(side).kill().context("burying the process")?;
        disks[usize::from(side == Side::B)].repair()?;
        pair.get_mut(side).start()?;
        pair.wait_both()?;
        ledger.add(load.stop());
        pair.wait_equal()?;
        for at in [&pair.a, &pair.b] {
            ledger.check(at, &accounts)?;
        }
    }
    Ok(figures.into())
}
