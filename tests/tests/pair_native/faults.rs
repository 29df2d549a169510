//! A box goes, in each of the ways a process can, or the cable does, while mail comes in.

use anyhow::{Context, Result, ensure};
use control::{Side, Status, View};
use tests::native::{Account, Fate, Imap, Ledger, Load, Maild, Pair};

use crate::with_pair;

const ACCOUNTS: &[&str] = &["ann", "bob", "cid"];
const SENDERS: usize = 4;
/// Acknowledged messages in each phase of a story.
const PHASE: usize = 60;

/// The stories run one after the other: each loads both cores of a small machine by itself.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

pub fn one_at_a_time() -> impl Drop {
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
        let mut ledger = load.stop();
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

/// A full partition: both live, both serve (promise P6). What each took is at both when the cable is whole again.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn both_boxes_go_on_while_the_cable_is_cut() {
    let _turn = one_at_a_time();
    with_pair("split", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        for _ in 0..2 {
            let at_a = Load::start(&pair.a, accounts, SENDERS / 2);
            let at_b = Load::start(&pair.b, accounts, SENDERS / 2);
            at_a.wait_more(PHASE)?;
            at_b.wait_more(PHASE)?;
            pair.cable.cut();
            pair.a.wait_view(View::Alone)?;
            pair.b.wait_view(View::Alone)?;
            at_a.wait_more(PHASE)?;
            at_b.wait_more(PHASE)?;
            pair.cable.mend();
            pair.wait_both()?;
            ledger.add(at_a.stop());
            ledger.add(at_b.stop());
            pair.wait_both()?;
            pair.wait_equal()?;
            ledger.check(&pair.a, accounts)?;
            ledger.check(&pair.b, accounts)?;
        }
        Ok(())
    });
}

/// The disk that comes back is not the one that was there: everything is copied to it.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn a_box_gets_a_new_disk() {
    let _turn = one_at_a_time();
    with_pair("new-disk", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        for renewed in [Side::B, Side::A] {
            let load = Load::start(pair.get(renewed.other()), accounts, SENDERS);
            load.wait_more(PHASE)?;
            pair.get_mut(renewed).kill()?;
            pair.get_mut(renewed.other()).wait_view(View::Alone)?;
            load.wait_more(PHASE)?;
            pair.get_mut(renewed).replace_disk()?;
            pair.get_mut(renewed).start()?;
            pair.wait_both()?;
            ledger.add(load.stop());
            pair.wait_equal()?;
            ledger.check(&pair.a, accounts)?;
            ledger.check(&pair.b, accounts)?;
        }
        Ok(())
    });
}

/// The box whose site file calls it the first of its pair comes back with an empty disk, while the other knows
/// everything: it joins like any other, serves nobody before that, and no UID is given twice.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn the_first_box_gets_a_new_disk() {
    let _turn = one_at_a_time();
    with_pair("new-disk-first", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        pair.wait_equal()?;
        let before = Inbox::look(&pair.a, &accounts[0])?;
        pair.a.kill()?;
        pair.b.wait_view(View::Alone)?;
        pair.a.replace_disk()?;
        pair.a.start()?;
        // For longer than a cold start waits.
        let load = Load::start(&pair.b, accounts, SENDERS);
        pair.wait_both()?;
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        pair.wait_equal()?;
        ledger.check(&pair.a, accounts)?;
        ledger.check(&pair.b, accounts)?;
        let log = std::fs::read_to_string(pair.a.log())?;
        let (_, with_new_disk) = log.rsplit_once("maild is up").context("box a's log")?;
        let began = with_new_disk.split("to=Both").next().unwrap_or_default();
        ensure!(!began.contains("to=Alone"), "the empty box went on alone:\n{began}");
        for at in [&pair.a, &pair.b] {
            before.goes_on(at, &accounts[0])?;
        }
        Ok(())
    });
}

/// What a client knows of an INBOX.
pub struct Inbox {
    pub uid_validity: u32,
    pub uids: Vec<u32>,
    pub uid_next: u32,
}

impl Inbox {
    pub fn look(at: &Maild, account: &Account) -> Result<Inbox> {
        let mut imap = Imap::login(at, account)?;
        let selected = imap.select("INBOX")?;
        let (uid_validity, uid_next) = (selected.uid_validity, selected.uid_next);
        Ok(Inbox { uid_validity, uids: imap.uids()?, uid_next })
    }

    /// Looks again: every message has its UID, and new ones have higher ones.
    pub fn goes_on(&self, at: &Maild, account: &Account) -> Result<()> {
        let now = Inbox::look(at, account)?;
        let (was, is) = (self.uid_validity, now.uid_validity);
        ensure!(was == is, "UIDVALIDITY was {was}, is {is}");
        let (old, new) = now.uids.split_at(self.uids.len());
        ensure!(old == self.uids, "box {}: UIDs {:?} became {old:?}", at.side(), self.uids);
        let above = self.uid_next.max(*self.uids.last().unwrap_or(&0));
        ensure!(new.iter().all(|uid| *uid >= above), "UIDs {new:?} are below UIDNEXT {above}");
        Ok(())
    }
}

/// After a power cut of both, one alone comes back: it waits for the other for a while, then serves what both had.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn one_box_starts_without_the_other() {
    let _turn = one_at_a_time();
    with_pair("cold-start", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        for first in [Side::B, Side::A] {
            let load = Load::start(&pair.a, accounts, SENDERS);
            load.wait_more(PHASE)?;
            pair.a.kill()?;
            pair.b.kill()?;
            ledger.add(load.stop());
            pair.get_mut(first).start()?;
            pair.get_mut(first).wait_view(View::Alone)?;
            ledger.check(pair.get(first), accounts)?;
            let load = Load::start(pair.get(first), accounts, SENDERS);
            load.wait_more(PHASE)?;
            pair.get_mut(first.other()).start()?;
            pair.wait_both()?;
            ledger.add(load.stop());
            pair.wait_equal()?;
            ledger.check(&pair.a, accounts)?;
            ledger.check(&pair.b, accounts)?;
        }
        Ok(())
    });
}
