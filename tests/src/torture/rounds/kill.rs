//! SIGKILL of a box or both, at any moment, also while they join.

use std::time::Instant;

use anyhow::Result;
use control::Side;

use super::{Struck, one_of, wait};
use crate::torture::dice::Dice;
use crate::torture::stand::Stand;

pub fn strike(stand: &mut Stand, dice: &mut Dice) -> Result<Struck> {
    let mut faults = 1;
    let first = one_of(dice);
    let mut story = format!("kill {first}");
    stand.pair.get_mut(first).kill()?;
    if dice.percent(25) {
        // At once, or when the other has gone alone or is about to.
        let after = if dice.percent(50) { 0 } else { wait(dice, 1, 700) };
        stand.pair.get_mut(first.other()).kill()?;
        faults += 1;
        story += &format!(", {after} ms later {}", first.other());
    }
    let down = wait(dice, 0, 900);
    story += &format!(", {down} ms");
    // Either may be the first to be back.
    let order = one_of(dice);
    start(stand, order)?;
    if dice.percent(25) {
        wait(dice, 0, 900);
    }
    start(stand, order.other())?;
    if dice.percent(25) {
        let after = wait(dice, 0, 500);
        let again = one_of(dice);
        stand.pair.get_mut(again).kill()?;
        faults += 1;
        story += &format!(", back, after {after} ms again {again}");
        wait(dice, 0, 300);
        start(stand, again)?;
    }
    Ok(Struck { story, faults, free: Instant::now() })
}

fn start(stand: &mut Stand, side: Side) -> Result<()> {
    let maild = stand.pair.get_mut(side);
    if maild.is_running() { Ok(()) } else { maild.start() }
}
