//! P5: an expunged message does not come back; a flag change is not silently undone.

use std::collections::BTreeSet;

use journal::SimDisk;
use mailbox::Index;
use node::core::Core;
use record::{EntryId, Flag, Side};

use super::log_facts::LogFacts;
use super::{Broken, View};
use crate::sim::world::World;

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

/// What was acknowledged as expunged is gone; each flag, which nobody set twice, is as it was asked; a
/// password that somebody saw and replaced is not in force. So it is with what an entry became as its
/// mailbox was joined to another.
pub fn check(
    world: &World,
    side: Side,
    core: &Core<SimDisk>,
    facts: &LogFacts,
) -> Result<Broken, String> {
    let mut broken = Broken::new();
    let clients = &world.clients;
    let living = |id: &EntryId| living(core, &facts.all_of(world, *id));
    for id in clients.expunged.keys() {
        for (one, _) in living(id)? {
            broken.push(format!("P5: {id:?} was expunged and is back as {one:?} at {side}"));
        }
    }
    for (id, flag) in clients.flags_set.keys() {
        let all = facts.all_of(world, *id);
        let cleared = |one: &EntryId| clients.asked_cleared.contains(&(*one, flag.clone()));
        if all.iter().any(cleared) {
            continue;
        }
        for (one, _) in living(id)?.into_iter().filter(|(_, has)| !has.contains(flag)) {
            broken.push(format!("P5: {id:?} lost its flag {flag} as {one:?} at {side}"));
        }
    }
    for (id, flag) in clients.flags_cleared.keys() {
        for (one, _) in living(id)?.into_iter().filter(|(_, has)| has.contains(flag)) {
            broken.push(format!("P5: {id:?} got its flag {flag} back as {one:?} at {side}"));
        }
    }
    for (id, hash) in clients.passwords_replaced.keys() {
        let account = core.users().account(*id).map_err(|e| e.to_string())?;
        let Some(account) = account.filter(|_| !clients.asked_removed.contains(id)) else {
            continue;
        };
        let in_force = core.users().credentials(&account.address).map_err(|e| e.to_string())?;
        if in_force == Some((*id, hash.clone())) {
            broken.push(format!("P5: the password of {id:?} is again the one replaced at {side}"));
        }
    }
    Ok(broken)
}

/// Those that are not expunged, with their flags.
fn living(
    core: &Core<SimDisk>,
    entries: &BTreeSet<EntryId>,
) -> Result<Vec<(EntryId, Vec<Flag>)>, String> {
    let mut living = Vec::new();
    for id in entries {
        let state = core.index().entry(*id).map_err(|e| e.to_string())?;
        living.extend(state.filter(|state| !state.expunged).map(|state| (*id, state.flags)));
    }
    Ok(living)
}
