//! Two real `maild` processes in network namespaces, with ports of their own, under every fault that `failover` has to
//! deal with. `tests/run native` runs the quick ones; all of them, some minutes:
//! `cargo test --package tests --test pair_netns -- --ignored`.
//!
//! A scene that the machine itself disturbed (it stood still for longer than a box may be silent) is played again; when
//! the machine never lets it be judged, the test says so and passes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use control::site::Timing;
use tests::netns::scenes::scene;
use tests::netns::{Rig, missing};

/// The default of a box, but for the wait for a peer at the start.
const TIMING: Timing = Timing { dead_after_ms: 600, cold_start_wait_ms: 3000 };

/// One rig serves all scenes in turn, because to bring a pair up takes longer than most scenes.
static RIG: Mutex<Option<Rig>> = Mutex::new(None);
/// Scenes that wait for it, or have it: the last one takes the rig down.
static PLAYERS: AtomicUsize = AtomicUsize::new(0);

fn play(name: &str) {
    if let Some(why) = missing() {
        return eprintln!("skipped {name}: {why}");
    }
    let scene = scene(name).expect("a scene of this name");
    let _player = Player::new();
    let mut place = RIG.lock().unwrap_or_else(PoisonError::into_inner);
    // A rig in which a scene failed ends with it.
    let mut rig = match place.take() {
        Some(rig) => rig,
        None => {
            let mut rig = Rig::build("netns", TIMING, true).expect("what is permitted works");
            rig.street.enter().expect("a street that was just made");
            rig.start().expect("a pair that starts");
            rig
        }
    };
    rig.street.enter().expect("the street is there");
    match scene.judge(&mut rig) {
        Ok(Some(record)) => eprintln!("{}", record.json()),
        Ok(None) => eprintln!("{name}: this machine does not let it be judged"),
        Err(error) => panic!("{name}: {error:#}"),
    }
    *place = Some(rig).filter(|_| PLAYERS.load(Ordering::SeqCst) > 1);
}

struct Player;

impl Player {
    fn new() -> Player {
        PLAYERS.fetch_add(1, Ordering::SeqCst);
        Player
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        PLAYERS.fetch_sub(1, Ordering::SeqCst);
    }
}

macro_rules! scenes {
    ($($name:ident)*) => {
        $(
            #[test]
            #[ignore = "real processes in network namespaces: tests/run native"]
            fn $name() {
                crate::play(stringify!($name));
            }
        )*
    };
}

mod quick {
    scenes! {
        box_loses_power
        maild_is_killed_while_its_ports_stay_up
        maild_is_told_to_stop
        box_stands_still_for_300_ms
        box_stands_still_for_1_s
        disk_stalls_for_ever
        crossover_is_cut
        lan_port_goes_down
        all_cables_are_cut
        one_box_is_not_heard_though_it_hears
        switch_keeps_the_boxes_apart
        gateway_is_gone
        lan_loses_50_percent
    }
}

mod thorough {
    scenes! {
        box_loses_power_and_its_clients_use_ipv6
        listener_is_dead
        failover_thread_is_starved
        failover_thread_is_starved_for_a_moment
        mail_store_is_starved
        disk_is_nearly_full
        disk_is_full
        disk_fails
        boxes_are_kept_apart_and_a_witness_answers
        heartbeats_are_lost_and_the_owner_is_seen
        both_ports_of_one_box_die_and_the_serial_cable_remains
        box_stands_still_for_5_s
        box_stands_still_for_30_s
        disk_stalls_for_5_s
        crossover_plug_is_pulled
        lan_cable_of_one_box_is_cut
        both_lan_cables_are_cut
        crossover_and_one_lan_cable_are_cut
        crossover_is_cut_one_way
        lan_is_cut_one_way_from_the_box
        lan_is_cut_one_way_to_the_box
        switch_keeps_the_boxes_apart_and_the_crossover_is_cut
        crossover_loses_1_percent
        crossover_loses_10_percent
        crossover_loses_30_percent
        crossover_loses_50_percent
        lan_loses_1_percent
        lan_loses_10_percent
        lan_loses_30_percent
        crossover_is_100_ms_late
        lan_is_100_ms_late
        junk_storms_on_the_crossover
        junk_storms_on_the_lan
        processors_are_hogged
        boxes_start_together
        boxes_start_2_s_apart
        boxes_start_5_s_apart
        boxes_start_90_s_apart
    }
}

/// So that no fault is left out of the tests.
#[test]
fn every_scene_is_a_test() {
    let own = include_str!("main.rs");
    for scene in tests::netns::scenes::SCENES {
        assert!(own.contains(&format!("        {}\n", scene.name)), "{}", scene.name);
    }
}
