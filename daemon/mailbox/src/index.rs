//! The index as its callers hold it: opening, applying, making durable.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use record::{MailboxId, Record};

use crate::apply::Batch;
use crate::error::Error;
use crate::recent::Recent;
use crate::rows::{FORMAT, decode, encode};
use crate::tables::{Disk, Memory, Store, Table, Tables, TablesMut};
use crate::{digest, keys};

/// The mailbox index. Reads go on while a batch is applied, each over one state of whole batches.
pub struct Index {
    store: Store,
    /// Held while a batch is applied: batches come one after the other.
    applying: Mutex<()>,
    applied: AtomicU64,
    durable: AtomicU64,
    begun_anew: bool,
    recent: Mutex<Recent>,
}

impl Index {
    /// Opens the index of log `log_id` at `path`. A file of another log or format, or a damaged one, is
    /// deleted and begun anew: [`Index::applied`] is 0 then, and the caller applies the log from there.
    ///
    /// # Errors
    /// When the file can be neither opened nor replaced.
    pub fn open_redb(path: impl AsRef<Path>, log_id: u128) -> Result<Index, Error> {
        let path = path.as_ref();
        let identity = encode(&(FORMAT, log_id));
        let mut disk = Disk::open(path)?;
        let found = disk.read(|tables| stored_position(tables, &identity));
        let applied = match found {
            Ok(Some(applied)) => applied,
            Err(e) if !e.is_damage() => return Err(e),
            Ok(None) | Err(_) => {
                drop(disk);
                disk = Disk::create(path)?;
                disk.write(|tables| tables.put(Table::Meta, keys::IDENTITY, &identity))?;
                disk.checkpoint()?;
                0
            }
        };
        let begun_anew = applied == 0;
        Ok(Index { begun_anew, ..Index::new(Store::Disk(disk), applied) })
    }

    /// An empty index in memory, for the simulator and for tests.
    #[must_use]
    pub fn memory() -> Index {
        Index::new(Store::Memory(Memory::default()), 0)
    }

    fn new(store: Store, applied: u64) -> Index {
        Index {
            store,
            applying: Mutex::new(()),
            applied: AtomicU64::new(applied),
            durable: AtomicU64::new(applied),
            begun_anew: false,
            recent: Mutex::default(),
        }
    }

    /// The log position to apply next: everything below is applied.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Did this open find nothing that it could go on with? Then everything in the log is applied again,
    /// and [`Index::applied`] over the log's end at the open tells how far that is.
    #[must_use]
    pub fn begun_anew(&self) -> bool {
        self.begun_anew
    }

    /// Everything below this log position is safe from a power cut in the index too. The log must be
    /// kept from here on.
    #[must_use]
    pub fn durable_applied(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Applies committed records, each with its log position, ascending, in one batch: readers see all
    /// of them or none. Records below [`Index::applied`] are passed over. Returns the mailboxes that
    /// look different now.
    ///
    /// No record is refused: one that stops one box would stop both.
    ///
    /// # Errors
    /// When the disk fails; nothing of the batch is applied then.
    pub fn apply(&self, records: &[(u64, Record)]) -> Result<BTreeSet<MailboxId>, Error> {
        let _one_at_a_time = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let applied = self.applied();
        let fresh = records.iter().filter(|(position, _)| *position >= applied);
        let Some(next) = fresh.clone().map(|(position, _)| position + 1).max() else {
            return Ok(BTreeSet::new());
        };
        let outcome = self.watched(self.store.write(|tables| {
            tables.put(Table::Meta, keys::APPLIED, &encode(&next))?;
            let mut batch = Batch::new(tables);
            for (_, record) in fresh {
                batch.apply(record)?;
            }
            batch.finish()
        }))?;
        self.applied.store(next, Ordering::Release);
        self.recent().add(outcome.rows);
        Ok(outcome.changed)
    }

    /// Makes everything applied so far safe from a power cut. May take most of a second under load and
    /// holds up [`Index::apply`] (never the reads) meanwhile.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn checkpoint(&self) -> Result<(), Error> {
        let applied = self.applied();
        self.watched(self.store.checkpoint())?;
        self.durable.fetch_max(applied, Ordering::AcqRel);
        Ok(())
    }

    /// SHA-256 over the logical state: what clients can see, and what keeps it so (tombstones, hidden
    /// placements, floors). Not over applied positions, or anything that depends on the order of
    /// arrival: two indexes that hold the same records have the same digest.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        self.read(digest::digest)
    }

    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&dyn Tables) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.watched(self.store.read(read))
    }

    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut dyn TablesMut) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.watched(self.store.write(write))
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The applied position, or `None` when the tables are not those of `identity`.
fn stored_position(tables: &dyn Tables, identity: &[u8]) -> Result<Option<u64>, Error> {
    if tables.get(Table::Meta, keys::IDENTITY)?.as_deref() != Some(identity) {
        return Ok(None);
    }
    match tables.get(Table::Meta, keys::APPLIED)? {
        None => Ok(Some(0)),
        Some(bytes) => decode(Table::Meta, &bytes).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Index>();
    }
}
