//! Two mailboxes of one name become one: its entries go on in the other, under ids that follow from their
//! own.
//!
//! A join is a MOVE whose new entry has such an id ([`joined_id`]); that is how it is told from a client's
//! MOVE. Both boxes may write it without hearing each other: it is the same new entry. And what came
//! across it is not lost, because the old entry passes on what arrives for it:
//!
//! | for the old entry, concurrent with the join | the new entry |
//! |---|---|
//! | flags | has them, each by its latest stamp |
//! | an expunge, a client's MOVE | is expunged, too |
//! | a deletion of the old mailbox | stays: when in doubt, mail lives |
//! | another join, to another mailbox | a second copy, until those two mailboxes are joined |
//!
//! The new entry has what all its predecessors have, so the order of arrival does not matter.

use std::collections::BTreeSet;

use record::{Address, EntryId, MailboxId, Op};
use sha2::{Digest, Sha256};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::rows::{EntryRow, TouchKind, load};
use crate::tables::Table;

/// The id under which the entry that began as `root` goes on in `mailbox`; `number` counts the times that
/// it came there. The upper half tells of the root, so that a join is known for one.
pub(crate) fn joined_id(root: EntryId, mailbox: MailboxId, number: u32) -> EntryId {
    let lower = half(&[
        b"joined into",
        &root.0.to_be_bytes(),
        &mailbox.0.to_be_bytes(),
        &number.to_be_bytes(),
    ]);
    EntryId(u128::from(mark(root)) << 64 | u128::from(lower))
}

fn mark(root: EntryId) -> u64 {
    half(&[b"joined from", &root.0.to_be_bytes()])
}

fn half(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let hash: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(*hash.first_chunk().expect("32 bytes begin with 8"))
}

impl Batch<'_> {
    /// Whichever it is, a client's or a join: a new entry and the end of the old.
    pub(super) fn move_entry(&mut self, at: Address, op: &Op) -> Result<(), Error> {
        let Op::Move { entry, uid, modseq, from, from_mailbox, from_modseq } = op else {
            return Ok(());
        };
        self.place(at, entry, *uid, *modseq)?;
        let old = self.entry_row(*from)?;
        let root = old.root.unwrap_or(*from);
        if (entry.entry.0 >> 64) as u64 != mark(root) || entry.entry == *from {
            return self.expunge(at, *from_mailbox, &[*from], *from_modseq);
        }
        let note = self.note(at, *from_mailbox, *from_modseq, TouchKind::Join)?;
        self.change_entry(*from, |row| {
            note.on(row);
            row.left.insert(at.writer, at.index + 1);
            row.became.insert(entry.entry);
        })?;
        self.change_entry(entry.entry, |row| row.root = Some(root))?;
        self.pass_on(*from)
    }

    /// Gives what an entry has to those that it became.
    pub(super) fn pass_on(&mut self, entry: EntryId) -> Result<(), Error> {
        let mut done = BTreeSet::from([entry]);
        let mut next = vec![entry];
        while let Some(from) = next.pop() {
            let row = self.entry_row(from)?;
            for heir in &row.became {
                if done.insert(*heir) {
                    self.change_entry(*heir, |new| new.inherit(&row))?;
                    next.push(*heir);
                }
            }
        }
        Ok(())
    }

    fn entry_row(&self, entry: EntryId) -> Result<EntryRow, Error> {
        Ok(load(self.tables, Table::Entries, &keys::entry(entry))?.unwrap_or_default())
    }
}
