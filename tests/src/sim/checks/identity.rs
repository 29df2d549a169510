//! P3: (mailbox, UIDVALIDITY, UID) never names two messages, at any box, ever; UIDVALIDITY never changes.

use std::collections::BTreeMap;

use mailbox::{Mailbox, Row};
use record::{EntryId, MailboxId, Side, Uid};

/// Everything any client was ever shown.
#[derive(Default)]
pub struct Identity {
    entries: BTreeMap<(MailboxId, Uid), EntryId>,
    uid_validities: BTreeMap<MailboxId, u32>,
}

impl Identity {
    pub fn observe(&mut self, side: Side, mailbox: &Mailbox, rows: &[Row]) -> Result<(), String> {
        let first = *self.uid_validities.entry(mailbox.id).or_insert(mailbox.uid_validity);
        if first != mailbox.uid_validity {
            return Err(format!(
                "P3: UIDVALIDITY of {} was {first}, is {}",
                mailbox.name, mailbox.uid_validity
            ));
        }
        for row in rows {
            let first = *self.entries.entry((mailbox.id, row.uid)).or_insert(row.entry);
            if first != row.entry {
                return Err(format!(
                    "P3: UID {:#x} of {} was {first:?}, is {:?} at {side}",
                    row.uid.0, mailbox.name, row.entry
                ));
            }
        }
        Ok(())
    }
}
