//! The power of a box or of both is cut: what their disks did not sync is gone.

use std::time::Instant;

use anyhow::{Context, Result};
use control::Side;

use super::{Struck, one_of, wait};
use crate::torture::dice::Dice;
use crate::torture::stand::Stand;

pub fn strike(stand: &mut Stand, dice: &mut Dice) -> Result<Struck> {
    let first = one_of(dice);
    let mut faults = 1;
    let mut story = format!("power of {first}");
    cut(stand, first, dice)?;
    if dice.percent(40) {
        let after = if dice.percent(50) { 0 } else { wait(dice, 1, 700) };
        cut(stand, first.other(), dice)?;
        faults += 1;
        story += &format!(", {after} ms later of {}", first.other());
    }
    let down = wait(dice, 0, 700);
    story += &format!(", {down} ms");
    let order = one_of(dice);
    for side in [order, order.other()] {
        if !stand.pair.get(side).is_running() {
            stand.pair.get_mut(side).start()?;
            if dice.percent(25) {
                wait(dice, 0, 900);
            }
        }
    }
    if dice.percent(25) {
        let after = wait(dice, 0, 400);
        let again = one_of(dice);
        cut(stand, again, dice)?;
        faults += 1;
        story += &format!(", back, after {after} ms again of {again}");
        stand.pair.get_mut(again).start()?;
    }
    Ok(Struck { story, faults, free: Instant::now() })
}

/// Mostly the process dies first; now and then it lives on for a moment and sees its disk fail.
fn cut(stand: &mut Stand, side: Side, dice: &mut Dice) -> Result<()> {
    let Stand { pair, disks, .. } = stand;
    let disk = &disks.as_ref().context("no disks of their own")?[usize::from(side == Side::B)];
    if dice.percent(30) {
        disk.fail(pair.get(side), dice)?;
        wait(dice, 0, 30);
        pair.get_mut(side).kill()?;
        disk.repair()
    } else {
        pair.get_mut(side).kill()?;
        disk.cut_power(dice)
    }
}
