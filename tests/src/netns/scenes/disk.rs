//! A disk that does not answer: its file system is frozen, so writes and syncs wait.

use std::time::Duration;

use anyhow::{Context, Result};
use control::Side::{A, B};
use control::View;

use crate::netns::trial::Trial;

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
