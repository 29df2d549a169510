//! The two boxes have different releases of the program. Another release is this one, told to know more record formats.

use std::fs;

use anyhow::{Result, ensure};
use control::{ToMaild, View};
use tests::native::{Boxes, Ledger, Load, Maild, until};

use crate::faults::one_at_a_time;
use crate::with_pair;

const ACCOUNTS: &[&str] = &["ann", "bob"];
const SENDERS: usize = 4;
/// Acknowledged messages in each phase of the story.
const PHASE: usize = 40;

/// What this release knows; it is blessed a second after the start.
const THIS: &[&str] = &["--trial-formats", "1-1,1"];
const NEXT: &[&str] = &["--trial-formats", "1-2,1"];
/// The one after the next, and it has left the first behind.
const LATER: &[&str] = &["--trial-formats", "3-4,1"];
const LATER_AND_WHAT_WAS: &[&str] = &["--trial-formats", "1-4,1"];

/// A pair is updated box by box: it replicates all the time, and writes the newer format when both boxes have
/// blessed it. Then one box gets a release that the pair's mail is too new for, and one that has nothing in common
/// with the other's: the other goes on serving, and both say what to do.
#[test]
#[ignore = "two processes and a minute: tests/run native"]
fn a_pair_of_two_releases_writes_what_both_have_blessed() {
    let _turn = one_at_a_time();
    with_pair("releases", ACCOUNTS, |pair, accounts| {
        let mut ledger = Ledger::default();
        restart(&mut pair.a, THIS)?;
        pair.wait_both()?;
        restart(&mut pair.b, NEXT)?;
        pair.wait_both()?;
        blessed(&pair.a, 1)?;
        blessed(&pair.b, 2)?;
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        pair.wait_equal()?;
        for one in [&pair.a, &pair.b] {
            ensure!(one.status()?.record_format == 1, "box a could not read a newer one");
        }

        pair.a.wish(&ToMaild::HoldFormat { on: true })?;
        restart(&mut pair.a, NEXT)?;
        pair.wait_both()?;
        let load = Load::start(&pair.a, accounts, SENDERS);
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        ensure!(pair.a.blessed_format() == 1, "its owner did not want it yet");
        pair.a.wish(&ToMaild::HoldFormat { on: false })?;
        let boxes: &mut Boxes = pair;
        for one in [&mut boxes.a, &mut boxes.b] {
            one.wait("the newer format", |status| status.record_format == 2)?;
        }

        pair.a.stop()?;
        pair.a.set_options(THIS);
        pair.a.start()?;
        let code = until("a release that is too old to end", || pair.a.ended())?;
        ensure!(!code.success());
        let said = fs::read_to_string(pair.a.log())?;
        ensure!(said.contains("install a newer release on that box"), "no word of what to do");
        pair.a.kill()?;
        pair.b.wait_view(View::Alone)?;

        pair.a.set_options(LATER);
        pair.a.start()?;
        let boxes: &mut Boxes = pair;
        for one in [&mut boxes.a, &mut boxes.b] {
            let status = one.wait("an alarm", |status| status.refused.is_some())?;
            ensure!(status.health.contains("install a newer release"), "{}", status.health);
        }
        let load = Load::start(&pair.b, accounts, SENDERS);
        load.wait_more(PHASE)?;
        ledger.add(load.stop());
        let view = pair.a.status()?.view;
        ensure!(view == View::Waiting, "box b serves, and box a is {view}");
        ensure!(pair.b.status()?.view == View::Alone);

        restart(&mut pair.a, LATER_AND_WHAT_WAS)?;
        pair.wait_both()?;
        ensure!(pair.a.status()?.refused.is_none() && pair.b.status()?.refused.is_none());
        pair.wait_equal()?;
        ledger.check(&pair.a, accounts)?;
        ledger.check(&pair.b, accounts)
    });
}

fn restart(one: &mut Maild, release: &[&str]) -> Result<()> {
    one.stop()?;
    one.set_options(release);
    one.start()
}

fn blessed(one: &Maild, format: u16) -> Result<()> {
    until("the release to prove itself", || Ok((one.blessed_format() == format).then_some(())))
}
