//! P3: (mailbox, UIDVALIDITY, UID) never names two messages, at any box, ever; UIDVALIDITY never changes.

use std::collections::BTreeMap;

use record::{EntryId, MailboxId, Uid};

use super::{Broken, View};

/// Everything any client of any box was ever shown. No disk's loss takes anything out of it.
#[derive(Default)]
pub struct Identity {
    entries: BTreeMap<(MailboxId, Uid), EntryId>,
    uid_validities: BTreeMap<MailboxId, u32>,
}

impl Identity {
    pub fn observe(&mut self, view: &View<'_>) -> Broken {
        let mut broken = Broken::new();
        let View { side, mailbox, rows } = view;
        let first = *self.uid_validities.entry(mailbox.id).or_insert(mailbox.uid_validity);
        if first != mailbox.uid_validity {
            broken.push(format!(
                "P3: UIDVALIDITY of {} was {first}, is {} at {side}",
                mailbox.name, mailbox.uid_validity
            ));
        }
        for row in *rows {
            let first = *self.entries.entry((mailbox.id, row.uid)).or_insert(row.entry);
            if first != row.entry {
                broken.push(format!(
                    "P3: UID {:#x} of {} was {first:?}, is {:?} at {side}",
                    row.uid.0, mailbox.name, row.entry
                ));
            }
        }
        broken
    }
}
