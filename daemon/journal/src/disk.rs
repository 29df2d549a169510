//! The files of one directory, as the log needs them.

use std::fmt::Debug;
use std::io;

mod real;
mod sim;

pub use real::RealDisk;
pub use sim::{SimDisk, SimFile, SimOp};

/// One directory. What counts as durable: bytes and length of a file after [`Disk::sync_data`] on it,
/// names after [`Disk::sync_dir`].
pub trait Disk: Send + Sync + 'static {
    type File: Debug + Send + Sync + 'static;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// An existing file, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// A new, empty file; one of that name is replaced.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    fn length(&self, file: &Self::File) -> io::Result<u64>;
    /// Reads until `bytes` is full or the file ends; returns how many bytes were read.
    fn read_at(&self, file: &Self::File, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `bytes`, making the file longer where needed.
    fn write_at(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&self, file: &Self::File, length: u64) -> io::Result<()>;
    fn sync_data(&self, file: &Self::File) -> io::Result<()>;
    fn sync_dir(&self) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// What is read of this file next should come from the disk, not from memory. A hint.
    fn forget_cached(&self, _file: &Self::File) {}
    /// What an unprivileged program may still write here, bytes.
    fn free_bytes(&self) -> io::Result<u64>;
}
