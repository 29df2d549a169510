//! P1: an acknowledged message is never lost while a disk survives that held it, and none is doubled.

use std::collections::BTreeMap;

use record::{AccountId, Side};

use crate::sim::clients::Clients;
use crate::sim::world::{World, at};

/// After healing: reads every message at both boxes, byte for byte.
///
/// # Errors
/// The broken promise.
pub fn check(world: &World) -> Result<(), String> {
    for side in Side::BOTH {
        let found = found(world, side)?;
        for delivery in world.clients.delivered.keys() {
            if world.clients.removals.contains(&delivery.number) {
                continue;
            }
            match found.get(&(delivery.number, delivery.account)).copied().unwrap_or(0) {
                0 => {
                    return Err(format!("P1: {delivery:?} was acknowledged and is lost at {side}"));
                }
                1 => {}
                _ if world.clients.copied.contains(&delivery.number) => {}
                n => return Err(format!("P1: {delivery:?} is there {n} times at {side}")),
            }
        }
    }
    Ok(())
}

/// How often each delivery is there.
fn found(world: &World, side: Side) -> Result<BTreeMap<(u64, AccountId), usize>, String> {
    let core = world.boxes[at(side)].core.as_ref().ok_or("a box is down")?;
    let mut found = BTreeMap::new();
    for mailbox in core.index().mailboxes_all().map_err(|e| e.to_string())? {
        for row in core.index().messages(mailbox.id).map_err(|e| e.to_string())? {
            let bytes = super::read(core, row.body)?;
            let number = Clients::number(&bytes).ok_or("P1: a message that nobody sent")?;
            if bytes != Clients::message(number) {
                return Err(format!("P1: message {number} was altered at {side}"));
            }
            *found.entry((number, mailbox.account)).or_default() += 1;
        }
    }
    Ok(found)
}
