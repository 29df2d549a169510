//! The ground that the store stands on: named tables of ordered byte keys.

mod disk;
mod memory;

use std::collections::BTreeMap;

pub(crate) use disk::Disk;
pub(crate) use memory::Memory;

use crate::error::Error;

/// The tables; `rows` says what stands in each. The number is the first byte of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    Meta = 0,
    Accounts = 1,
    Addresses = 2,
    Settings = 3,
}

impl Table {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Accounts => "accounts",
            Table::Addresses => "addresses",
            Table::Settings => "settings",
        }
    }

    /// `key` as it stands in the one tree.
    pub(crate) fn key(self, key: &[u8]) -> Vec<u8> {
        [&[self as u8], key].concat()
    }
}

/// Takes a key (without the table) and a value.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), Error>;

pub(crate) trait Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits the rows whose key begins with `prefix`, ascending.
    fn under(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<(), Error>;
}

/// Rows that change together; `None` is a row that goes.
pub(crate) type Rows = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

/// Changes on their way into the tables, all at once or not at all.
pub(crate) struct Changes<'t> {
    tables: &'t dyn Tables,
    pub(crate) rows: Rows,
}

impl<'t> Changes<'t> {
    pub(crate) fn new(tables: &'t dyn Tables) -> Changes<'t> {
        Changes { tables, rows: Rows::new() }
    }

    /// The row as it will be.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.rows.get(&(table, key.to_vec())) {
            Some(row) => Ok(row.clone()),
            None => self.tables.get(table, key),
        }
    }

    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.rows.insert((table, key.to_vec()), Some(value));
    }

    pub(crate) fn remove(&mut self, table: Table, key: &[u8]) {
        self.rows.insert((table, key.to_vec()), None);
    }
}

/// Where the tables are kept.
pub(crate) enum Store {
    Disk(Disk),
    Memory(Memory),
}

impl Store {
    pub(crate) fn tables(&self) -> &dyn Tables {
        match self {
            Store::Disk(disk) => disk,
            Store::Memory(memory) => memory,
        }
    }

    /// Atomic, in order with the earlier ones, not yet safe from a power cut.
    pub(crate) fn write(&self, rows: Rows) -> Result<(), Error> {
        match self {
            Store::Disk(disk) => disk.write(rows),
            Store::Memory(memory) => {
                memory.write(rows);
                Ok(())
            }
        }
    }

    /// Makes everything written so far safe from a power cut.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        match self {
            Store::Disk(disk) => disk.sync(),
            Store::Memory(_) => Ok(()),
        }
    }
}
