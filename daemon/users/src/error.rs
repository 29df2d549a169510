//! What can go wrong here: the disk, or the bytes it gives back. Never the content of a record.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the user store could not be read or written.
#[derive(Debug, Error)]
pub enum Error {
    /// Somebody has it open: another maild, or the console in recovery.
    #[error("the user store {path} is open elsewhere")]
    InUse { path: PathBuf },
    /// A file of the store could not be made, opened, synced or moved.
    #[error("user store file {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    /// sled failed: a full disk, a bad sector, a damaged page.
    #[error("user database: {0}")]
    Database(#[from] sled::Error),
    /// A row is not what this program wrote.
    #[error("a row of table {table} cannot be read: {reason}")]
    Row { table: &'static str, reason: String },
    /// Rows are missing or changed.
    #[error("the rows do not add up: expected the sum {expected:032x}, got {got:032x}")]
    Sum { expected: u128, got: u128 },
}

impl Error {
    /// Is the store damaged, so that only building it again helps? A full disk is not damage.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Error::InUse { .. } | Error::File { .. } => false,
            Error::Row { .. } | Error::Sum { .. } => true,
            Error::Database(sled::Error::Io(e)) => !matches!(
                e.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::OutOfMemory
                    | io::ErrorKind::Interrupted
            ),
            Error::Database(_) => true,
        }
    }
}
