//! What the clients of each box have in their caches: the messages of each mailbox as last seen.

use std::collections::{BTreeMap, BTreeSet};

use record::{EntryId, MailboxId, Side};

use super::View;

#[derive(Default)]
pub struct History {
    seen: BTreeMap<(Side, MailboxId), BTreeSet<EntryId>>,
}

impl History {
    /// Takes in what a client sees now; what it saw before and does not see any more.
    pub fn look(&mut self, view: &View<'_>) -> Vec<EntryId> {
        let now: BTreeSet<EntryId> = view.rows.iter().map(|row| row.entry).collect();
        let before = self.seen.entry((view.side, view.mailbox.id)).or_default();
        let vanished = before.difference(&now).copied().collect();
        *before = now;
        vanished
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.seen.retain(|(of, _), _| *of != side);
    }
}
