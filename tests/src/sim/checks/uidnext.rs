//! P4: at one box, no client sees a new message at a UID below the UIDNEXT that it was told.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::{Mailbox, Row};
use record::{MailboxId, Side, Uid};

#[derive(Default)]
pub struct UidNext {
    told: BTreeMap<(Side, MailboxId), (Uid, BTreeSet<Uid>)>,
}

impl UidNext {
    pub fn observe(&mut self, side: Side, mailbox: &Mailbox, rows: &[Row]) -> Result<(), String> {
        let (next, shown) = self.told.entry((side, mailbox.id)).or_default();
        for row in rows {
            if row.uid < *next && !shown.contains(&row.uid) {
                return Err(format!(
                    "P4: {:?} at UID {:#x} of {}, below UIDNEXT {:#x} at {side}",
                    row.entry, row.uid.0, mailbox.name, next.0
                ));
            }
            if row.uid >= mailbox.uid_next {
                return Err(format!(
                    "P4: UID {:#x} of {} is not below its UIDNEXT {:#x} at {side}",
                    row.uid.0, mailbox.name, mailbox.uid_next.0
                ));
            }
            shown.insert(row.uid);
        }
        *next = (*next).max(mailbox.uid_next);
        Ok(())
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.told.retain(|(of, _), _| *of != side);
    }
}
