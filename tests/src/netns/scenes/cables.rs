//! Cables that are cut, plugs that are pulled, a switch and a gateway that fail.

use std::time::Duration;

use anyhow::Result;
use control::Side::{A, B};
use control::View;
use rack::{Cable, Fault, WayName};

use crate::netns::trial::Trial;

/// How long a fault that must move nothing is watched.
const WATCH: Duration = Duration::from_secs(3);
const WHILE: Duration = Duration::from_secs(1);
/// UDP port.
const HEARTBEATS: u16 = 7401;
/// A pair that hears each other waits so long for its link.
const NO_LINK: Duration = Duration::from_secs(5);
/// Of an address that both boxes hold on purpose, or as long as nobody can know better.
const AS_LONG_AS_IT_LASTS: Duration = Duration::from_secs(600);
/// The peer takes the address of a box that says it is cut from the LAN; both hold it for a heartbeat or two.
const TOLD: Duration = Duration::from_millis(300);

pub fn crossover_is_cut(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| Ok(rig.rack.cut(Cable::Crossover)?))?;
    trial.nothing_moves(WATCH)?;
    trial.heals(|rig| rig.mend_network())
}

pub fn crossover_plug_is_pulled(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| rig.set_plug(Cable::Crossover, false))?;
    trial.nothing_moves(WATCH)?;
    trial.heals(|rig| rig.mend_network())
}

/// Behind a broken media converter: the port keeps its carrier, only the gateway falls silent.
pub fn lan_cable_of_one_box_is_cut(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = TOLD;
    trial.fault(|rig| Ok(rig.rack.cut(Cable::LanA)?))?;
    goes_over_and_stays_both(trial)
}

pub fn lan_port_goes_down(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = TOLD;
    trial.fault(|rig| rig.set_plug(Cable::LanA, false))?;
    goes_over_and_stays_both(trial)
}

/// The peer takes a's address, and replication goes on.
fn goes_over_and_stays_both(trial: &mut Trial<'_>) -> Result<()> {
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.lasts(WHILE);
    trial.rig.wait_both()?;
    trial.heals(|rig| rig.mend_network())
}

/// No box can be reached: to move an address would help nobody.
pub fn both_lan_cables_are_cut(trial: &mut Trial<'_>) -> Result<()> {
    trial.others_may_wait = None;
    trial.fault(|rig| {
        rig.rack.cut(Cable::LanA)?;
        Ok(rig.rack.cut(Cable::LanB)?)
    })?;
    trial.lasts(WATCH);
    trial.rig.wait_both()?;
    trial.heals(|rig| rig.mend_network())
}

/// Box a is by itself: it keeps its own address, which nobody reaches, and b serves both.
pub fn crossover_and_one_lan_cable_are_cut(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = AS_LONG_AS_IT_LASTS;
    trial.fault(|rig| {
        rig.rack.cut(Cable::Crossover)?;
        Ok(rig.rack.cut(Cable::LanA)?)
    })?;
    trial.moves(A, B)?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.rig.a.wait_view(View::Alone)?;
    trial.holds(B, &[B])?;
    trial.lasts(WHILE);
    trial.heals(|rig| rig.mend_network())
}

pub fn all_cables_are_cut(trial: &mut Trial<'_>) -> Result<()> {
    trial.others_may_wait = None;
    trial.fault(|rig| Cable::ALL.into_iter().try_for_each(|cable| Ok(rig.rack.cut(cable)?)))?;
    trial.rig.a.wait_view(View::Alone)?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    trial.holds(A, &[A])?;
    trial.holds(B, &[B])?;
    trial.heals(|rig| rig.mend_network())
}

pub fn crossover_is_cut_one_way(trial: &mut Trial<'_>) -> Result<()> {
    for way in [WayName::CrossoverAToB, WayName::CrossoverBToA] {
        trial.fault(|rig| rig.spoil(&[way], Fault::CUT))?;
        trial.nothing_moves(WATCH)?;
        trial.heals(|rig| rig.mend_network())?;
    }
    Ok(())
}

pub fn lan_is_cut_one_way_from_the_box(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = TOLD;
    trial.fault(|rig| rig.spoil(&[WayName::LanFromA], Fault::CUT))?;
    goes_over_and_stays_both(trial)
}

pub fn lan_is_cut_one_way_to_the_box(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = TOLD;
    trial.fault(|rig| rig.spoil(&[WayName::LanToA], Fault::CUT))?;
    goes_over_and_stays_both(trial)
}

/// Nothing that a sends gets to b, but a hears b: b goes alone, and a, who hears that, steps back.
pub fn one_box_is_not_heard_though_it_hears(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = TOLD;
    let ways = [WayName::CrossoverAToB, WayName::LanFromA];
    trial.fault(|rig| rig.spoil(&ways, Fault::CUT))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    trial.heals(|rig| rig.mend_network())
}

/// Both reach the gateway, and each other by the crossover only.
pub fn switch_keeps_the_boxes_apart(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| Ok(rig.rack.keep_apart(true)?))?;
    trial.nothing_moves(WATCH)?;
    trial.heals(|rig| rig.mend_network())
}

/// Both reach the gateway and not each other: each takes the other for dead. Both serve, and nothing is lost when they
/// meet again (promise P6).
pub fn switch_keeps_the_boxes_apart_and_the_crossover_is_cut(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two = [AS_LONG_AS_IT_LASTS; 2];
    // The clients' packets go to whoever announced an address last, and sessions with the other box end.
    trial.others_may_wait = None;
    trial.fault(|rig| {
        rig.rack.keep_apart(true)?;
        Ok(rig.rack.cut(Cable::Crossover)?)
    })?;
    trial.rig.a.wait_view(View::Alone)?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    trial.heals(|rig| rig.mend_network())
}

/// Likewise, but a third host that both reach tells each that the other one lives: no address moves.
pub fn boxes_are_kept_apart_and_a_witness_answers(trial: &mut Trial<'_>) -> Result<()> {
    trial.rig.start_witness()?;
    trial.fault(|rig| {
        rig.rack.keep_apart(true)?;
        Ok(rig.rack.cut(Cable::Crossover)?)
    })?;
    trial.no_address_moves(WATCH)?;
    trial.rig.a.wait_view(View::Alone)?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.heals(|rig| {
        rig.stop_witness();
        rig.mend_network()
    })
}

/// Somebody's filter on the LAN: the boxes see each other's announcements and hear no heartbeat. Each takes the other's
/// address, is told that its owner greets at it, and lets it go.
pub fn heartbeats_are_lost_and_the_owner_is_seen(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two = [Duration::from_secs(3); 2];
    // As above, for a moment.
    trial.others_may_wait = None;
    trial.fault(|rig| {
        rig.rack.set_fault(Cable::LanA, Fault::lost_udp(HEARTBEATS))?;
        Ok(rig.rack.cut(Cable::Crossover)?)
    })?;
    trial.rig.a.wait_view(View::Alone)?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    trial.holds(A, &[A])?;
    trial.holds(B, &[B])?;
    trial.heals(|rig| rig.mend_network())
}

/// Only the serial cable says that box a lives: its address moves, and the pair has no link any more.
pub fn both_ports_of_one_box_die_and_the_serial_cable_remains(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = TOLD;
    // No link comes about: that is waited for.
    trial.others_may_wait = trial.others_may_wait.map(|[read, write]| [read, write + NO_LINK]);
    trial.rig.serial.set_plug(true);
    trial.lasts(WHILE);
    trial.fault(|rig| {
        rig.set_plug(Cable::Crossover, false)?;
        rig.set_plug(Cable::LanA, false)
    })?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    if trial.rig.a.status()?.view == View::Alone {
        return trial.wrong("box a heard b go alone, and is alone too".to_owned());
    }
    trial.lasts(WHILE);
    trial.heals(|rig| rig.mend_network())
}

pub fn gateway_is_gone(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| rig.set_gateway(false))?;
    trial.nothing_moves(WATCH + WHILE)?;
    trial.heals(|rig| rig.mend_network())?;
    // The boxes do not hear of it at the same time.
    trial.nothing_moves(WATCH)
}
