//! P2: both boxes converge to equal state.

use record::Side;

use crate::sim::world::{World, at};

/// After healing.
///
/// # Errors
/// The broken promise.
pub fn check(world: &World) -> Result<(), String> {
    let mut digests = Vec::new();
    for side in Side::BOTH {
        let core = world.boxes[at(side)].core.as_ref().ok_or("a box is down")?;
        let mailbox = core.index().digest().map_err(|e| e.to_string())?;
        let users = core.users().digest().map_err(|e| e.to_string())?;
        let hidden = core.index().overtaken(1).map_err(|e| e.to_string())?;
        if !hidden.is_empty() {
            return Err(format!("P2: {hidden:?} is still hidden at {side}"));
        }
        digests.push((core.log().vector(), mailbox, users));
    }
    let [a, b] = &digests[..] else { return Err("two boxes".into()) };
    if a.0 != b.0 {
        return Err(format!("P2: the journals differ: {:?} / {:?}", a.0, b.0));
    }
    if (a.1, a.2) != (b.1, b.2) {
        return Err("P2: equal journals, different state".into());
    }
    Ok(())
}
