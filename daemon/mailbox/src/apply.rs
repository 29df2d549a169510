//! What each operation does to the tables.
//!
//! Invariant: the result is a function of the set of records. So each operation is a maximum (of UIDs,
//! MODSEQs, stamps), a mark that is never taken back (expunged, deleted, removed), or a question about
//! two records that is asked when the later of them arrives (overtaken). Nothing reads the order of
//! arrival, but for one thing that holds in every order: what a record's writer held was applied before.
//!
//! Absent on purpose: an error about content. A record that makes no sense (flags for an entry that was
//! never placed, a mailbox that was never created) is kept where its other half will find it.

mod account;
mod body;
mod expunge;
mod flags;
mod join;
mod names;
mod place;
mod queue;
mod show;
mod touch;

use std::collections::{BTreeMap, BTreeSet};

use record::op::Stamp;
use record::{AccountId, EntryId, MailboxId, ModSeq, Op, Record, Uid, Vector, View, Writer};

use crate::error::Error;
use crate::keys;
use crate::naming;
use crate::rows::{AccountRow, BoxRow, EntryRow, Tally, WriterRow, encode, load};
use crate::tables::{Table, TablesMut};
pub(crate) use join::joined_id;
use show::Shown;

/// What a batch did to one mailbox's rows.
pub(crate) struct RowsChanged {
    pub(crate) version: u64,
    /// Rows that came, went or look different.
    pub(crate) rows: BTreeSet<(Uid, EntryId)>,
}

/// What a batch did.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Mailboxes that look different.
    pub(crate) changed: BTreeSet<MailboxId>,
    pub(crate) rows: BTreeMap<MailboxId, RowsChanged>,
}

/// Records on their way into the tables, all in one write.
pub(crate) struct Batch<'t> {
    tables: &'t mut dyn TablesMut,
    /// Rows that nearly every record touches, written back once by [`Batch::finish`].
    writers: BTreeMap<Writer, WriterRow>,
    tallies: BTreeMap<MailboxId, Tally>,
    /// Rows that changed.
    rows_changed: BTreeMap<MailboxId, BTreeSet<(Uid, EntryId)>>,
    /// Accounts whose mailboxes or life may have to be settled otherwise now.
    unsettled: BTreeSet<AccountId>,
    /// Mailboxes of which anything changed that a client can see.
    changed: BTreeSet<MailboxId>,
}

impl<'t> Batch<'t> {
    pub(crate) fn new(tables: &'t mut dyn TablesMut) -> Batch<'t> {
        Batch {
            tables,
            writers: BTreeMap::new(),
            tallies: BTreeMap::new(),
            rows_changed: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    /// A record that is known already changes nothing. One that comes late, from between records that
    /// were applied before it, is not taken: the log never gives one, and what it was concurrent with
    /// cannot be told any more. (Who applies the log waits for a record that must be mended.) A gap may begin
    /// with records that were applied before they were reclaimed.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), Error> {
        let writer = self.writer(record.writer)?;
        if record.index + record.op.count() <= writer.applied {
            tracing::warn!(address = ?record.address(), "a record came again: passed over");
            return Ok(());
        }
        writer.applied = record.index + record.op.count();
        writer.seen.fold(&record.seen);
        let at = record.address();
        let stamp =
            Stamp { clock: record.op.made().unwrap_or(record.clock), writer: record.writer };
        match &record.op {
            Op::Place { entry, uid, modseq } => self.place(at, entry, *uid, *modseq),
            Op::Move { .. } => self.move_entry(at, &record.op),
            Op::Flags { mailbox, changes, .. } => self.flags(at, *mailbox, changes, &stamp),
            Op::Expunge { mailbox, entries, modseq } => {
                self.expunge(at, *mailbox, entries, *modseq)
            }
            Op::DeleteMailbox { mailbox } => self.delete_mailbox(at, *mailbox),
            Op::CreateMailbox { mailbox, account, name, uid_validity } => {
                self.create_mailbox(*mailbox, *account, name, *uid_validity, stamp)
            }
            Op::RenameMailbox { mailbox, name } => self.rename_mailbox(*mailbox, name, stamp),
            Op::Subscribe { account, name, subscribed } => {
                self.subscribe(*account, name, *subscribed, stamp)
            }
            Op::View { view, number, on_disk } => self.view(at.writer, *view, *number, on_disk),
            Op::Floor { account, uid, modseq, lost } => self.change_account(*account, |row| {
                row.burnt.insert(*lost);
                row.floor_uid = row.floor_uid.max(*uid);
                row.floor_modseq = row.floor_modseq.max(*modseq);
            }),
            Op::CreateAccount { account, address, .. } => {
                self.create_account(*account, address, &stamp)
            }
            Op::RemoveAccount { account } => self.remove_account(at, *account, stamp),
            Op::Format { version } => {
                let row = self.writer(at.writer)?;
                row.format = row.format.max(*version);
                Ok(())
            }
            Op::Queue(queued) => self.change_queued(queued.message, |row| {
                row.queued = Some(queued.clone());
            }),
            Op::Attempt { message, attempt, side } => self.change_queued(*message, |row| {
                row.attempts.entry(*attempt).or_default().side = Some(*side);
            }),
            Op::Outcome { message, attempt, recipients } => {
                self.outcome(at, *message, *attempt, recipients)
            }
            // The user store's, the journal's and the replica's.
            Op::Start
            | Op::Gap { .. }
            | Op::Body(_)
            | Op::SetPassword { .. }
            | Op::MoveHome { .. }
            | Op::Setting { .. } => Ok(()),
        }
    }

    /// Writes back what was held in memory; returns what changed.
    pub(crate) fn finish(mut self) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        for (mailbox, rows) in std::mem::take(&mut self.rows_changed) {
            let tally = self.tally(mailbox)?;
            tally.version += 1;
            let version = tally.version;
            self.changed.insert(mailbox);
            outcome.rows.insert(mailbox, RowsChanged { version, rows });
        }
        for (writer, row) in &self.writers {
            self.tables.put(Table::Writers, &keys::writer(*writer), &encode(row))?;
        }
        for (mailbox, tally) in &self.tallies {
            self.tables.put(Table::Tallies, &keys::mailbox(*mailbox), &encode(tally))?;
        }
        self.settle()?;
        outcome.changed = self.changed;
        Ok(outcome)
    }

    /// Notes which accounts have mailboxes to join or a removal to take back, so that nobody has to
    /// look through all of them.
    fn settle(&mut self) -> Result<(), Error> {
        for mailbox in self.tallies.keys() {
            self.unsettled.extend(self.box_row(*mailbox)?.account());
        }
        let mut accounts = BTreeSet::new();
        for account in &self.unsettled {
            accounts.extend(naming::members(&*self.tables, *account)?);
        }
        for account in accounts {
            let key = keys::account(account);
            let before = self.tables.get(Table::Unsettled, &key)?.is_some();
            let after = naming::is_unsettled(&*self.tables, account)?;
            match (before, after) {
                (false, true) => self.tables.put(Table::Unsettled, &key, &[])?,
                (true, false) => self.tables.remove(Table::Unsettled, &key)?,
                _ => {}
            }
        }
        Ok(())
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

    fn view(
        &mut self,
        writer: Writer,
        view: View,
        number: u64,
        on_disk: &Vector,
    ) -> Result<(), Error> {
        self.writer(writer)?.view = Some((view, number));
        for (other, count) in on_disk {
            let row = self.writer(*other)?;
            row.on_disk = row.on_disk.max(*count);
        }
        Ok(())
    }

    /// Keeps in mind what a side gives while it is alone.
    fn note_lane(
        &mut self,
        writer: Writer,
        mailbox: MailboxId,
        uid: Uid,
        modseq: ModSeq,
    ) -> Result<(), Error> {
        if let Some((View::Alone(side), number)) = self.writer(writer)?.view {
            self.tally(mailbox)?.lanes.entry(side).or_default().give(number, uid, modseq);
        }
        Ok(())
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

    fn box_row(&self, mailbox: MailboxId) -> Result<BoxRow, Error> {
        Ok(load(self.tables, Table::Boxes, &keys::mailbox(mailbox))?.unwrap_or_default())
    }

    fn put_box(&mut self, mailbox: MailboxId, row: &BoxRow) -> Result<(), Error> {
        self.changed.insert(mailbox);
        self.unsettled.extend(row.account());
        self.tables.put(Table::Boxes, &keys::mailbox(mailbox), &encode(row))
    }

    fn change_account(
        &mut self,
        account: AccountId,
        change: impl FnOnce(&mut AccountRow),
    ) -> Result<(), Error> {
        let key = keys::account(account);
        let before: AccountRow = load(self.tables, Table::Accounts, &key)?.unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        self.unsettled.insert(account);
        if before.living_address() != after.living_address() {
            for (row, is_there) in [(&before, false), (&after, true)] {
                let Some(address) = row.living_address() else { continue };
                self.unsettled.extend(naming::holders(&*self.tables, address)?);
                let key = keys::address(address, account);
                match is_there {
                    true => self.tables.put(Table::Addresses, &key, &[])?,
                    false => self.tables.remove(Table::Addresses, &key)?,
                }
            }
        }
        self.tables.put(Table::Accounts, &key, &encode(&after))
    }

    /// Changes an entry, and with it whatever table shows it; tells whether it became others.
    fn change_entry(
        &mut self,
        entry: EntryId,
        change: impl FnOnce(&mut EntryRow),
    ) -> Result<bool, Error> {
        let key = keys::entry(entry);
        let before: EntryRow = load(self.tables, Table::Entries, &key)?.unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        let expunged = after.expunged();
        if let Some(place) = &mut after.place {
            place.overtaken &= !expunged;
        }
        let became = !after.became.is_empty();
        if after == before {
            return Ok(became);
        }
        self.show(Shown::of(&before).as_ref(), Shown::of(&after).as_ref())?;
        self.show_touches(entry, &before, &after)?;
        self.use_body(&before, &after)?;
        self.tables.put(Table::Entries, &key, &encode(&after))?;
        Ok(became)
    }
}
