//! P5: an expunged message does not come back; a flag change is not silently undone.

use std::collections::BTreeSet;

use mailbox::{Index, Mailbox, Row};
use record::{EntryId, Side};

use crate::sim::world::{World, at};

/// What the clients of each box saw going.
#[derive(Default)]
pub struct Resurrection {
    shown: BTreeSet<(Side, EntryId)>,
    gone: BTreeSet<(Side, EntryId)>,
}

impl Resurrection {
    pub fn observe(
        &mut self,
        side: Side,
        mailbox: &Mailbox,
        rows: &[Row],
        index: &Index,
    ) -> Result<(), String> {
        for row in rows {
            if self.gone.contains(&(side, row.entry)) {
                return Err(format!("P5: {:?} came back in {} at {side}", row.entry, mailbox.name));
            }
            self.shown.insert((side, row.entry));
        }
        for (of, entry) in self.shown.iter().filter(|(of, _)| *of == side) {
            let state = index.entry(*entry).map_err(|e| e.to_string())?;
            if state.is_some_and(|state| state.expunged) {
                self.gone.insert((*of, *entry));
            }
        }
        Ok(())
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.shown.retain(|(of, _)| *of != side);
        self.gone.retain(|(of, _)| *of != side);
    }
}

/// After healing: what was acknowledged as expunged is gone, what was flagged is flagged.
///
/// # Errors
/// The broken promise.
pub fn check(world: &World) -> Result<(), String> {
    for side in Side::BOTH {
        let core = world.boxes[at(side)].core.as_ref().ok_or("a box is down")?;
        for entry in world.clients.expunged.keys() {
            let state = core.index().entry(*entry).map_err(|e| e.to_string())?;
            if state.is_some_and(|state| !state.expunged) {
                return Err(format!("P5: {entry:?} was expunged and is back at {side}"));
            }
        }
        for (entry, flag) in world.clients.flagged.keys() {
            let state = core.index().entry(*entry).map_err(|e| e.to_string())?;
            if let Some(state) = state
                && !state.expunged
                && !state.flags.contains(flag)
            {
                return Err(format!("P5: {entry:?} lost its flag {flag} at {side}"));
            }
        }
    }
    Ok(())
}
