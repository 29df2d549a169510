//! Both boxes lose their power and start again, at once or one after the other.

use std::time::Duration;

use anyhow::Result;
use control::Side::{A, B};

use crate::netns::trial::Trial;

/// A box that waits for its peer hears it before it serves alone.
pub fn boxes_start_together(trial: &mut Trial<'_>) -> Result<()> {
    start_apart(trial, Duration::ZERO)
}

/// Within the first one's wait for the other.
pub fn boxes_start_2_s_apart(trial: &mut Trial<'_>) -> Result<()> {
    start_apart(trial, Duration::from_secs(2))
}

/// When the first one serves alone already.
pub fn boxes_start_5_s_apart(trial: &mut Trial<'_>) -> Result<()> {
    start_apart(trial, Duration::from_secs(5))
}

pub fn boxes_start_90_s_apart(trial: &mut Trial<'_>) -> Result<()> {
    start_apart(trial, Duration::from_secs(90))
}

fn start_apart(trial: &mut Trial<'_>, time: Duration) -> Result<()> {
    trial.others_may_wait = None;
    trial.fault(|rig| {
        rig.cut_power(A)?;
        rig.cut_power(B)
    })?;
    trial.rig.power_on(A)?;
    trial.lasts(time);
    trial.heals(|rig| rig.power_on(B))
}
