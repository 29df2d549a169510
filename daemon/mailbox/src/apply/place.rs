//! Placements: an entry gets a UID, and others may be overtaken by it.
//!
//! `model/pair.py` of the design says when a placement is hidden (`overtaken`): while another entry has a
//! concurrent placement at a higher UID in the same mailbox. Whoever asks of each pair once, when its
//! later half arrives, needs no order: arrival is causally closed, so nothing that came before a
//! placement has seen it, and only what its own writer had not seen is concurrent with it.
//!
//! The records of one writer that a vector leaves out are a suffix, and a writer's UIDs in a mailbox
//! rise. So both questions have short answers, and a thousand concurrent placements on either side do
//! not cost a million steps:
//!
//! | question about the new placement | answered by |
//! |---|---|
//! | does anything overtake it? | the latest placements of each other writer |
//! | what does it overtake? | the beginning of that suffix; each falls out of `fresh` once and for all |
//!
//! A mailbox in which some writer's UIDs did not rise (no sound box does that) gets the same answers,
//! slowly.

use std::ops::ControlFlow;

use record::{Address, Entry, EntryId, MailboxId, ModSeq, Uid, Writer};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::rows::{Latest, Place, PlacementRow, TouchKind, decode, encode};
use crate::tables::{Order, Table};

impl Batch<'_> {
    pub(super) fn place(
        &mut self,
        at: Address,
        entry: &Entry,
        uid: Uid,
        modseq: ModSeq,
    ) -> Result<(), Error> {
        let new = Placement { mailbox: entry.mailbox, at, uid, entry: entry.entry };
        let overtaken = self.overtake(&new)?;
        self.note_placement(&new)?;
        self.note_lane(at.writer, entry.mailbox, uid, modseq)?;
        let note = self.note(at, entry.mailbox, modseq, TouchKind::Change)?;
        self.change_entry(entry.entry, |row| {
            note.on(row);
            // The highest placement is the entry's place; the writer decides only what cannot happen.
            if row.place.as_ref().is_none_or(|old| (old.uid, old.at) < (uid, at)) {
                row.place = Some(Place { entry: entry.clone(), uid, at, overtaken });
            }
        })?;
        Ok(())
    }

    /// Hides what the new placement overtakes; tells whether it is itself overtaken.
    fn overtake(&mut self, new: &Placement) -> Result<bool, Error> {
        let others: Vec<(Writer, Latest)> = self
            .tally(new.mailbox)?
            .latest
            .iter()
            .filter(|(writer, _)| **writer != new.at.writer)
            .map(|(writer, latest)| (*writer, *latest))
            .collect();
        let mut overtaken = false;
        for (writer, latest) in others {
            let held = self.writer(new.at.writer)?.seen.0.get(&writer).copied().unwrap_or(0);
            if latest.index < held {
                continue;
            }
            let rival = Rival { from: Address { writer, index: held }, rising: latest.rising };
            overtaken = overtaken || self.is_overtaken(new, &rival)?;
            for entry in self.overtaken_by(new, &rival)? {
                self.change_entry(entry, |row| {
                    if let Some(place) = &mut row.place {
                        place.overtaken = true;
                    }
                })?;
            }
        }
        Ok(overtaken)
    }

    /// Has the rival placed another entry above the new one?
    fn is_overtaken(&self, new: &Placement, rival: &Rival) -> Result<bool, Error> {
        let mut found = false;
        self.rival_placements(
            Table::Placements,
            new,
            rival,
            Order::Descending,
            &mut |placement| {
                found = found || (placement.uid > new.uid && placement.entry != new.entry);
                found || (rival.rising && placement.uid <= new.uid)
            },
        )?;
        Ok(found)
    }

    /// The rival's entries that were seen until now, under UIDs below the new one.
    fn overtaken_by(&self, new: &Placement, rival: &Rival) -> Result<Vec<EntryId>, Error> {
        let mut below = Vec::new();
        self.rival_placements(Table::Fresh, new, rival, Order::Ascending, &mut |placement| {
            if placement.uid < new.uid && placement.entry != new.entry {
                below.push(placement.entry);
            }
            rival.rising && placement.uid >= new.uid
        })?;
        Ok(below)
    }

    /// Visits the rival's placements that are concurrent with the new one, until `done` says true.
    fn rival_placements(
        &self,
        table: Table,
        new: &Placement,
        rival: &Rival,
        order: Order,
        done: &mut dyn FnMut(PlacementRow) -> bool,
    ) -> Result<(), Error> {
        let last = Address { index: u64::MAX, ..rival.from };
        let keys = (keys::placement(new.mailbox, rival.from), keys::placement(new.mailbox, last));
        self.tables.range(table, &keys.0, &keys.1, order, &mut |_, bytes| {
            let placement = decode(table, bytes)?;
            Ok(if done(placement) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }

    fn note_placement(&mut self, new: &Placement) -> Result<(), Error> {
        let row = PlacementRow { uid: new.uid, entry: new.entry };
        self.tables.put(Table::Placements, &keys::placement(new.mailbox, new.at), &encode(&row))?;
        let tally = self.tally(new.mailbox)?;
        tally.top_uid = tally.top_uid.max(new.uid);
        let before = tally.latest.get(&new.at.writer);
        let rising = before.is_none_or(|latest| latest.rising && latest.uid < new.uid);
        tally.latest.insert(new.at.writer, Latest { index: new.at.index, uid: new.uid, rising });
        Ok(())
    }
}

struct Placement {
    mailbox: MailboxId,
    at: Address,
    uid: Uid,
    entry: EntryId,
}

/// The records of one other writer that the new placement's writer had not seen.
struct Rival {
    from: Address,
    rising: bool,
}
