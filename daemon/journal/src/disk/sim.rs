//! A directory in memory that can lose power: seeded, deterministic, for the simulator and the tests.
//!
//! | what was not synced | what a power cut leaves of it |
//! |---|---|
//! | bytes of a file | each 512-byte sector in any state that it had since the last sync, by itself |
//! | length of a file | any length that it had since the last sync |
//! | names | the first so many of the creations, renames and removals, in their order |
//!
//! A sync that fails leaves some of it in memory only, although no later sync fails; what is read stays so
//! until the power goes, or somebody asks for what the disk has ([`Disk::forget_cached`]).
//!
//! That is somewhat worse than what ext4 does, in the direction that finds mistakes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Disk;
use state::{Fault, NameChange, SECTOR_BYTES, Shared, SimInode};

mod state;

/// A handle; clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Arc<Mutex<Shared>>,
    /// Handles from before a power cut are dead.
    epoch: u64,
}

#[derive(Clone, Debug)]
pub struct SimFile {
    inode: u64,
    epoch: u64,
}

/// Kinds of operation that can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SimOp {
    Read,
    Write,
    SyncData,
    SyncDir,
    /// Create, rename, remove.
    Names,
}

impl SimDisk {
    #[must_use]
    pub fn new(seed: u64) -> SimDisk {
        let shared = Shared { random: seed, ..Shared::default() };
        SimDisk { shared: Arc::new(Mutex::new(shared)), epoch: 0 }
    }

    /// Cuts the power and switches it on again. Every older handle, and every file opened with one, is
    /// dead from here on; the returned handle is the disk as it is found afterwards.
    #[must_use]
    pub fn crash(&self) -> SimDisk {
        let mut shared = self.lock();
        shared.crash();
        SimDisk { shared: self.shared.clone(), epoch: shared.epoch }
    }

    /// The program dies, the power stays: like [`SimDisk::crash`], but nothing written is lost.
    #[must_use]
    pub fn restart(&self) -> SimDisk {
        let mut shared = self.lock();
        shared.reset();
        SimDisk { shared: self.shared.clone(), epoch: shared.epoch }
    }

    /// After so many more operations everything fails, as if the power had gone in the middle of the
    /// next: a write in progress may have got through in part. Call [`SimDisk::crash`] afterwards.
    pub fn cut_power_after(&self, operations: u64) {
        self.lock().power_left = Some(operations);
    }

    /// Likewise, but for reading: memory still has what was written, and the program goes on for a while.
    pub fn cut_power_of_writes_after(&self, operations: u64) {
        let mut shared = self.lock();
        (shared.power_left, shared.reads_go_on) = (Some(operations), true);
    }

    /// The `nth` operation of that kind from now on (0 is the next) fails, once.
    pub fn fail(&self, op: SimOp, nth: u64, kind: io::ErrorKind) {
        self.lock().faults.push(Fault { op, left: nth, kind });
    }

    /// What all files together may hold; `None`: no bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// Rot: flips the bits of `mask` in one byte, as if it had been so for long.
    ///
    /// # Panics
    /// When there is no such byte.
    pub fn flip(&self, name: &str, offset: u64, mask: u8) {
        let mut shared = self.lock();
        let inode = shared.names[name];
        let file = shared.inodes.get_mut(&inode).expect("a name has an inode");
        file.live[offset as usize] ^= mask;
        let (sector, within) = (offset / SECTOR_BYTES as u64, offset as usize % SECTOR_BYTES);
        for version in file.unsynced.get_mut(&sector).into_iter().flatten() {
            version[within] ^= mask;
        }
    }

    /// The disk cannot read the 512-byte sector around `offset` any more, nor write a part of it.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn break_sector(&self, name: &str, offset: u64) {
        let mut shared = self.lock();
        let inode = shared.names[name];
        shared.broken_sectors.insert((inode, offset / SECTOR_BYTES as u64));
    }

    /// The bytes of a file as a program sees them now.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let shared = self.lock();
        shared.names.get(name).map(|inode| shared.inodes[inode].live.clone())
    }

    /// Puts a file there, durable.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut shared = self.lock();
        let inode = shared.new_inode();
        let file = SimInode { live: bytes.to_vec(), ..SimInode::default() };
        shared.inodes.insert(inode, file);
        shared.names.insert(name.into(), inode);
        shared.durable_names.insert(name.into(), inode);
    }

    /// Operations done so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread panics while it holds the simulated disk")
    }

    /// Begins an operation: counts it, and fails it where that was asked for.
    fn begin(&self, op: SimOp) -> io::Result<(MutexGuard<'_, Shared>, bool)> {
        let mut shared = self.lock();
        if self.epoch != shared.epoch {
            return Err(io::Error::other("this handle is from before the power cut"));
        }
        shared.operations += 1;
        if op == SimOp::Read && shared.reads_go_on {
            return Ok((shared, false));
        }
        let last = match &mut shared.power_left {
            None => false,
            Some(0) => {
                // The one operation during which the power goes; nothing works after it.
                shared.power_left = Some(u64::MAX);
                true
            }
            Some(u64::MAX) => return Err(no_power()),
            Some(left) => {
                *left -= 1;
                false
            }
        };
        shared.injected(op)?;
        Ok((shared, last))
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let (shared, last) = self.begin(SimOp::Read)?;
        finish(last, shared.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let (shared, last) = self.begin(SimOp::Read)?;
        let inode = *shared.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        finish(last, SimFile { inode, epoch: self.epoch })
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        let (mut shared, last) = self.begin(SimOp::Names)?;
        let inode = shared.new_inode();
        shared.inodes.insert(inode, SimInode::default());
        shared.change_names(NameChange::Link(name.into(), inode));
        finish(last, SimFile { inode, epoch: self.epoch })
    }

    fn length(&self, file: &SimFile) -> io::Result<u64> {
        let (mut shared, last) = self.begin(SimOp::Read)?;
        let length = shared.file(file)?.live.len() as u64;
        finish(last, length)
    }

    fn read_at(&self, file: &SimFile, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut shared, last) = self.begin(SimOp::Read)?;
        shared.check_sectors(file, offset, bytes.len())?;
        let live = &shared.file(file)?.live;
        let from = (offset as usize).min(live.len());
        let count = bytes.len().min(live.len() - from);
        bytes[..count].copy_from_slice(&live[from..from + count]);
        finish(last, count)
    }

    fn write_at(&self, file: &SimFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut shared, last) = self.begin(SimOp::Write)?;
        shared.check_sectors(file, offset, bytes.len())?;
        let length = shared.file(file)?.live.len() as u64;
        let room = shared.room();
        let fits = match (offset + bytes.len() as u64).saturating_sub(length) {
            growth if growth > room => bytes.len().saturating_sub((growth - room) as usize),
            _ => bytes.len(),
        };
        shared.file(file)?.write(offset as usize, &bytes[..fits]);
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        finish(last, ())
    }

    fn set_len(&self, file: &SimFile, length: u64) -> io::Result<()> {
        let (mut shared, last) = self.begin(SimOp::Write)?;
        let file = shared.file(file)?;
        let old = file.live.len();
        if (length as usize) < old {
            file.write(length as usize, &vec![0; old - length as usize]);
        }
        file.resize(length as usize);
        finish(last, ())
    }

    fn sync_data(&self, file: &SimFile) -> io::Result<()> {
        let (mut shared, last) = match self.begin(SimOp::SyncData) {
            Err(error) => {
                self.lock().sync_failed(self.epoch, file);
                return Err(error);
            }
            Ok(begun) => begun,
        };
        if last {
            return Err(no_power());
        }
        let file = shared.file(file)?;
        file.unsynced.clear();
        file.lengths.clear();
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let (mut shared, last) = self.begin(SimOp::SyncDir)?;
        if last {
            return Err(no_power());
        }
        shared.durable_names = shared.names.clone();
        shared.name_changes.clear();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut shared, last) = self.begin(SimOp::Names)?;
        if !shared.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        shared.change_names(NameChange::Rename(from.into(), to.into()));
        finish(last, ())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let (mut shared, last) = self.begin(SimOp::Names)?;
        if !shared.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        shared.change_names(NameChange::Unlink(name.into()));
        finish(last, ())
    }

    fn forget_cached(&self, file: &SimFile) {
        if let Ok(file) = self.lock().file(file) {
            file.forget_cached();
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let (shared, last) = self.begin(SimOp::Read)?;
        let room = shared.room();
        finish(last, room)
    }
}

/// The answer to an operation, unless the power went during it.
fn finish<T>(power_gone: bool, answer: T) -> io::Result<T> {
    if power_gone { Err(no_power()) } else { Ok(answer) }
}

fn no_power() -> io::Error {
    io::Error::other("the power is off")
}
