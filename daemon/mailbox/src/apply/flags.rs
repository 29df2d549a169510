//! Flags: of each flag the latest change decides, so that concurrent changes of different flags both hold.
//! A change of no flag at all gives the entry a MODSEQ and nothing else (`touch`).

use record::op::Stamp;
use record::{Address, Flag, FlagChange, MailboxId};

use super::Batch;
use crate::error::Error;
use crate::rows::{EntryRow, FlagState, TouchKind};

impl Batch<'_> {
    pub(super) fn flags(
        &mut self,
        at: Address,
        mailbox: MailboxId,
        changes: &[FlagChange],
        stamp: &Stamp,
    ) -> Result<(), Error> {
        for change in changes {
            let is_change = !(change.set.is_empty() && change.clear.is_empty());
            let kind = if is_change { TouchKind::Change } else { TouchKind::Stamp };
            let note = self.note(at, mailbox, change.modseq, kind)?;
            let became = self.change_entry(change.entry, |row| {
                note.on(row);
                for flag in &change.set {
                    turn(row, flag, true, stamp);
                }
                for flag in &change.clear {
                    turn(row, flag, false, stamp);
                }
            })?;
            if became {
                self.pass_on(change.entry)?;
            }
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
