//! Tables in a redb file.
//!
//! Batches are committed without a sync; [`Disk::checkpoint`] syncs them all at once, with quick
//! repair, so that opening after a power cut takes no walk through the file. What a crash takes is a
//! suffix of batches: the applied position goes back with them and the caller applies them again.
//!
//! A file that cannot be trusted is deleted and begun anew, since the log has everything:
//!
//! | what is found at open | what happens |
//! |---|---|
//! | no file | a new one |
//! | redb refuses it, panics over it, or finds a rotten page (it looks for them while the file is small) | a new one |
//! | `PATH.suspect` stands beside it: an earlier run died while opening it, or met a damaged page | a new one |
//! | another log's identity, another format | a new one (`Index` asks for it) |
//! | a full disk, no permission, the file is open elsewhere | the error: rebuilding would not help |

use std::fs;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};

use super::{Order, Table, Tables, TablesMut, Visit};
use crate::error::Error;
use crate::limits::{INDEX_CACHE_BYTES, INDEX_CHECK_BYTES_MAX};

pub(crate) struct Disk {
    database: Database,
    path: PathBuf,
}

impl Disk {
    /// Opens the file at `path`, or makes a new one when it cannot be trusted.
    pub(crate) fn open(path: &Path) -> Result<Disk, Error> {
        if suspect(path).exists() {
            tracing::warn!(path = %path.display(), "the mailbox index is suspect: building it again");
            return Disk::create(path);
        }
        match open_watched(path) {
            Ok(database) => Ok(Disk { database, path: path.to_owned() }),
            Err(e) if e.is_damage() => {
                tracing::warn!(path = %path.display(), error = %e, "the mailbox index is damaged: building it again");
                Disk::create(path)
            }
            Err(e) => Err(e),
        }
    }

    /// Deletes what is at `path` and begins anew.
    pub(crate) fn create(path: &Path) -> Result<Disk, Error> {
        remove(path)?;
        let database = open_watched(path)?;
        Ok(Disk { database, path: path.to_owned() })
    }

    /// Lets the next open begin anew.
    pub(crate) fn mark_suspect(&self) {
        if let Err(e) = fs::write(suspect(&self.path), b"") {
            tracing::error!(path = %self.path.display(), error = %e, "cannot mark the mailbox index as suspect");
        }
    }

    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&dyn Tables) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read(&Reader(self.database.begin_read()?))
    }

    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut dyn TablesMut) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::None)?;
        let result = write(&mut Writer::open(&transaction)?)?;
        transaction.commit()?;
        Ok(result)
    }

    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_quick_repair(true);
        transaction.commit()?;
        Ok(())
    }
}

/// Opens the file while `PATH.suspect` stands beside it, so that a death in here is noticed by the next
/// start; a panic is taken for damage. (redb may panic over pages it did not write.)
fn open_watched(path: &Path) -> Result<Database, Error> {
    let mark = suspect(path);
    fs::write(&mark, b"").map_err(|source| Error::File { path: mark.clone(), source })?;
    let opened = catch_unwind(AssertUnwindSafe(|| open_file(path))).unwrap_or_else(|_| {
        Err(Error::Row { table: Table::Meta.name(), reason: "redb panicked".into() })
    });
    remove(&mark)?;
    opened
}

fn open_file(path: &Path) -> Result<Database, Error> {
    let bytes = fs::metadata(path).map_or(0, |file| file.len());
    let database = Database::builder()
        .set_cache_size(INDEX_CACHE_BYTES)
        .set_check_integrity_on_open(bytes <= INDEX_CHECK_BYTES_MAX)
        .create(path)?;
    let transaction = database.begin_write()?;
    for table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    transaction.commit()?;
    Ok(database)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn suspect(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".suspect");
    PathBuf::from(name)
}

type Bytes = &'static [u8];

fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

struct Reader(ReadTransaction);

impl Tables for Reader {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        get(&self.0.open_table(definition(table))?, key)
    }

    fn range(
        &self,
        table: Table,
        first: &[u8],
        last: &[u8],
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        range(&self.0.open_table(definition(table))?, first, last, order, visit)
    }
}

struct Writer<'t>(Vec<redb::Table<'t, Bytes, Bytes>>);

impl<'t> Writer<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Writer<'t>, Error> {
        let open = |table| transaction.open_table(definition(table)).map_err(Error::from);
        Ok(Writer(Table::ALL.into_iter().map(open).collect::<Result<_, _>>()?))
    }
}

impl Tables for Writer<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        get(&self.0[table as usize], key)
    }

    fn range(
        &self,
        table: Table,
        first: &[u8],
        last: &[u8],
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        range(&self.0[table as usize], first, last, order, visit)
    }
}

impl TablesMut for Writer<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.0[table as usize].insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Error> {
        self.0[table as usize].remove(key)?;
        Ok(())
    }
}

fn get(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn range(
    table: &impl ReadableTable<Bytes, Bytes>,
    first: &[u8],
    last: &[u8],
    order: Order,
    visit: Visit<'_>,
) -> Result<(), Error> {
    if first > last {
        return Ok(());
    }
    let mut rows = table.range::<&[u8]>(first..=last)?;
    loop {
        let row = match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        };
        let Some(row) = row else { return Ok(()) };
        let (key, value) = row?;
        if let ControlFlow::Break(()) = visit(key.value(), value.value())? {
            return Ok(());
        }
    }
}
