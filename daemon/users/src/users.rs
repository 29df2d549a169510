//! The store as its callers hold it: opening, applying, making durable.

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use record::Record;
use sha2::{Digest, Sha256};

use crate::apply;
use crate::error::Error;
use crate::rows::{FORMAT, IDENTITY, PROGRESS, Progress, decode, encode};
use crate::tables::{Changes, Disk, Memory, Rows, Store, Table, Tables};

/// The user store. Reads go on from any thread, each over whole records.
pub struct Users {
    store: Store,
    /// Readers share it while they read, so that no record is seen half applied.
    state: RwLock<State>,
}

#[derive(Clone, Copy)]
struct State {
    progress: Progress,
    durable: u64,
}

impl Users {
    /// Opens the store of log `log_id` in the folder `path`. The store of another log or format, or a
    /// damaged one, is moved away to `PATH.damaged` and begun anew: [`Users::applied`] is 0 then, and the
    /// caller applies the log from there.
    ///
    /// # Errors
    /// [`Error::InUse`] when it is open elsewhere; others when it can be neither opened nor replaced.
    pub fn open_sled(path: impl AsRef<Path>, log_id: u128) -> Result<Users, Error> {
        let identity = encode(&(FORMAT, log_id));
        let mut disk = Disk::open(path.as_ref())?;
        if !disk.is_new() {
            match stored_progress(&disk, &identity) {
                Ok(Some(progress)) => return Ok(Users::new(Store::Disk(disk), progress)),
                Ok(None) => tracing::warn!("the user store is another log's: building it again"),
                Err(e) if e.is_damage() => {
                    tracing::warn!(error = %e, "the user store is damaged: building it again");
                }
                Err(e) => return Err(e),
            }
            disk = disk.again()?;
        }
        disk.write([((Table::Meta, IDENTITY.to_vec()), Some(identity))].into())?;
        disk.sync()?;
        Ok(Users::new(Store::Disk(disk), Progress::default()))
    }

    /// An empty store in memory, for the simulator and for tests.
    #[must_use]
    pub fn memory() -> Users {
        Users::new(Store::Memory(Memory::default()), Progress::default())
    }

    fn new(store: Store, progress: Progress) -> Users {
        Users { store, state: RwLock::new(State { progress, durable: progress.applied }) }
    }

    /// The log position to apply next: everything below is applied.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).progress.applied
    }

    /// Everything below this log position is safe from a power cut in the store too. The log must be kept
    /// from here on.
    #[must_use]
    pub fn durable_applied(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).durable
    }

    /// Applies one committed record with its log position; one below [`Users::applied`] is passed over.
    /// Tells whether it changed anything here. No record is refused.
    ///
    /// # Errors
    /// When the disk fails; nothing of the record is applied then.
    pub fn apply(&self, position: u64, record: &Record) -> Result<bool, Error> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if position < state.progress.applied {
            return Ok(false);
        }
        let mut progress = Progress { applied: position + 1, ..state.progress };
        let changed = self.watched(self.write(&mut progress, record))?;
        state.progress = progress;
        Ok(changed)
    }

    /// Makes everything applied so far safe from a power cut.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn checkpoint(&self) -> Result<(), Error> {
        // A record that comes before the sync may become durable with it; only these are sure to.
        let progress = {
            let state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            self.watched(self.store.write(progress_row(state.progress)))?;
            state.progress
        };
        self.watched(self.store.sync())?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.durable = state.durable.max(progress.applied);
        Ok(())
    }

    /// SHA-256 over accounts and settings with their stamps; not over positions or anything that depends
    /// on the order of arrival: two stores that hold the same records have the same digest.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        self.read(|tables| {
            let mut hash = Sha256::new();
            for table in [Table::Accounts, Table::Addresses, Table::Settings] {
                field(&mut hash, table.name().as_bytes());
                tables.under(table, &[], &mut |key, value| {
                    field(&mut hash, key);
                    field(&mut hash, value);
                    Ok(())
                })?;
            }
            Ok(hash.finalize().into())
        })
    }

    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&dyn Tables) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _whole_records = self.state.read().unwrap_or_else(PoisonError::into_inner);
        self.watched(read(self.store.tables()))
    }

    /// The rows that the record changes and the position go together. A record that changes nothing is
    /// not written: the next one that does, or the checkpoint, carries the position.
    fn write(&self, progress: &mut Progress, record: &Record) -> Result<bool, Error> {
        let tables = self.store.tables();
        let mut changes = Changes::new(tables);
        apply::apply(&mut changes, record)?;
        let mut rows = changes.rows;
        let mut changed = false;
        for ((table, key), after) in &rows {
            let before = tables.get(*table, key)?;
            changed |= before != *after;
            progress.sum ^= row_sum(*table, key, before.as_deref());
            progress.sum ^= row_sum(*table, key, after.as_deref());
        }
        if changed {
            rows.append(&mut progress_row(*progress));
            self.store.write(rows)?;
        }
        Ok(changed)
    }

    /// What is in here is not what the log says: the next open begins anew.
    pub fn distrust(&self) {
        if let Store::Disk(disk) = &self.store {
            disk.mark_suspect();
        }
    }

    /// Damage that shows only now makes the next open begin anew.
    fn watched<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let (Err(e), Store::Disk(disk)) = (&result, &self.store)
            && e.is_damage()
        {
            disk.mark_suspect();
        }
        result
    }
}

/// How far the store is, or `None` when it is not that of `identity`.
fn stored_progress(tables: &dyn Tables, identity: &[u8]) -> Result<Option<Progress>, Error> {
    if tables.get(Table::Meta, IDENTITY)?.as_deref() != Some(identity) {
        return Ok(None);
    }
    let progress: Progress = match tables.get(Table::Meta, PROGRESS)? {
        Some(bytes) => decode(Table::Meta, &bytes)?,
        None => Progress::default(),
    };
    let mut sum = 0;
    for table in [Table::Accounts, Table::Addresses, Table::Settings] {
        tables.under(table, &[], &mut |key, value| {
            sum ^= row_sum(table, key, Some(value));
            Ok(())
        })?;
    }
    if sum != progress.sum {
        return Err(Error::Sum { expected: progress.sum, got: sum });
    }
    Ok(Some(progress))
}

fn progress_row(progress: Progress) -> Rows {
    [((Table::Meta, PROGRESS.to_vec()), Some(encode(&progress)))].into()
}

/// A row's part in the sum; none when there is no row.
fn row_sum(table: Table, key: &[u8], value: Option<&[u8]>) -> u128 {
    let Some(value) = value else { return 0 };
    let mut hash = Sha256::new();
    field(&mut hash, &table.key(key));
    field(&mut hash, value);
    let hash: [u8; 32] = hash.finalize().into();
    u128::from_le_bytes(*hash.first_chunk().expect("32 bytes begin with 16"))
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
