//! P6: when the faults stop, the pair is whole again soon and owes nobody an answer.

use record::Side;
use replica::Mode;

use crate::sim::world::{World, at};

/// After healing.
///
/// # Errors
/// The broken promise.
pub fn check(world: &World) -> Result<(), String> {
    for side in Side::BOTH {
        let one = &world.boxes[at(side)];
        if one.mode() != Some(Mode::Both) {
            return Err(format!("P6: {side} is {:?}", one.mode()));
        }
        if !one.is_serving() {
            return Err(format!("P6: {side} does not serve"));
        }
        let waiting = &world.clients.waiting[at(side)];
        if !waiting.is_empty() {
            return Err(format!("P6: {side} owes answers to {waiting:?}"));
        }
    }
    Ok(())
}
