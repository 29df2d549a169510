//! Tables in a sled tree.
//!
//! sled 0.34 needs some care, all of it measured:
//!
//! | sled | so |
//! |---|---|
//! | `flush` alone is not safe from a power cut | after it, `fdatasync` of its file `db` |
//! | the files it makes are not synced into their folder | once after creation: `conf`, `blobs`, the folder, its parent |
//! | a left-over `snap.*.generating` makes it unopenable | deleted before each open |
//! | it may refuse, or panic over, files that it did not write like that | moved away, begun anew |
//! | it may open them and miss rows | each write carries the sum of all rows; it is checked at open (`Users`) |
//!
//! `PATH.suspect` stands beside the folder while it is being opened, and after damage was met: the next
//! open then begins anew, even when this one never came to its end. `PATH.lock` keeps a second process
//! (the console in recovery) from taking an open store for a damaged one.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::{Rows, Table, Tables, Visit};
use crate::error::Error;
use crate::limits::{LOCK_PAUSE, LOCK_TRIES, STORE_CACHE_BYTES};

pub(crate) struct Disk {
    // Before the lock: dropped first.
    database: sled::Db,
    path: PathBuf,
    lock: Lock,
    new: bool,
}

impl Disk {
    /// Opens the store in the folder `path`, or begins a new one when it cannot be trusted.
    pub(crate) fn open(path: &Path) -> Result<Disk, Error> {
        let lock = lock(path)?;
        if beside(path, "suspect").exists() || path.is_file() {
            tracing::warn!(path = %path.display(), "the user store is suspect: building it again");
            return Disk::create(path, lock);
        }
        let new = !path.join("db").exists();
        match open_watched(path) {
            Ok(database) => Ok(Disk { database, path: path.to_owned(), lock, new }),
            Err(e) if e.is_damage() => {
                tracing::warn!(path = %path.display(), error = %e, "the user store is damaged: building it again");
                Disk::create(path, lock)
            }
            Err(e) => Err(e),
        }
    }

    /// Moves what is there away and begins anew.
    pub(crate) fn again(self) -> Result<Disk, Error> {
        let Disk { database, path, lock, .. } = self;
        drop(database);
        Disk::create(&path, lock)
    }

    fn create(path: &Path, lock: Lock) -> Result<Disk, Error> {
        move_away(path)?;
        let database = open_watched(path)?;
        Ok(Disk { database, path: path.to_owned(), lock, new: true })
    }

    /// Was it made by this open?
    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    /// Lets the next open begin anew.
    pub(crate) fn mark_suspect(&self) {
        if let Err(e) = fs::write(beside(&self.path, "suspect"), b"") {
            tracing::error!(path = %self.path.display(), error = %e, "cannot mark the user store as suspect");
        }
    }

    pub(crate) fn write(&self, rows: Rows) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for ((table, key), value) in rows {
            let key = table.key(&key);
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(self.database.apply_batch(batch)?)
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.database.flush()?;
        sync(&self.path.join("db"), File::sync_data)
    }
}

impl Tables for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.database.get(table.key(key))?.map(|value| value.to_vec()))
    }

    fn under(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<(), Error> {
        for row in self.database.scan_prefix(table.key(prefix)) {
            let (key, value) = row?;
            visit(&key[1..], &value)?;
        }
        Ok(())
    }
}

/// The mark stands while sled is opening, so that a death in there is noticed by the next start; a panic
/// is taken for damage.
fn open_watched(path: &Path) -> Result<sled::Db, Error> {
    let mark = beside(path, "suspect");
    fs::write(&mark, b"").map_err(|source| Error::File { path: mark.clone(), source })?;
    let opened = catch_unwind(AssertUnwindSafe(|| open_folder(path))).unwrap_or_else(|_| {
        Err(Error::Row { table: Table::Meta.name(), reason: "sled panicked".into() })
    });
    fs::remove_file(&mark).map_err(|source| Error::File { path: mark, source })?;
    opened
}

fn open_folder(path: &Path) -> Result<sled::Db, Error> {
    delete_half_made_snapshots(path)?;
    let new = !path.join("db").exists();
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(STORE_CACHE_BYTES)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(None);
    let database = open_unlocked(&config)?;
    if new {
        for part in ["db", "conf", "blobs", ""] {
            sync(&path.join(part), File::sync_all)?;
        }
        sync(&parent(path), File::sync_all)?;
    }
    Ok(database)
}

/// Nobody else has the store open, says the lock beside it. So sled finds its own lock taken only while some
/// child process, forked as the store was last open, has not come to its exec: waited for, not taken for damage.
fn open_unlocked(config: &sled::Config) -> sled::Result<sled::Db> {
    for _ in 0..LOCK_TRIES {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().starts_with(LOCKED) => {
                std::thread::sleep(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
    config.open()
}

/// How sled begins what it says then.
const LOCKED: &str = "could not acquire lock";

fn delete_half_made_snapshots(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let files = match fs::read_dir(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        files => files.map_err(failed)?,
    };
    for file in files {
        let file = file.map_err(failed)?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(file.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// To `PATH.damaged`, for whoever wants to know why; only the latest is kept.
fn move_away(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let away = beside(path, "damaged");
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed)?,
    };
    match fs::symlink_metadata(&away) {
        Ok(old) if old.is_dir() => fs::remove_dir_all(&away).map_err(failed)?,
        Ok(_) => fs::remove_file(&away).map_err(failed)?,
        Err(_) => {}
    }
    fs::rename(path, &away).map_err(failed)
}

/// Held until dropped. Unlocked by name: a child process that somebody forks at that instant holds a copy of
/// the file until its exec, and would keep the lock with it.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the user store's lock goes with its file only");
        }
    }
}

fn lock(path: &Path) -> Result<Lock, Error> {
    let name = beside(path, "lock");
    let file = File::create(&name).map_err(|source| Error::File { path: name.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::File { path: name, source }),
    }
}

fn sync(path: &Path, how: impl Fn(&File) -> std::io::Result<()>) -> Result<(), Error> {
    File::open(path)
        .and_then(|file| how(&file))
        .map_err(|source| Error::File { path: path.to_owned(), source })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
