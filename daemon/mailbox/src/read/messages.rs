//! Messages and entries.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use record::{Entry, EntryId, MailboxId, Uid};

use super::EntryState;
use super::names::{account_row, box_row, tally};
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::rows::{EntryRow, Row, decode, key_part, load};
use crate::tables::{Table, Tables};

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
                let flags = row.flags();
                let place = row.place?;
                Some(EntryState {
                    entry: place.entry,
                    uid: place.uid,
                    modseq: row.modseq,
                    flags,
                    changes: row.changes.into_values().collect(),
                    expunged: row.expunged,
                    hidden: place.overtaken,
                })
            }))
        })
    }

    /// Up to `limit` living entries whose place is overtaken: their home must place them again. Those of
    /// removed accounts are left out.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn overtaken(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        self.read(|tables| {
            let mut entries = Vec::new();
            let mut wanted = BTreeMap::new();
            tables.under(Table::Hidden, &[], &mut |key, _| {
                if entries.len() >= limit {
                    return Ok(ControlFlow::Break(()));
                }
                let (mailbox, entry) = key_part(Table::Hidden, keys::split_row(key))?;
                let wanted = match wanted.get(&mailbox) {
                    Some(wanted) => *wanted,
                    None => *wanted.entry(mailbox).or_insert(has_account(tables, mailbox)?),
                };
                if wanted && let Some(place) = entry_row(tables, entry)?.and_then(|row| row.place) {
                    entries.push(place.entry);
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(entries)
        })
    }
}

fn entry_row(tables: &dyn Tables, entry: EntryId) -> Result<Option<EntryRow>, Error> {
    load(tables, Table::Entries, &keys::entry(entry))
}

fn has_account(tables: &dyn Tables, mailbox: MailboxId) -> Result<bool, Error> {
    match box_row(tables, mailbox)?.account() {
        Some(account) => Ok(!account_row(tables, account)?.removed),
        None => Ok(false),
    }
}
