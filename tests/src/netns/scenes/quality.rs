//! Everything works, but badly: nobody may take anything over.

use std::time::Duration;

use anyhow::{Result, ensure};
use control::Side;
use rack::{Cable, Fault};

use crate::netns::hog::Hogs;
use crate::netns::storm::{self, Storm};
use crate::netns::trial::Trial;

const WATCH: Duration = Duration::from_secs(3);
const PERCENT_PPM: u32 = 10_000;

pub fn crossover_loses_1_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::Crossover, Fault::loss_ppm(PERCENT_PPM))
}

pub fn crossover_loses_10_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::Crossover, Fault::loss_ppm(10 * PERCENT_PPM))
}

pub fn crossover_loses_30_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::Crossover, Fault::loss_ppm(30 * PERCENT_PPM))
}

pub fn crossover_loses_50_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::Crossover, Fault::loss_ppm(50 * PERCENT_PPM))
}

pub fn lan_loses_1_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::LanA, Fault::loss_ppm(PERCENT_PPM))
}

pub fn lan_loses_10_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::LanA, Fault::loss_ppm(10 * PERCENT_PPM))
}

pub fn lan_loses_30_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::LanA, Fault::loss_ppm(30 * PERCENT_PPM))
}

/// Both ways, so that three of four questions to the gateway get no answer.
pub fn lan_loses_50_percent(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::LanA, Fault::loss_ppm(50 * PERCENT_PPM))
}

pub fn crossover_is_100_ms_late(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::Crossover, Fault::delay(Duration::from_millis(100)))
}

pub fn lan_is_100_ms_late(trial: &mut Trial<'_>) -> Result<()> {
    bad(trial, Cable::LanA, Fault::delay(Duration::from_millis(100)))
}

fn bad(trial: &mut Trial<'_>, cable: Cable, fault: Fault) -> Result<()> {
    trial.fault(|rig| Ok(rig.rack.set_fault(cable, fault)?))?;
    trial.nothing_moves(WATCH)?;
    trial.heals(|rig| rig.mend_network())
}

/// From box a's card: what b hears of it is mostly junk, false heartbeats among it.
pub fn junk_storms_on_the_crossover(trial: &mut Trial<'_>) -> Result<()> {
    let mut storm = None;
    trial.fault(|rig| {
        let station = rig.station(Side::A);
        let (mac, index) = station.crossover_port();
        storm = Some(Storm::blow(&station.room, index, storm::on_the_crossover(mac))?);
        Ok(())
    })?;
    blows(trial, storm)
}

/// From a station on the LAN, to both boxes.
pub fn junk_storms_on_the_lan(trial: &mut Trial<'_>) -> Result<()> {
    let mut storm = None;
    trial.fault(|rig| {
        let (mac, index) = rig.street_port();
        let boxes = [Side::A, Side::B].map(|side| rig.get(side).port(0).ip());
        storm = Some(Storm::blow(&rig.street, index, storm::on_the_lan(mac, boxes))?);
        Ok(())
    })?;
    blows(trial, storm)
}

fn blows(trial: &mut Trial<'_>, storm: Option<Storm>) -> Result<()> {
    let outcome = trial.nothing_moves(WATCH);
    let frames = storm.map(Storm::lull).transpose()?.unwrap_or(0);
    outcome?;
    ensure!(frames > 1000, "a storm of {frames} frames is none");
    trial.heals(|_| Ok(()))
}

pub fn processors_are_hogged(trial: &mut Trial<'_>) -> Result<()> {
    let mut hogs = None;
    trial.fault(|_| {
        hogs = Some(Hogs::release()?);
        Ok(())
    })?;
    trial.nothing_moves(WATCH)?;
    drop(hogs);
    trial.heals(|_| Ok(()))
}
