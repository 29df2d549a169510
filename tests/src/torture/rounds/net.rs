//! The cables lose, delay, break and are cut, one path or all.

use std::time::Instant;

use anyhow::Result;

use super::{Struck, wait};
use crate::torture::dice::Dice;
use crate::torture::stand::Stand;

pub fn strike(stand: &mut Stand, dice: &mut Dice) -> Result<Struck> {
    let cable = &stand.pair.cable;
    let mut faults = 1;
    let story = match dice.below(6) {
        0 => {
            let loss = 10 + dice.below(60);
            cable.set_quality(loss as u64, 0);
            format!("{loss} % of the heartbeats lost")
        }
        1 => {
            let delay = 2 + dice.below(60);
            cable.set_quality(0, delay as u64);
            format!("all {delay} ms late")
        }
        2 => {
            let path = dice.below(2);
            cable.cut_heartbeats(path, true);
            format!("path {path} of the heartbeats cut")
        }
        3 => {
            // The link lives, and nothing else says that the peer does.
            cable.cut_heartbeats(0, true);
            cable.cut_heartbeats(1, true);
            "all heartbeats cut".to_owned()
        }
        4 => {
            for _ in 0..3 {
                cable.break_connections();
                wait(dice, 50, 400);
            }
            faults = 3;
            "the link broken three times".to_owned()
        }
        _ => {
            // Often shorter than "dead" takes, sometimes just as long.
            cable.cut();
            "everything cut".to_owned()
        }
    };
    let long = wait(dice, 50, 2000);
    stand.pair.cable.mend();
    Ok(Struck { story: format!("{story} for {long} ms"), faults, free: Instant::now() })
}
