//! P4: at one box, no client sees a new message at a UID below the UIDNEXT that it was told. UIDNEXT and
//! HIGHESTMODSEQ never fall (RFC 3501 §2.3.1.1, RFC 7162 §3.1.1).

use std::collections::{BTreeMap, BTreeSet};

use record::{MailboxId, ModSeq, Side, Uid};

use super::{Broken, View};

#[derive(Default)]
struct Told {
    next: Uid,
    highest_modseq: ModSeq,
    shown: BTreeSet<Uid>,
}

#[derive(Default)]
pub struct UidNext {
    told: BTreeMap<(Side, MailboxId), Told>,
}

impl UidNext {
    pub fn observe(&mut self, view: &View<'_>) -> Broken {
        let mut broken = Broken::new();
        let View { side, mailbox, rows } = view;
        let told = self.told.entry((*side, mailbox.id)).or_default();
        for row in *rows {
            if row.uid < told.next && !told.shown.contains(&row.uid) {
                broken.push(format!(
                    "P4: {:?} at UID {:#x} of {}, below UIDNEXT {:#x} at {side}",
                    row.entry, row.uid.0, mailbox.name, told.next.0
                ));
            }
            if row.uid >= mailbox.uid_next {
                broken.push(format!(
                    "P4: UID {:#x} of {} is not below its UIDNEXT {:#x} at {side}",
                    row.uid.0, mailbox.name, mailbox.uid_next.0
                ));
            }
            told.shown.insert(row.uid);
        }
        if mailbox.uid_next < told.next {
            broken.push(format!(
                "P4: UIDNEXT of {} was {:#x}, is {:#x} at {side}",
                mailbox.name, told.next.0, mailbox.uid_next.0
            ));
        }
        if mailbox.highest_modseq < told.highest_modseq {
            broken.push(format!(
                "P4: HIGHESTMODSEQ of {} was {:#x}, is {:#x} at {side}",
                mailbox.name, told.highest_modseq.0, mailbox.highest_modseq.0
            ));
        }
        told.next = told.next.max(mailbox.uid_next);
        told.highest_modseq = told.highest_modseq.max(mailbox.highest_modseq);
        broken
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.told.retain(|(of, _), _| *of != side);
    }
}
