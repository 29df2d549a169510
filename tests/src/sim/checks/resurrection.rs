//! P5: an expunged message does not come back; a flag change is not silently undone.

use std::collections::BTreeSet;

use mailbox::Index;
use record::{EntryId, Side};

use super::{Broken, View};
use crate::sim::world::{World, at};

/// What the clients of each box saw going.
#[derive(Default)]
pub struct Resurrection {
    gone: BTreeSet<(Side, EntryId)>,
}

impl Resurrection {
    pub fn observe(
        &mut self,
        view: &View<'_>,
        index: &Index,
        vanished: &[EntryId],
    ) -> Result<Broken, String> {
        let mut broken = Broken::new();
        let View { side, mailbox, rows } = view;
        for row in *rows {
            if self.gone.contains(&(*side, row.entry)) {
                broken.push(format!("P5: {:?} came back in {} at {side}", row.entry, mailbox.name));
            }
        }
        for entry in vanished {
            let state = index.entry(*entry).map_err(|e| e.to_string())?;
            // Otherwise it was overtaken, and comes back under a higher UID.
            if state.is_some_and(|state| state.expunged) {
                self.gone.insert((*side, *entry));
            }
        }
        Ok(broken)
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.gone.retain(|(of, _)| *of != side);
    }
}

/// What was acknowledged as expunged is gone; each flag, which nobody set twice, is as it was asked.
pub fn check(world: &World) -> Result<Broken, String> {
    let mut broken = Broken::new();
    let clients = &world.clients;
    for side in Side::BOTH {
        let core = world.boxes[at(side)].core.as_ref().ok_or("P6: a box is down")?;
        let entry = |id: EntryId| core.index().entry(id).map_err(|e| e.to_string());
        for id in clients.expunged.keys() {
            if entry(*id)?.is_some_and(|state| !state.expunged) {
                broken.push(format!("P5: {id:?} was expunged and is back at {side}"));
            }
        }
        for (id, flag) in clients.flags_set.keys() {
            let set = entry(*id)?.is_none_or(|e| e.expunged || e.flags.contains(flag));
            if !set && !clients.asked_cleared.contains(&(*id, flag.clone())) {
                broken.push(format!("P5: {id:?} lost its flag {flag} at {side}"));
            }
        }
        for (id, flag) in clients.flags_cleared.keys() {
            if entry(*id)?.is_some_and(|e| !e.expunged && e.flags.contains(flag)) {
                broken.push(format!("P5: {id:?} got its flag {flag} back at {side}"));
            }
        }
    }
    Ok(broken)
}
