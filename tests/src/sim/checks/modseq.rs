//! P4 for flags: whoever asks for what changed since the HIGHESTMODSEQ it was told learns of every change
//! (RFC 7162 §3.1.4): a message whose flags are not as last seen has a MODSEQ above it.

use std::collections::BTreeMap;

use record::{Flag, MailboxId, ModSeq, Side, Uid};

use super::{Broken, View};

#[derive(Default)]
struct Cache {
    highest_modseq: ModSeq,
    flags: BTreeMap<Uid, Vec<Flag>>,
}

#[derive(Default)]
pub struct ModSeqs {
    caches: BTreeMap<(Side, MailboxId), Cache>,
}

impl ModSeqs {
    pub fn observe(&mut self, view: &View<'_>) -> Broken {
        let mut broken = Broken::new();
        let cache = self.caches.entry((view.side, view.mailbox.id)).or_default();
        let mut flags = BTreeMap::new();
        for row in view.rows {
            let known = cache.flags.get(&row.uid);
            if known.is_some_and(|known| *known != row.flags) && row.modseq <= cache.highest_modseq
            {
                broken.push(format!(
                    "P4: {:?} of {} changed its flags at MODSEQ {:#x}, HIGHESTMODSEQ was {:#x} at {}",
                    row.entry, view.mailbox.name, row.modseq.0, cache.highest_modseq.0, view.side
                ));
            }
            flags.insert(row.uid, row.flags.clone());
        }
        cache.flags = flags;
        cache.highest_modseq = cache.highest_modseq.max(view.mailbox.highest_modseq);
        broken
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.caches.retain(|(of, _), _| *of != side);
    }
}
