//! Messages for other hosts: what was acknowledged is sent, and both boxes know it.

use record::Side;

use super::Broken;
use crate::sim::world::{World, at};

pub fn check(world: &World) -> Result<Broken, String> {
    let mut broken = Broken::new();
    for side in Side::BOTH {
        let core = world.boxes[at(side)].core.as_ref().ok_or("P6: a box is down")?;
        for message in world.clients.queued.keys() {
            let Some(known) = core.index().queued(*message).map_err(|e| e.to_string())? else {
                broken.push(format!("P1: {message:?} was acknowledged and is lost at {side}"));
                continue;
            };
            if !known.settled {
                broken.push(format!("queue: {message:?} is never sent, says {side}: {known:?}"));
            }
            for (recipient, (address, sent)) in (0..).zip(&known.recipients) {
                let taken = *sent == Some(record::Sent::Taken);
                if taken && !world.elsewhere.has_got(*message, recipient) {
                    broken.push(format!(
                        "queue: {address} never got {message:?}, but {side} says so"
                    ));
                }
            }
        }
    }
    Ok(broken)
}
