//! What can go wrong here: the disk, or the bytes it gives back. Never the content of a record.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the index could not be read or written.
#[derive(Debug, Error)]
pub enum Error {
    /// The index file itself could not be made, opened or removed.
    #[error("index file {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    /// redb failed: a full disk, a bad sector, a damaged page.
    #[error("index database: {0}")]
    Database(Box<redb::Error>),
    /// A row is not what this program wrote.
    #[error("a row of table {table} cannot be read: {reason}")]
    Row { table: &'static str, reason: String },
}

impl Error {
    /// Is the file damaged, so that only building it again helps? A full disk is not damage.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Error::File { .. } => false,
            Error::Row { .. } => true,
            Error::Database(e) => match &**e {
                redb::Error::Io(e) => {
                    matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
                }
                redb::Error::DatabaseAlreadyOpen
                | redb::Error::PreviousIo
                | redb::Error::DatabaseClosed
                | redb::Error::LockPoisoned(_) => false,
                _ => true,
            },
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Error {
            fn from(e: redb::$error) -> Error {
                Error::Database(Box::new(e.into()))
            }
        }
    )*};
}
// redb has one error type per step; all of them end here.
from_redb!(
    DatabaseError,
    TransactionError,
    SetDurabilityError,
    TableError,
    StorageError,
    CommitError
);
