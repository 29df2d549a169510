//! One scene for each fault: what happens, what must come of it, how it heals. The same scenes are tests
//! (`tests/tests/pair_netns`) and the long run (`cargo torture failover`).
//!
//! In all of them clients deliver, read and ask for greetings at both addresses, and box a is the one that is struck.

pub mod cables;
pub mod disk;
pub mod program;
pub mod quality;
pub mod start;

use anyhow::Result;

use super::rig::{NoDisk, Rig};
use super::trial::{Record, Trial, Unsure};

/// A fault and its story.
#[derive(Clone, Copy)]
pub struct Scene {
    pub name: &'static str,
    pub story: fn(&mut Trial<'_>) -> Result<()>,
}

/// How often a scene is played again when the machine stood still in it.
const ATTEMPTS: usize = 4;

impl Scene {
    /// Plays it once. Call it from the street.
    ///
    /// # Errors
    /// What did not come about, or should not have; [`Unsure`] when the machine may be to blame.
    pub fn play(&self, rig: &mut Rig) -> Result<Record> {
        let mut trial = Trial::begin(rig, self.name)?;
        (self.story)(&mut trial)?;
        trial.end()
    }

    /// Plays it until the machine lets it be judged. `None`: it never did, or it has no disk for it.
    ///
    /// # Errors
    /// What is wrong with the boxes.
    pub fn judge(&self, rig: &mut Rig) -> Result<Option<Record>> {
        for _ in 0..ATTEMPTS {
            match self.play(rig) {
                Err(error) if error.is::<Unsure>() => {
                    eprintln!("{}: not judged: {error:#}", self.name);
                    rig.recover()?;
                }
                Err(error) if error.is::<NoDisk>() => {
                    eprintln!("{}: skipped: {error}", self.name);
                    return Ok(None);
                }
                outcome => return outcome.map(Some),
            }
        }
        Ok(None)
    }
}

macro_rules! scenes {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// All of them.
        pub const SCENES: &[Scene] =
            &[$(Scene { name: stringify!($name), story: $module::$name }),*];
    };
}

scenes![
    program::box_loses_power,
    program::box_loses_power_and_its_clients_use_ipv6,
    program::listener_is_dead,
    program::maild_is_killed_while_its_ports_stay_up,
    program::maild_is_told_to_stop,
    program::box_stands_still_for_300_ms,
    program::box_stands_still_for_1_s,
    program::box_stands_still_for_5_s,
    program::box_stands_still_for_30_s,
    program::failover_thread_is_starved,
    program::failover_thread_is_starved_for_a_moment,
    program::mail_store_is_starved,
    disk::disk_stalls_for_5_s,
    disk::disk_stalls_for_ever,
    disk::disk_is_nearly_full,
    disk::disk_is_full,
    disk::disk_fails,
    cables::crossover_is_cut,
    cables::crossover_plug_is_pulled,
    cables::lan_cable_of_one_box_is_cut,
    cables::lan_port_goes_down,
    cables::both_lan_cables_are_cut,
    cables::crossover_and_one_lan_cable_are_cut,
    cables::all_cables_are_cut,
    cables::crossover_is_cut_one_way,
    cables::lan_is_cut_one_way_from_the_box,
    cables::lan_is_cut_one_way_to_the_box,
    cables::one_box_is_not_heard_though_it_hears,
    cables::switch_keeps_the_boxes_apart,
    cables::switch_keeps_the_boxes_apart_and_the_crossover_is_cut,
    cables::boxes_are_kept_apart_and_a_witness_answers,
    cables::heartbeats_are_lost_and_the_owner_is_seen,
    cables::both_ports_of_one_box_die_and_the_serial_cable_remains,
    cables::gateway_is_gone,
    quality::crossover_loses_1_percent,
    quality::crossover_loses_10_percent,
    quality::crossover_loses_30_percent,
    quality::crossover_loses_50_percent,
    quality::lan_loses_1_percent,
    quality::lan_loses_10_percent,
    quality::lan_loses_30_percent,
    quality::lan_loses_50_percent,
    quality::crossover_is_100_ms_late,
    quality::lan_is_100_ms_late,
    quality::junk_storms_on_the_crossover,
    quality::junk_storms_on_the_lan,
    quality::processors_are_hogged,
    start::boxes_start_together,
    start::boxes_start_2_s_apart,
    start::boxes_start_5_s_apart,
    start::boxes_start_90_s_apart,
];

/// The scene of that name.
#[must_use]
pub fn scene(name: &str) -> Option<&'static Scene> {
    SCENES.iter().find(|scene| scene.name == name)
}
