//! The ground that the index stands on: named tables of ordered byte keys.
//!
//! A write is one atomic batch; readers see whole batches only.

mod disk;
mod memory;

use std::ops::ControlFlow;

pub(crate) use disk::Disk;
pub(crate) use memory::Memory;

use crate::error::Error;

/// The tables; `rows` says what stands in each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Meta,
    Writers,
    Accounts,
    Addresses,
    Subscriptions,
    Boxes,
    AccountBoxes,
    Tallies,
    Entries,
    Placements,
    Rows,
    Hidden,
    Fresh,
    Touched,
    Stale,
    StaleHeirs,
    Bodies,
    Unsettled,
    Facts,
    FactsAge,
    Queue,
    Unsent,
}

impl Table {
    pub(crate) const ALL: [Table; 22] = [
        Table::Meta,
        Table::Writers,
        Table::Accounts,
        Table::Addresses,
        Table::Subscriptions,
        Table::Boxes,
        Table::AccountBoxes,
        Table::Tallies,
        Table::Entries,
        Table::Placements,
        Table::Rows,
        Table::Hidden,
        Table::Fresh,
        Table::Touched,
        Table::Stale,
        Table::StaleHeirs,
        Table::Bodies,
        Table::Unsettled,
        Table::Facts,
        Table::FactsAge,
        Table::Queue,
        Table::Unsent,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Writers => "writers",
            Table::Accounts => "accounts",
            Table::Addresses => "addresses",
            Table::Subscriptions => "subscriptions",
            Table::Boxes => "boxes",
            Table::AccountBoxes => "account_boxes",
            Table::Tallies => "tallies",
            Table::Entries => "entries",
            Table::Placements => "placements",
            Table::Rows => "rows",
            Table::Hidden => "hidden",
            Table::Fresh => "fresh",
            Table::Touched => "touched",
            Table::Stale => "stale",
            Table::StaleHeirs => "stale_heirs",
            Table::Bodies => "bodies",
            Table::Unsettled => "unsettled",
            Table::Facts => "facts",
            Table::FactsAge => "facts_age",
            Table::Queue => "queue",
            Table::Unsent => "unsent",
        }
    }
}

/// Which end of a range comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// Takes a key and a value; breaks off or goes on.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>;

pub(crate) trait Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits the rows from `first` to `last`, both included.
    fn range(
        &self,
        table: Table,
        first: &[u8],
        last: &[u8],
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), Error>;

    /// Visits the rows whose key begins with `prefix`, ascending. No key has 64 bytes of 0xff after it.
    fn under(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<(), Error> {
        let mut last = prefix.to_vec();
        last.resize(prefix.len() + 64, 0xff);
        self.range(table, prefix, &last, Order::Ascending, visit)
    }
}

pub(crate) trait TablesMut: Tables {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error>;
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Error>;
}

/// Where the tables are kept.
pub(crate) enum Store {
    Disk(Disk),
    Memory(Memory),
}

impl Store {
    /// Reads from one state that no later write changes.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&dyn Tables) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Store::Disk(disk) => disk.read(read),
            Store::Memory(memory) => memory.read(read),
        }
    }

    /// One atomic batch, in order with the earlier ones but not yet safe from a power cut.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut dyn TablesMut) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Store::Disk(disk) => disk.write(write),
            Store::Memory(memory) => memory.write(write),
        }
    }

    /// Makes every batch so far safe from a power cut.
    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        match self {
            Store::Disk(disk) => disk.checkpoint(),
            Store::Memory(_) => Ok(()),
        }
    }
}
