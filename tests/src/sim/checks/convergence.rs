//! P2: both boxes converge to equal state.

use mailbox::Index;
use record::Side;

use super::Broken;
use crate::sim::world::{World, at};

pub fn check(world: &World) -> Result<Broken, String> {
    let mut broken = Broken::new();
    let mut states = Vec::new();
    for side in Side::BOTH {
        let core = world.boxes[at(side)].core.as_ref().ok_or("P6: a box is down")?;
        let mailboxes = core.index().digest().map_err(|e| e.to_string())?;
        let users = core.users().digest().map_err(|e| e.to_string())?;
        let hidden = core.index().overtaken(1).map_err(|e| e.to_string())?;
        if !hidden.is_empty() {
            broken.push(format!("P2: {hidden:?} is still hidden at {side}"));
        }
        broken.extend(
            left_to_do(core.index())
                .map_err(|e| e.to_string())?
                .map(|what| format!("P2: {what} at {side}")),
        );
        states.push((core.log().vector(), mailboxes, users));
    }
    let [a, b] = &states[..] else { return Err("there are two boxes".into()) };
    if a.0 != b.0 {
        broken.push(format!("P2: the journals differ: {:?} / {:?}", a.0, b.0));
    } else if (a.1, a.2) != (b.1, b.2) {
        broken.push("P2: equal journals, different state".into());
    }
    Ok(broken)
}

/// What a home should have done by now.
fn left_to_do(index: &Index) -> Result<Option<String>, mailbox::Error> {
    if let Some(join) = index.joinable(1)?.pop() {
        return Ok(Some(format!("{:?} is still not joined to {:?}", join.from, join.to)));
    }
    if let Some(stale) = index.overtaken_modseqs(1)?.pop() {
        return Ok(Some(format!("{:?} are still to be stamped again", stale.entries)));
    }
    Ok(index.to_revive()?.pop().map(|account| format!("{account:?} is still not revived")))
}
