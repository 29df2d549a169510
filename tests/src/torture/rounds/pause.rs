//! SIGSTOP of a box or both: to everybody else a box that hangs, to itself a clock that jumps.

use std::time::Instant;

use anyhow::Result;

use super::{Struck, one_of, wait};
use crate::torture::dice::Dice;
use crate::torture::stand::Stand;

pub fn strike(stand: &mut Stand, dice: &mut Dice) -> Result<Struck> {
    let first = one_of(dice);
    let mut faults = 1;
    stand.pair.get(first).pause()?;
    let mut story = format!("pause {first}");
    let both = dice.percent(20);
    if both {
        let after = wait(dice, 0, 1000);
        stand.pair.get(first.other()).pause()?;
        faults += 1;
        story += &format!(", {after} ms later {}", first.other());
    }
    // Mostly about as long as "dead" takes, now and then much longer.
    let longest = if dice.percent(15) { 10_000 } else { 1200 };
    let still = wait(dice, 300, longest);
    story += &format!(", {still} ms");
    if both {
        stand.pair.get(first.other()).resume()?;
        wait(dice, 0, 500);
    }
    stand.pair.get(first).resume()?;
    Ok(Struck { story, faults, free: Instant::now() })
}
