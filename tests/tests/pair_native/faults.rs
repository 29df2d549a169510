//! A box goes, in each of the ways a process can, while mail comes in.

use anyhow::{Result, ensure};
use control::{Side, Status, View};
use tests::native::{Account, Fate, Ledger, Load, Pair};

use crate::with_pair;

const ACCOUNTS: &[&str] = &["ann", "bob", "cid"];
const SENDERS: usize = 4;
/// Acknowledged messages in each phase of a story.
const PHASE: usize = 60;

/// The stories run one after the other: each loads both cores of a small machine by itself.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn one_at_a_time() -> impl Drop {
    // A story that failed before does not matter to this one.
    ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn either_box_is_killed_during_deliveries() {
    let _turn = one_at_a_time();
    with_pair("kill-one", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        for dies in [Side::B, Side::A] {
            ledger.add(kill_one(pair, accounts, dies)?);
            ledger.check(&pair.a, accounts)?;
            ledger.check(&pair.b, accounts)?;
        }
        Ok(())
    });
}

/// Deliveries at one box while the other is killed, missed, and back.
fn kill_one(pair: &mut Pair, accounts: &[Account], dies: Side) -> Result<Ledger> {
    let survivor = dies.other();
    let load = Load::start(pair.get(survivor), accounts, SENDERS);
    load.wait_more(PHASE)?;
    pair.get_mut(dies).kill()?;
    pair.get_mut(survivor).wait("alone, and the box says that there is one copy", |status| {
        status.view == View::Alone && status.one_copy_since_s.is_some()
    })?;
    load.wait_more(PHASE)?;
    pair.get_mut(dies).start()?;
    pair.wait_both()?;
    load.wait_more(PHASE)?;
    let ledger = load.stop();
    pair.wait_both()?;
    pair.wait_equal()?;
    let is_whole = |status: &Status| status.one_copy_since_s.is_none();
    pair.get_mut(survivor).wait("no more talk of one copy", is_whole)?;
    Ok(ledger)
}

#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn both_boxes_are_killed_at_once() {
    let _turn = one_at_a_time();
    with_pair("kill-both", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        for _ in 0..2 {
            let at_a = Load::start(&pair.a, accounts, SENDERS / 2);
            let at_b = Load::start(&pair.b, accounts, SENDERS / 2);
            at_a.wait_more(PHASE)?;
            at_b.wait_more(PHASE)?;
            pair.a.kill()?;
            pair.b.kill()?;
            ledger.add(at_a.stop());
            ledger.add(at_b.stop());
            pair.a.start()?;
            pair.b.start()?;
            pair.wait_both()?;
            pair.wait_equal()?;
            ledger.check(&pair.a, accounts)?;
            ledger.check(&pair.b, accounts)?;
        }
        Ok(())
    });
}

/// A process that stands still holds its connections open: nothing but its silence tells.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn a_box_that_stood_still_joins_again() {
    let _turn = one_at_a_time();
    with_pair("pause", ACCOUNTS, |pair, accounts| {
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        pair.b.pause()?;
        pair.a.wait_view(View::Alone)?;
        load.wait_more(PHASE)?;
        pair.b.resume()?;
        pair.wait_both()?;
        load.wait_more(PHASE)?;
        let ledger = load.stop();
        ensure!(ledger.count(Fate::Unknown) == 0, "a lost connections while b stood still");
        pair.wait_equal()?;
        ledger.check(&pair.a, accounts)?;
        ledger.check(&pair.b, accounts)
    });
}

/// An orderly stop of each box in turn; who stops says so, and nobody waits for silence.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn each_box_is_stopped_and_started() {
    let _turn = one_at_a_time();
    with_pair("stop", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        for stops in [Side::A, Side::B] {
            let load = Load::start(pair.get(stops.other()), accounts, SENDERS);
            load.wait_more(PHASE)?;
            pair.get_mut(stops).stop()?;
            pair.get_mut(stops.other()).wait_view(View::Alone)?;
            load.wait_more(PHASE)?;
            ledger.add(load.stop());
            pair.get_mut(stops).start()?;
            pair.wait_both()?;
            pair.wait_equal()?;
            ledger.check(pair.get(stops), accounts)?;
        }
        Ok(())
    });
}
