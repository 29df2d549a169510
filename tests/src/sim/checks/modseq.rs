//! P4 for flags: whoever asks for nothing but what changed since the HIGHESTMODSEQ it was told (RFC 7162
//! §3.1.4) ends up with every message and its flags as they are.
//!
//! A change that came across a split may be shown for a moment under a MODSEQ that the client is past. It
//! is stamped again; when all is quiet, nothing may be missing.

use std::collections::BTreeMap;

use record::{Flag, MailboxId, ModSeq, Side, Uid};

use super::{Broken, View};
use crate::sim::world::{World, at};

/// What such a client has of one mailbox.
#[derive(Clone, Default)]
struct Cache {
    highest_modseq: ModSeq,
    flags: BTreeMap<Uid, Vec<Flag>>,
}

impl Cache {
    /// The client asks what changed since.
    fn fetch(&mut self, view: &View<'_>) {
        for row in view.rows.iter().filter(|row| row.modseq > self.highest_modseq) {
            self.flags.insert(row.uid, row.flags.clone());
        }
        self.highest_modseq = self.highest_modseq.max(view.mailbox.highest_modseq);
    }
}

#[derive(Default)]
pub struct ModSeqs {
    caches: BTreeMap<(Side, MailboxId), Cache>,
}

impl ModSeqs {
    pub fn observe(&mut self, view: &View<'_>) {
        self.caches.entry((view.side, view.mailbox.id)).or_default().fetch(view);
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.caches.retain(|(of, _), _| *of != side);
    }

    /// Each client asks once more; then it must know all there is.
    pub fn check(&self, world: &World) -> Result<Broken, String> {
        let mut broken = Broken::new();
        for ((side, mailbox), cache) in &self.caches {
            let core = world.boxes[at(*side)].core.as_ref().ok_or("P6: a box is down")?;
            let known = core.index().mailbox(*mailbox).map_err(|e| e.to_string())?;
            let Some(mailbox) = &known else { continue };
            let rows = core.index().messages(mailbox.id).map_err(|e| e.to_string())?;
            let mut cache = cache.clone();
            cache.fetch(&View { side: *side, mailbox, rows: &rows });
            for row in rows.iter().filter(|row| cache.flags.get(&row.uid) != Some(&row.flags)) {
                broken.push(format!(
                    "P4: {:?} of {} at {side}, MODSEQ {:#x}: a client that goes by MODSEQ has {:?}, not {:?}",
                    row.entry, mailbox.name, row.modseq.0, cache.flags.get(&row.uid), row.flags
                ));
            }
        }
        Ok(broken)
    }
}
