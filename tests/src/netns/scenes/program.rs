//! A box, or its program, goes or stands still.

use std::time::Duration;

use anyhow::{Result, ensure};
use control::Side::{A, B};
use control::View;

use crate::netns::hog::Starved;
use crate::netns::trial::Trial;

/// After the takeover the survivor serves alone for a while.
const WHILE: Duration = Duration::from_secs(1);
/// The peer is told, then takes the address.
const HANDING_OVER: Duration = Duration::from_millis(300);
/// A resumed box takes its addresses off its port within this time.
const WAKING: Duration = Duration::from_millis(500);

pub fn box_loses_power(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| rig.cut_power(A))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    trial.heals(|rig| rig.power_on(A))
}

/// The neighbours learn where the address is by an unsolicited advertisement.
pub fn box_loses_power_and_its_clients_use_ipv6(trial: &mut Trial<'_>) -> Result<()> {
    trial.greet_over_ipv6()?;
    box_loses_power(trial)
}

/// Nobody takes connections at port 25 any more. The box finds that out as a client would, and hands over; both keep
/// every message.
pub fn listener_is_dead(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = HANDING_OVER;
    trial.fault(|rig| rig.station(A).kill_listener(25))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.lasts(WHILE);
    let view = trial.rig.b.status()?.view;
    ensure!(view == View::Both, "box b is {view}, though box a writes");
    trial.heals(|rig| {
        rig.stop_maild(A)?;
        rig.a.start()
    })
}

pub fn maild_is_killed_while_its_ports_stay_up(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| rig.kill_maild(A))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    trial.heals(|rig| rig.a.start())
}

pub fn maild_is_told_to_stop(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| rig.stop_maild(A))?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.lasts(WHILE);
    trial.heals(|rig| rig.a.start())
}

/// Shorter than "dead": nobody takes anything.
pub fn box_stands_still_for_300_ms(trial: &mut Trial<'_>) -> Result<()> {
    trial.fault(|rig| {
        rig.a.pause()?;
        std::thread::sleep(Duration::from_millis(300));
        rig.a.resume()
    })?;
    trial.nothing_moves(Duration::from_secs(2))?;
    trial.heals(|_| Ok(()))
}

pub fn box_stands_still_for_1_s(trial: &mut Trial<'_>) -> Result<()> {
    stands_still(trial, Duration::from_secs(1))
}

pub fn box_stands_still_for_5_s(trial: &mut Trial<'_>) -> Result<()> {
    stands_still(trial, Duration::from_secs(5))
}

/// On a box PID 1 ends a maild that hangs for 10 s; here nobody does.
pub fn box_stands_still_for_30_s(trial: &mut Trial<'_>) -> Result<()> {
    stands_still(trial, Duration::from_secs(30))
}

/// Only the thread that decides, and sends heartbeats: the guard takes the address off before the other box takes it.
pub fn failover_thread_is_starved(trial: &mut Trial<'_>) -> Result<()> {
    is_starved(trial, "failover")
}

/// For about as long as the guard waits: whether it took the address off or not, the box knows what it holds.
pub fn failover_thread_is_starved_for_a_moment(trial: &mut Trial<'_>) -> Result<()> {
    for ms in [370, 400, 430, 460] {
        trial.fault(|rig| {
            let starved = Starved::thread(rig.a.id()?, "failover")?;
            std::thread::sleep(Duration::from_millis(ms));
            drop(starved);
            Ok(())
        })?;
        trial.lasts(WHILE);
        trial.heals(|_| Ok(()))?;
    }
    Ok(())
}

/// The loop of the mail store: heartbeats go on, and say that the box is ill.
pub fn mail_store_is_starved(trial: &mut Trial<'_>) -> Result<()> {
    trial.may_be_held_by_two[0] = HANDING_OVER;
    is_starved(trial, "node")
}

fn is_starved(trial: &mut Trial<'_>, thread: &str) -> Result<()> {
    let mut starved = None;
    trial.fault(|rig| {
        starved = Some(Starved::thread(rig.a.id()?, thread)?);
        Ok(())
    })?;
    trial.moves(A, B)?;
    trial.holds(A, &[B])?;
    trial.rig.b.wait_view(View::Alone)?;
    trial.lasts(WHILE);
    drop(starved);
    trial.heals(|_| Ok(()))
}

/// All of maild stands still, its guard too, so its kernel keeps the address until it goes on: the announcements must
/// win.
fn stands_still(trial: &mut Trial<'_>, time: Duration) -> Result<()> {
    trial.may_be_held_by_two[0] = (time + WAKING).saturating_sub(trial.rig.dead_after);
    trial.fault(|rig| rig.a.pause())?;
    let begun = std::time::Instant::now();
    trial.moves(A, B)?;
    trial.lasts(time.saturating_sub(begun.elapsed()));
    trial.heals(|rig| rig.a.resume())
}
