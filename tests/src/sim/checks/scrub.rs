//! P9: bytes rotten on one disk are found by the scrub and mended from the peer.

use record::{Address, Op, Side};

use super::Broken;
use crate::sim::world::{World, at};

/// Every record can be read at both boxes, and is the same, or reclaimed.
pub fn check(world: &World) -> Result<Broken, String> {
    let mut broken = Broken::new();
    let [a, b] = Side::BOTH.map(|side| world.boxes[at(side)].core.as_ref());
    let (Some(a), Some(b)) = (a, b) else { return Err("P6: a box is down".into()) };
    for (writer, count) in a.log().vector() {
        let mut index = 0;
        while index < count {
            let address = Address { writer, index };
            let mut next = index + 1;
            let mut whole = Vec::new();
            for (side, core) in [(Side::A, a), (Side::B, b)] {
                let frame = core.log().frame_of(address).map_err(|e| e.to_string());
                match frame.and_then(|f| record::decode(&f).map_err(|e| e.to_string())) {
                    Ok(record) => whole.push(record),
                    Err(error) => broken.push(format!("P9: at {side}: {error}")),
                }
            }
            if let [a, b] = &whole[..] {
                let is_gap = |record: &record::Record| matches!(record.op, Op::Gap { .. });
                if !is_gap(a) && !is_gap(b) && a != b {
                    broken.push(format!("P9: {address:?} is not the same on both disks"));
                }
                // Both have reclaimed it: on behind the shorter gap.
                next = (a.index + a.op.count()).min(b.index + b.op.count()).max(next);
            }
            index = next;
        }
        let hashes = [a, b].map(|core| core.log().running_hash(writer, count));
        if hashes[0] != hashes[1] {
            broken.push(format!("P9: the journals of {writer:?} are not the same: {hashes:?}"));
        }
    }
    Ok(broken)
}
