//! What the writers of the log did before: the replica asks when it starts, and before it places.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use record::{AccountId, MailboxId, Side, View, Writer};

use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::naming::{account_row, tally};
use crate::rows::{Lane, WriterRow, decode, key_part};
use crate::tables::Table;

/// One incarnation of a side, as far as its records are applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incarnation {
    /// Its latest view, and that view's number.
    pub view: Option<(View, u64)>,
    /// So many of its records are on its own side's disk, as the other side was told.
    pub on_disk: u64,
    /// The newest record format that it said the pair writes; 0 when it never said so.
    pub format: u16,
}

impl Index {
    /// What the side gave in the mailbox in the latest of its alone episodes that gave anything there.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn lane(&self, mailbox: MailboxId, side: Side) -> Result<Option<Lane>, Error> {
        self.read(|tables| Ok(tally(tables, mailbox)?.lanes.get(&side).copied()))
    }

    /// Is everything that the disk `lost` could know of the account below its floor?
    ///
    /// # Errors
    /// When the disk fails.
    pub fn is_burnt(&self, account: AccountId, lost: u128) -> Result<bool, Error> {
        self.read(|tables| Ok(account_row(tables, account)?.burnt.contains(&lost)))
    }

    /// Is the account removed, as far as is known here?
    ///
    /// # Errors
    /// When the disk fails.
    pub fn is_removed(&self, account: AccountId) -> Result<bool, Error> {
        self.read(|tables| Ok(account_row(tables, account)?.removal().is_some()))
    }

    /// Every writer of whom a record is applied.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn incarnations(&self) -> Result<BTreeMap<Writer, Incarnation>, Error> {
        self.read(|tables| {
            let mut all = BTreeMap::new();
            tables.under(Table::Writers, &[], &mut |key, bytes| {
                let writer = key_part(Table::Writers, keys::split_writer(key))?;
                let WriterRow { view, on_disk, format, .. } = decode(Table::Writers, bytes)?;
                all.insert(writer, Incarnation { view, on_disk, format });
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(all)
        })
    }
}
