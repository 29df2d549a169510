//! The end of entries: one by one, or with their mailbox. It is for ever, whatever arrives later.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use record::{Address, EntryId, MailboxId, ModSeq};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::rows::{PlacementRow, TouchKind, decode, key_part};
use crate::tables::Table;

impl Batch<'_> {
    pub(super) fn expunge(
        &mut self,
        at: Address,
        mailbox: MailboxId,
        entries: &[EntryId],
        modseq: ModSeq,
    ) -> Result<(), Error> {
        let note = self.note(at, mailbox, modseq, TouchKind::Change)?;
        for entry in entries {
            let became = self.change_entry(*entry, |row| {
                note.on(row);
                row.ended.insert(at.writer, at.index + 1);
            })?;
            if became {
                self.pass_on(*entry)?;
            }
        }
        Ok(())
    }

    /// Ends exactly the entries that the writer held. Everything it held has been applied, so the set
    /// is complete now; an entry that it did not hold lives on, and the mailbox with it.
    pub(super) fn delete_mailbox(&mut self, at: Address, mailbox: MailboxId) -> Result<(), Error> {
        let seen = self.writer(at.writer)?.seen.clone();
        let mut held = BTreeSet::new();
        self.tables.under(Table::Placements, &keys::mailbox(mailbox), &mut |key, bytes| {
            let placed = key_part(Table::Placements, keys::split_placement(key))?;
            if placed.writer == at.writer || seen.saw(placed.writer, placed.index) {
                held.insert(decode::<PlacementRow>(Table::Placements, bytes)?.entry);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for entry in held {
            self.change_entry(entry, |row| {
                row.left.insert(at.writer, at.index + 1);
            })?;
        }
        let mut row = self.box_row(mailbox)?;
        row.deleted = true;
        self.put_box(mailbox, &row)
    }
}
