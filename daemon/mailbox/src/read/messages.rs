//! Messages and entries.

use std::ops::ControlFlow;

use record::{EntryId, MailboxId, Uid};

use super::{Delta, EntryState};
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::naming::tally;
use crate::rows::{EntryRow, Row, decode, load};
use crate::tables::{Order, Table, Tables};

impl Index {
    /// The messages that clients see, sorted by UID.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn messages(&self, mailbox: MailboxId) -> Result<Vec<Row>, Error> {
        self.read(|tables| {
            let mut rows = Vec::with_capacity(tally(tables, mailbox)?.messages as usize);
            tables.under(Table::Rows, &keys::mailbox(mailbox), &mut |_, bytes| {
                rows.push(decode(Table::Rows, bytes)?);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(rows)
        })
    }

    /// Up to `limit` of them, from UID `from` on: for whoever must not hold a large mailbox whole.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn messages_from(
        &self,
        mailbox: MailboxId,
        from: Uid,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.read(|tables| {
            let mut rows = Vec::new();
            let first = keys::uid(mailbox, from);
            let last = keys::row(mailbox, Uid(u32::MAX), EntryId(u128::MAX));
            tables.range(Table::Rows, &first, &last, Order::Ascending, &mut |_, bytes| {
                if rows.len() >= limit {
                    return Ok(ControlFlow::Break(()));
                }
                rows.push(decode(Table::Rows, bytes)?);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(rows)
        })
    }

    /// What became of the messages since version `since` of the mailbox: to be laid over the rows that
    /// were read then. `None` when that is not known any more, and all of them have to be read again. It
    /// may be newer than its own version, never older.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn delta(&self, mailbox: MailboxId, since: u64) -> Result<Option<Delta>, Error> {
        let recent = self.recent().since(mailbox, since);
        self.read(|tables| {
            let Some((version, keys)) = recent else {
                let now = tally(tables, mailbox)?.version;
                return Ok((now == since).then_some(Delta { version: now, ..Delta::default() }));
            };
            let mut delta = Delta { version, ..Delta::default() };
            for (uid, entry) in keys {
                match load(tables, Table::Rows, &keys::row(mailbox, uid, entry))? {
                    Some(row) => delta.rows.push(row),
                    None => delta.gone.push(uid),
                }
            }
            Ok(Some(delta))
        })
    }

    /// Differs whenever [`Index::messages`] would. Whoever keeps the messages reads this first: a batch
    /// that comes between then shows as one more change, never as none. Good for this process only.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn version(&self, mailbox: MailboxId) -> Result<u64, Error> {
        self.read(|tables| Ok(tally(tables, mailbox)?.version))
    }

    /// The message that clients see under `uid`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn row(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>, Error> {
        self.read(|tables| {
            let mut row = None;
            tables.under(Table::Rows, &keys::uid(mailbox, uid), &mut |_, bytes| {
                row = Some(decode(Table::Rows, bytes)?);
                Ok(ControlFlow::Break(()))
            })?;
            Ok(row)
        })
    }

    /// An entry that was ever placed, also when it is expunged or hidden.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn entry(&self, entry: EntryId) -> Result<Option<EntryState>, Error> {
        self.read(|tables| {
            Ok(entry_row(tables, entry)?.and_then(|row| {
                let (flags, expunged) = (row.flags(), row.expunged());
                let place = row.place?;
                Some(EntryState {
                    entry: place.entry,
                    uid: place.uid,
                    modseq: row.modseq,
                    flags,
                    changes: row.changes.into_values().collect(),
                    expunged,
                    hidden: place.overtaken,
                })
            }))
        })
    }
}

pub(super) fn entry_row(tables: &dyn Tables, entry: EntryId) -> Result<Option<EntryRow>, Error> {
    load(tables, Table::Entries, &keys::entry(entry))
}
