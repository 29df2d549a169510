//! What can go wrong, by whose fault it is.

use std::io;

use record::{Address, FrameError};
use thiserror::Error;

use crate::log::Position;

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Error {
    // The disk.
    /// Nothing is lost: what waits stays in memory, and the next flush tries again.
    #[error("the disk is full: cannot {doing} {file}")]
    DiskFull { doing: &'static str, file: String },
    /// The disk failed. When this happened while writing, the log is [`Error::Broken`] from then on.
    #[error("cannot {doing} {file}: {reason}")]
    Disk { doing: &'static str, file: String, kind: io::ErrorKind, reason: String },
    /// The disk failed while writing, so nobody knows what is durable until the log is opened again.
    #[error("the log takes nothing more since this happened: {0}")]
    Broken(Box<Error>),

    // What is on the disk.
    /// One record cannot be read. The others can; the peer has this one.
    #[error("record {address:?} at {position:?} is damaged: {damage}")]
    Damaged { position: Option<Position>, address: Option<Address>, damage: Damage },
    /// Both copies of a segment's header are bad.
    #[error("{file} cannot be read: {reason}")]
    Segment { file: String, reason: &'static str },
    /// A segment of another log, or of another place in this one.
    #[error("{file} is the segment of log {log_id:032x} from {first}")]
    Foreign { file: String, log_id: u128, first: Position },
    /// A newer program wrote it.
    #[error("{file} has format version {got}, this program knows {known}")]
    Version { file: String, got: u32, known: u32 },

    // The peer.
    /// A gap to append stands for records of which this log holds some already, and those are others.
    #[error(
        "the gap at {address:?} does not fit: the {held} records held here are not its beginning"
    )]
    Diverged { address: Address, held: u64 },

    /// What should take the place of a damaged record is not that record.
    #[error("{address:?} is not mended: {reason}")]
    Unfit { address: Option<Address>, reason: &'static str },

    // The backup.
    #[error("the backup cannot be used: {reason}")]
    Backup { reason: &'static str },
    #[error("cannot {doing} the backup: {reason}")]
    Stream { doing: &'static str, kind: io::ErrorKind, reason: String },

    // The caller.
    #[error("a log is there already: {file}")]
    NotBlank { file: String },
    /// The records of a writer come in order, each once.
    #[error("{address:?} is not the next of its writer: expected index {expected}")]
    OutOfTurn { address: Address, expected: u64 },
    /// The frame to append is none.
    #[error("not a frame: {0}")]
    Frame(#[from] FrameError),
    /// Asked for a record that this log does not hold.
    #[error("{address:?} is not held here: the log has {held} records of that writer")]
    NotHeld { address: Address, held: u64 },
    /// The record was dead and is gone. At its own position nothing is; given for an address, the position
    /// is that of the gap which stands for it.
    #[error("the record at {position} was reclaimed")]
    Reclaimed { position: Position, address: Option<Address> },
    #[error("position {position} is not before the end {end}")]
    BeyondEnd { position: Position, end: Position },
    /// More than [`crate::limits::UNWRITTEN_BYTES_MAX`] wait for the disk: append again after a flush.
    #[error("{bytes} bytes wait for the disk already")]
    Backlog { bytes: usize },
    #[error("the configuration is wrong: {reason}")]
    Config { reason: &'static str },
    #[error("the operating system gives no thread: {reason}")]
    Thread { reason: String },
}

/// What is wrong with one record on the disk.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Damage {
    #[error("its place holds nothing that can be read")]
    Hole,
    #[error("its place holds an entry of another place")]
    Entry,
    #[error("its segment is gone")]
    NoSegment,
    /// [`FrameError::Content`] here means a whole frame in a format that this version cannot read.
    #[error("{0}")]
    Frame(FrameError),
}

/// For `map_err`: names what was being done to which file, and tells a full disk from a broken one.
pub(crate) fn disk_error(doing: &'static str, file: &str) -> impl Fn(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::DiskFull { doing, file: file.into() }
        }
        kind => Error::Disk { doing, file: file.into(), kind, reason: error.to_string() },
    }
}
