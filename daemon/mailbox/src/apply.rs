//! What each operation does to the tables.
//!
//! Invariant: the result is a function of the set of records. So each operation is a maximum (of UIDs,
//! MODSEQs, stamps), a mark that is never taken back (expunged, deleted, removed), or a question about
//! two records that is asked when the later of them arrives (overtaken). Nothing reads the order of
//! arrival, but for one thing that holds in every order: what a record's writer held was applied before.
//!
//! Absent on purpose: an error about content. A record that makes no sense (flags for an entry that was
//! never placed, a mailbox that was never created) is kept where its other half will find it.

mod expunge;
mod flags;
mod names;
mod place;

use std::collections::{BTreeMap, BTreeSet};

use record::op::Stamp;
use record::{Address, EntryId, MailboxId, ModSeq, Op, Record, Writer};

use crate::error::Error;
use crate::keys;
use crate::rows::{
    AccountRow, BoxRow, EntryRow, PlacementRow, Row, Tally, WriterRow, encode, load,
};
use crate::tables::{Table, TablesMut};

/// Records on their way into the tables, all in one write.
pub(crate) struct Batch<'t> {
    tables: &'t mut dyn TablesMut,
    /// Rows that nearly every record touches, written back once by [`Batch::finish`].
    writers: BTreeMap<Writer, WriterRow>,
    tallies: BTreeMap<MailboxId, Tally>,
    /// Mailboxes whose rows changed.
    rows_changed: BTreeSet<MailboxId>,
    /// Mailboxes of which anything changed that a client can see.
    changed: BTreeSet<MailboxId>,
}

impl<'t> Batch<'t> {
    pub(crate) fn new(tables: &'t mut dyn TablesMut) -> Batch<'t> {
        Batch {
            tables,
            writers: BTreeMap::new(),
            tallies: BTreeMap::new(),
            rows_changed: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    /// A record that is known already changes nothing. One that comes late, from between records that
    /// were applied before it, is not taken: the log never gives one, and what it was concurrent with
    /// cannot be told any more. (The scrub, when it mends such a record, has the index built again.)
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), Error> {
        let writer = self.writer(record.writer)?;
        if record.index < writer.applied {
            tracing::warn!(address = ?record.address(), "a record came again: passed over");
            return Ok(());
        }
        writer.applied = record.index + 1;
        writer.seen.fold(&record.seen);
        let at = record.address();
        let stamp = Stamp { clock: record.clock, writer: record.writer };
        match &record.op {
            Op::Place { entry, uid, modseq } => self.place(at, entry, *uid, *modseq),
            Op::Move { entry, uid, modseq, from, from_mailbox, from_modseq } => {
                self.place(at, entry, *uid, *modseq)?;
                self.expunge(*from_mailbox, &[*from], *from_modseq)
            }
            Op::Flags { mailbox, changes } => self.flags(*mailbox, changes, &stamp),
            Op::Expunge { mailbox, entries, modseq } => self.expunge(*mailbox, entries, *modseq),
            Op::DeleteMailbox { mailbox } => self.delete_mailbox(at, *mailbox),
            Op::CreateMailbox { mailbox, account, name, uid_validity } => {
                self.create_mailbox(*mailbox, *account, name, *uid_validity, stamp)
            }
            Op::RenameMailbox { mailbox, name } => self.rename_mailbox(*mailbox, name, stamp),
            Op::Subscribe { account, name, subscribed } => {
                self.subscribe(*account, name, *subscribed, stamp)
            }
            Op::Floor { account, uid, modseq } => self.change_account(*account, |row| {
                row.floor_uid = row.floor_uid.max(*uid);
                row.floor_modseq = row.floor_modseq.max(*modseq);
            }),
            Op::RemoveAccount { account } => self.remove_account(*account),
            // The user store's, the journal's and the replica's.
            Op::Start
            | Op::Gap { .. }
            | Op::View { .. }
            | Op::Body(_)
            | Op::CreateAccount { .. }
            | Op::SetPassword { .. }
            | Op::MoveHome { .. }
            | Op::Setting { .. } => Ok(()),
        }
    }

    /// Writes back what was held in memory; returns the mailboxes that changed.
    pub(crate) fn finish(mut self) -> Result<BTreeSet<MailboxId>, Error> {
        for mailbox in &self.rows_changed {
            if let Some(tally) = self.tallies.get_mut(mailbox) {
                tally.version += 1;
            }
        }
        for (writer, row) in &self.writers {
            self.tables.put(Table::Writers, &keys::writer(*writer), &encode(row))?;
        }
        for (mailbox, tally) in &self.tallies {
            self.tables.put(Table::Tallies, &keys::mailbox(*mailbox), &encode(tally))?;
        }
        self.changed.append(&mut self.rows_changed);
        Ok(self.changed)
    }

    fn writer(&mut self, writer: Writer) -> Result<&mut WriterRow, Error> {
        use std::collections::btree_map::Entry::{Occupied, Vacant};
        Ok(match self.writers.entry(writer) {
            Occupied(row) => row.into_mut(),
            Vacant(slot) => slot.insert(
                load(self.tables, Table::Writers, &keys::writer(writer))?.unwrap_or_default(),
            ),
        })
    }

    fn tally(&mut self, mailbox: MailboxId) -> Result<&mut Tally, Error> {
        use std::collections::btree_map::Entry::{Occupied, Vacant};
        Ok(match self.tallies.entry(mailbox) {
            Occupied(tally) => tally.into_mut(),
            Vacant(slot) => slot.insert(
                load(self.tables, Table::Tallies, &keys::mailbox(mailbox))?.unwrap_or_default(),
            ),
        })
    }

    fn note_modseq(&mut self, mailbox: MailboxId, modseq: ModSeq) -> Result<(), Error> {
        let tally = self.tally(mailbox)?;
        tally.top_modseq = tally.top_modseq.max(modseq);
        Ok(())
    }

    fn box_row(&self, mailbox: MailboxId) -> Result<BoxRow, Error> {
        Ok(load(self.tables, Table::Boxes, &keys::mailbox(mailbox))?.unwrap_or_default())
    }

    fn put_box(&mut self, mailbox: MailboxId, row: &BoxRow) -> Result<(), Error> {
        self.changed.insert(mailbox);
        self.tables.put(Table::Boxes, &keys::mailbox(mailbox), &encode(row))
    }

    fn change_account(
        &mut self,
        account: record::AccountId,
        change: impl FnOnce(&mut AccountRow),
    ) -> Result<(), Error> {
        let key = keys::account(account);
        let mut row = load(self.tables, Table::Accounts, &key)?.unwrap_or_default();
        change(&mut row);
        self.tables.put(Table::Accounts, &key, &encode(&row))
    }

    /// Changes an entry, and with it whatever table shows it.
    fn change_entry(
        &mut self,
        entry: EntryId,
        change: impl FnOnce(&mut EntryRow),
    ) -> Result<(), Error> {
        let key = keys::entry(entry);
        let before: EntryRow = load(self.tables, Table::Entries, &key)?.unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if let Some(place) = &mut after.place {
            place.overtaken &= !after.expunged;
        }
        if after == before {
            return Ok(());
        }
        self.show(Shown::of(&before).as_ref(), Shown::of(&after).as_ref())?;
        self.tables.put(Table::Entries, &key, &encode(&after))
    }

    /// Takes an entry from where it was seen to where it is to be seen.
    fn show(&mut self, before: Option<&Shown>, after: Option<&Shown>) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        let stays = match (before, after) {
            (Some(before), Some(after)) => before.same_place(after),
            _ => false,
        };
        if let Some(shown) = before {
            if !stays {
                self.withdraw(shown)?;
            }
            self.count(shown, |n| n.saturating_sub(1))?;
        }
        if let Some(shown) = after {
            if !stays {
                self.put_up(shown)?;
            }
            if !shown.hidden {
                self.tables.put(Table::Rows, &shown.row_key(), &encode(&shown.row))?;
            }
            self.count(shown, |n| n + 1)?;
        }
        Ok(())
    }

    fn withdraw(&mut self, shown: &Shown) -> Result<(), Error> {
        if shown.hidden {
            return self.tables.remove(Table::Hidden, &shown.row_key());
        }
        self.tables.remove(Table::Rows, &shown.row_key())?;
        self.tables.remove(Table::Fresh, &shown.placement_key())
    }

    fn put_up(&mut self, shown: &Shown) -> Result<(), Error> {
        if shown.hidden {
            return self.tables.put(Table::Hidden, &shown.row_key(), &[]);
        }
        let placement = PlacementRow { uid: shown.row.uid, entry: shown.row.entry };
        self.tables.put(Table::Fresh, &shown.placement_key(), &encode(&placement))
    }

    fn count(&mut self, shown: &Shown, step: impl Fn(u64) -> u64) -> Result<(), Error> {
        let tally = self.tally(shown.mailbox)?;
        tally.alive = step(tally.alive);
        if !shown.hidden {
            tally.messages = step(tally.messages);
            if shown.unseen {
                tally.unseen = step(tally.unseen);
            }
            self.rows_changed.insert(shown.mailbox);
        }
        Ok(())
    }
}

/// A living, placed entry and where it is seen.
#[derive(PartialEq, Eq)]
struct Shown {
    mailbox: MailboxId,
    at: Address,
    /// Overtaken: seen by nobody.
    hidden: bool,
    unseen: bool,
    row: Row,
}

impl Shown {
    fn of(entry: &EntryRow) -> Option<Shown> {
        let place = entry.place.as_ref().filter(|_| !entry.expunged)?;
        let flags = entry.flags();
        Some(Shown {
            mailbox: place.entry.mailbox,
            at: place.at,
            hidden: place.overtaken,
            unseen: !flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Seen")),
            row: Row {
                uid: place.uid,
                entry: place.entry.entry,
                flags,
                modseq: entry.modseq,
                size_bytes: place.entry.body.size_bytes,
                internal_date_s: place.entry.internal_date_s,
                body: place.entry.body,
            },
        })
    }

    fn same_place(&self, other: &Shown) -> bool {
        (self.at, self.hidden) == (other.at, other.hidden) && self.row_key() == other.row_key()
    }

    fn row_key(&self) -> Vec<u8> {
        keys::row(self.mailbox, self.row.uid, self.row.entry)
    }

    fn placement_key(&self) -> Vec<u8> {
        keys::placement(self.mailbox, self.at)
    }
}
