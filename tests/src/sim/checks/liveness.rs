//! P6: when the faults stop, the pair is whole again soon and owes nobody an answer.

use record::Side;
use replica::Mode;

use super::Broken;
use crate::sim::world::{World, at};

pub fn check(world: &World) -> Broken {
    let mut broken = Broken::new();
    for side in Side::BOTH {
        let one = &world.boxes[at(side)];
        if one.mode() != Some(Mode::Both) {
            broken.push(format!("P6: {side} is {:?}", one.mode()));
        }
        if !one.is_serving() {
            broken.push(format!("P6: {side} does not serve"));
        }
        let waiting = world.clients.waiting[at(side)].len();
        if waiting > 0 {
            broken.push(format!("P6: {side} owes {waiting} answers"));
        }
    }
    broken
}
