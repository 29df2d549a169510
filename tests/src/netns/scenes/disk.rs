//! A disk that does not answer: its file system is frozen, so writes and syncs wait.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use control::Side::{A, B};
use control::View;

use crate::native::until;
use crate::netns::trial::Trial;
use crate::torture::Dice;

/// Left free: less than a box takes mail with, more than it needs to keep copies.
const NEARLY_FULL_BYTES: u64 = 24 * 1024 * 1024;
const FULL_BYTES: u64 = 4 * 1024 * 1024;
/// The room on a disk is looked at once a second.
const NOTICED: Duration = Duration::from_secs(1);

/// A stalled box has to be told before it gives its address up: until then both may hold it.
const HANDING_OVER: Duration = Duration::from_millis(500);

pub fn disk_stalls_for_5_s(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = HANDING_OVER;
    trial.fault(|rig| rig.disk_of_a()?.freeze())?;
    let begun = std::time::Instant::now();
    trial.moves(A, B)?;
    trial.lasts(Duration::from_secs(5).saturating_sub(begun.elapsed()));
    trial.heals(|rig| rig.disk_of_a()?.thaw())
}

/// Until somebody switches the box off and on.
pub fn disk_stalls_for_ever(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = HANDING_OVER;
    trial.fault(|rig| rig.disk_of_a()?.freeze())?;
    trial.moves(A, B)?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.holds(A, &[B])?;
    trial.lasts(Duration::from_secs(3));
    trial.heals(|rig| {
        // A process that waits for its disk cannot even be killed.
        let thawed = rig.disk_of_a()?.thaw();
        rig.cut_power(A)?;
        thawed.context("thawing")?;
        rig.power_on(A)
    })
}

/// So little is free that no mail is taken: the other box answers at both addresses, and both keep every message.
pub fn disk_is_nearly_full(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = HANDING_OVER;
    trial.fault(|rig| rig.disk_of_a()?.fill(NEARLY_FULL_BYTES))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.lasts(Duration::from_secs(1));
    let view = trial.rig.b.status()?.view;
    trial.heals(|rig| rig.disk_of_a()?.empty())?;
    ensure!(view == View::Both, "box b is {view}, though box a has room for copies");
    Ok(())
}

/// Not even copies have room: the other box goes on alone, until there is.
pub fn disk_is_full(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = HANDING_OVER;
    trial.others_may_wait = trial.others_may_wait.map(|[read, write]| [read, write + NOTICED]);
    trial.fault(|rig| rig.disk_of_a()?.fill(FULL_BYTES))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(Duration::from_secs(1));
    trial.heals(|rig| rig.disk_of_a()?.empty())
}

/// Every access fails: maild ends by itself, and init does its first duty.
pub fn disk_fails(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| rig.disk_of_a()?.fail(&rig.a, &mut Dice::new(1)))?;
    until("maild to end", || trial.rig.a.ended())?;
    trial.rig.kill_maild(A)?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(Duration::from_secs(1));
    trial.heals(|rig| {
        rig.disk_of_a()?.repair()?;
        rig.a.start()
    })
}
