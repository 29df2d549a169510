//! Flags: of each flag the latest change decides, so that concurrent changes of different flags both hold.

use record::op::Stamp;
use record::{Flag, FlagChange, MailboxId};

use super::Batch;
use crate::error::Error;
use crate::rows::{EntryRow, FlagState};

impl Batch<'_> {
    pub(super) fn flags(
        &mut self,
        mailbox: MailboxId,
        changes: &[FlagChange],
        stamp: &Stamp,
    ) -> Result<(), Error> {
        for change in changes {
            self.note_modseq(mailbox, change.modseq)?;
            self.change_entry(change.entry, |row| {
                row.modseq = row.modseq.max(change.modseq);
                for flag in &change.set {
                    turn(row, flag, true, stamp);
                }
                for flag in &change.clear {
                    turn(row, flag, false, stamp);
                }
            })?;
        }
        Ok(())
    }
}

/// Flag names differ by more than case (RFC 9051 §2.3.2).
fn turn(row: &mut EntryRow, flag: &Flag, set: bool, stamp: &Stamp) {
    let key = flag.to_ascii_lowercase();
    let older = row.changes.get(&key).is_some_and(|known| known.stamp.later_than(stamp));
    if !older {
        row.changes.insert(key, FlagState { name: flag.clone(), set, stamp: stamp.clone() });
    }
}
