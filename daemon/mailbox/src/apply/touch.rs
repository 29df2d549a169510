//! MODSEQs that are overtaken: a client that was told a higher one would never ask for the change.
//!
//! A touch is a record that gives an entry a MODSEQ. It is overtaken when a concurrent record in the same
//! mailbox has a MODSEQ that is not lower. (Of one writer the highest so far counts, which is the record's
//! own for every sound writer.) Only touches that no later touch of the entry has seen matter: who has
//! seen a change has stamped the entry above it. So an entry keeps at most one for each writer, and it
//! must be stamped again while one of those is overtaken: any touch will do, a record of flags that
//! changes none is meant for it.
//!
//! As with placements (`place`), each pair is looked at once, when its later half arrives.

use std::ops::ControlFlow;

use record::op::Seen;
use record::{Address, EntryId, MailboxId, ModSeq, Uid, Writer};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::rows::{EntryRow, LatestModSeq, Touch, TouchKind, decode, encode, key_part};
use crate::tables::{Order, Table};

/// One record's MODSEQ, to be left on each entry that it touches.
pub(super) struct Note {
    writer: Writer,
    seen: Seen,
    touch: Touch,
}

impl Note {
    pub(super) fn on(&self, row: &mut EntryRow) {
        row.modseq = row.modseq.max(self.touch.modseq);
        row.touches.retain(|writer, touch| !self.seen.saw(*writer, touch.index));
        row.touches.insert(self.writer, self.touch);
    }
}

impl Batch<'_> {
    pub(super) fn note(
        &mut self,
        at: Address,
        mailbox: MailboxId,
        modseq: ModSeq,
        kind: TouchKind,
    ) -> Result<Note, Error> {
        self.note_lane(at.writer, mailbox, Uid(0), modseq)?;
        let seen = self.writer(at.writer)?.seen.clone();
        let tally = self.tally(mailbox)?;
        tally.top_modseq = tally.top_modseq.max(modseq);
        let rivals: Vec<(Writer, LatestModSeq)> = tally
            .stamps
            .iter()
            .filter(|(writer, latest)| **writer != at.writer && !seen.saw(**writer, latest.index))
            .map(|(writer, latest)| (*writer, *latest))
            .collect();
        let own = tally.stamps.entry(at.writer).or_insert(LatestModSeq {
            index: at.index,
            modseq,
            rising: true,
        });
        own.rising &= own.modseq <= modseq;
        own.modseq = own.modseq.max(modseq);
        own.index = at.index;
        let highest = own.modseq;
        for (writer, latest) in &rivals {
            let from = seen.0.get(writer).copied().unwrap_or(0);
            let from = Address { writer: *writer, index: from };
            self.overtake_touches(mailbox, from, latest.rising, highest)?;
        }
        let overtaken = rivals.iter().any(|(_, latest)| latest.modseq >= modseq);
        let touch = Touch { index: at.index, mailbox, modseq, kind, overtaken };
        Ok(Note { writer: at.writer, seen, touch })
    }

    /// Marks the rival's touches from `from` on that are not above `highest`.
    fn overtake_touches(
        &mut self,
        mailbox: MailboxId,
        from: Address,
        rising: bool,
        highest: ModSeq,
    ) -> Result<(), Error> {
        let last = Address { index: u64::MAX, ..from };
        let first = keys::touch(mailbox, from, EntryId(0));
        let last = keys::touch(mailbox, last, EntryId(u128::MAX));
        let mut found = Vec::new();
        self.tables.range(Table::Touched, &first, &last, Order::Ascending, &mut |key, bytes| {
            let modseq: ModSeq = decode(Table::Touched, bytes)?;
            if modseq <= highest {
                found.push(EntryId(key_part(Table::Touched, keys::last_id(key))?));
            } else if rising {
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for entry in found {
            self.change_entry(entry, |row| {
                if let Some(touch) = row.touches.get_mut(&from.writer) {
                    touch.overtaken = true;
                }
            })?;
        }
        Ok(())
    }

    /// Keeps the tables that find touches.
    pub(super) fn show_touches(
        &mut self,
        entry: EntryId,
        before: &EntryRow,
        after: &EntryRow,
    ) -> Result<(), Error> {
        if before.touches != after.touches {
            for (writer, touch) in before.touches.iter().filter(|(_, touch)| !touch.overtaken) {
                if after.touches.get(writer) != Some(touch) {
                    self.tables.remove(Table::Touched, &key(entry, *writer, touch))?;
                }
            }
            for (writer, touch) in after.touches.iter().filter(|(_, touch)| !touch.overtaken) {
                if before.touches.get(writer) != Some(touch) {
                    let key = key(entry, *writer, touch);
                    self.tables.put(Table::Touched, &key, &encode(&touch.modseq))?;
                }
            }
        }
        let keys = [before, after].map(|row| stale_key(entry, row));
        if keys[0] != keys[1] {
            let [old, new] = keys;
            if let Some((table, key)) = old {
                self.tables.remove(table, &key)?;
            }
            if let Some((table, key)) = new {
                self.tables.put(table, &key, &[])?;
            }
        }
        Ok(())
    }
}

fn key(entry: EntryId, writer: Writer, touch: &Touch) -> Vec<u8> {
    keys::touch(touch.mailbox, Address { writer, index: touch.index }, entry)
}

/// An entry that became others stands apart from those of its mailbox: what is to be stamped then shows in
/// other mailboxes, and they live on when this one's account is removed.
fn stale_key(entry: EntryId, row: &EntryRow) -> Option<(Table, Vec<u8>)> {
    let touch = row.touches.values().next().filter(|_| row.stale())?;
    Some(if row.became.is_empty() {
        (Table::Stale, keys::stale(touch.mailbox, entry))
    } else {
        (Table::StaleHeirs, keys::entry(entry).to_vec())
    })
}
