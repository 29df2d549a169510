//! Which rows changed lately, so that whoever keeps a mailbox's rows need not read all of them again.
//! In memory and bounded; a process that has just started knows of nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::{EntryId, MailboxId, Uid};

use crate::apply::RowsChanged;
use crate::limits::RECENT_ROWS_MAX;

#[derive(Default)]
pub(crate) struct Recent {
    mailboxes: BTreeMap<MailboxId, VecDeque<RowsChanged>>,
    /// The mailboxes in order of their changes.
    order: VecDeque<MailboxId>,
    rows: usize,
}

impl Recent {
    pub(crate) fn add(&mut self, changed: BTreeMap<MailboxId, RowsChanged>) {
        for (mailbox, step) in changed {
            self.rows += step.rows.len();
            self.order.push_back(mailbox);
            self.mailboxes.entry(mailbox).or_default().push_back(step);
        }
        while self.rows > RECENT_ROWS_MAX {
            let Some(mailbox) = self.order.pop_front() else { return };
            let Some(steps) = self.mailboxes.get_mut(&mailbox) else { continue };
            self.rows -= steps.pop_front().map_or(0, |step| step.rows.len());
            if steps.is_empty() {
                self.mailboxes.remove(&mailbox);
            }
        }
    }

    /// The version up to which the changes are known, and the rows that changed after `since`; none when
    /// not all of them are known any more.
    pub(crate) fn since(
        &self,
        mailbox: MailboxId,
        since: u64,
    ) -> Option<(u64, BTreeSet<(Uid, EntryId)>)> {
        let steps = self.mailboxes.get(&mailbox)?;
        let (first, last) = (steps.front()?.version, steps.back()?.version);
        if since + 1 < first || since > last {
            return None;
        }
        let later = steps.iter().filter(|step| step.version > since);
        Some((last, later.flat_map(|step| step.rows.iter().copied()).collect()))
    }
}
