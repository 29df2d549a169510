//! What the simulated disk holds, and what a power cut leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::SimFile;
use super::SimOp;

pub const SECTOR_BYTES: usize = 512;
type Sector = [u8; SECTOR_BYTES];

#[derive(Debug, Default)]
pub struct Shared {
    pub inodes: BTreeMap<u64, SimInode>,
    pub last_inode: u64,
    pub names: BTreeMap<String, u64>,
    pub durable_names: BTreeMap<String, u64>,
    pub name_changes: Vec<NameChange>,
    pub faults: Vec<Fault>,
    pub broken_sectors: BTreeSet<(u64, u64)>,
    pub capacity: Option<u64>,
    /// `Some(u64::MAX)`: the power is gone.
    pub power_left: Option<u64>,
    /// Without power, what is read still comes from memory.
    pub reads_go_on: bool,
    pub operations: u64,
    pub epoch: u64,
    pub random: u64,
}

#[derive(Debug, Default)]
pub struct SimInode {
    pub live: Vec<u8>,
    /// Each state that a sector had since the last sync, the durable one first; the live one is left out.
    pub unsynced: BTreeMap<u64, Vec<Sector>>,
    /// Likewise for the length.
    pub lengths: Vec<usize>,
    /// What the disk really has of sectors whose last sync failed, where memory still has what was written:
    /// no later sync writes those again.
    pub dropped: BTreeMap<u64, Sector>,
}

#[derive(Clone, Debug)]
pub enum NameChange {
    Link(String, u64),
    Rename(String, String),
    Unlink(String),
}

#[derive(Debug)]
pub struct Fault {
    pub op: SimOp,
    pub left: u64,
    pub kind: io::ErrorKind,
}

impl Shared {
    pub fn new_inode(&mut self) -> u64 {
        self.last_inode += 1;
        self.last_inode
    }

    pub fn file(&mut self, file: &SimFile) -> io::Result<&mut SimInode> {
        if file.epoch != self.epoch {
            return Err(io::Error::other("this file was opened before the power cut"));
        }
        Ok(self.inodes.get_mut(&file.inode).expect("inodes go only in a power cut"))
    }

    pub fn check_sectors(&self, file: &SimFile, offset: u64, bytes: usize) -> io::Result<()> {
        let first = offset / SECTOR_BYTES as u64;
        let sectors = first..(offset + bytes as u64).div_ceil(SECTOR_BYTES as u64);
        if self.broken_sectors.iter().any(|(i, at)| *i == file.inode && sectors.contains(at)) {
            return Err(io::Error::other("a sector cannot be read"));
        }
        Ok(())
    }

    pub fn room(&self) -> u64 {
        let named = self.names.values().map(|inode| self.inodes[inode].live.len() as u64);
        self.capacity.map_or(1 << 40, |capacity| capacity.saturating_sub(named.sum()))
    }

    pub fn injected(&mut self, op: SimOp) -> io::Result<()> {
        let mut due = None;
        for (i, fault) in self.faults.iter_mut().enumerate().filter(|(_, fault)| fault.op == op) {
            match fault.left {
                0 => due = due.or(Some(i)),
                _ => fault.left -= 1,
            }
        }
        due.map_or(Ok(()), |i| Err(self.faults.remove(i).kind.into()))
    }

    pub fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    pub fn crash(&mut self) {
        let survive = self.below(self.name_changes.len() as u64 + 1) as usize;
        let mut names = std::mem::take(&mut self.durable_names);
        self.name_changes[..survive].iter().for_each(|change| change.apply(&mut names));
        self.names = names;
        // Whole power cuts that lose nothing or everything are as likely as mixed ones.
        let keep_percent = [0, 10, 50, 90, 100][self.below(5) as usize];
        let mut inodes = std::mem::take(&mut self.inodes);
        inodes.retain(|inode, _| self.names.values().any(|named| named == inode));
        for file in inodes.values_mut() {
            self.tear(file, keep_percent);
        }
        self.inodes = inodes;
        self.durable_names = self.names.clone();
        self.name_changes.clear();
        self.reset();
    }

    fn tear(&mut self, file: &mut SimInode, keep_percent: u64) {
        let length = file.live.len();
        file.forget_cached();
        for (sector, versions) in std::mem::take(&mut file.unsynced) {
            if versions.is_empty() || self.below(100) < keep_percent {
                continue;
            }
            let chosen = versions[self.below(versions.len() as u64) as usize];
            let from = sector as usize * SECTOR_BYTES;
            let to = (from + SECTOR_BYTES).min(length);
            if from < to {
                file.live[from..to].copy_from_slice(&chosen[..to - from]);
            }
        }
        let lengths = std::mem::take(&mut file.lengths);
        if !lengths.is_empty() && self.below(100) >= keep_percent {
            file.live.resize(lengths[self.below(lengths.len() as u64) as usize], 0);
        }
    }

    /// Old handles are dead, faults are forgotten, the power is on.
    pub fn reset(&mut self) {
        self.epoch += 1;
        (self.power_left, self.reads_go_on) = (None, false);
        self.faults.clear();
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A sync fails: some of what waited is written, the rest counts as written from now on, and is not
    /// (as Linux does it: such a page is clean, and no later sync fails).
    pub fn sync_failed(&mut self, epoch: u64, file: &SimFile) {
        // Without power nothing is written any more, and nothing is over.
        if epoch != self.epoch || self.power_left.is_some() {
            return;
        }
        let Ok(inode) = self.file(file) else { return };
        let mut dropped = std::mem::take(&mut inode.unsynced);
        dropped.retain(|_, versions| !versions.is_empty() && self.below(2) == 0);
        if let Ok(inode) = self.file(file) {
            let durable = dropped.into_iter().map(|(sector, versions)| (sector, versions[0]));
            inode.dropped.extend(durable);
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl SimInode {
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let from = (sector * SECTOR_BYTES).min(self.live.len());
            let to = (from + SECTOR_BYTES).min(self.live.len());
            let mut version = [0; SECTOR_BYTES];
            version[..to - from].copy_from_slice(&self.live[from..to]);
            let versions = self.unsynced.entry(sector as u64).or_default();
            versions.extend(self.dropped.remove(&(sector as u64)));
            versions.push(version);
        }
        if end > self.live.len() {
            self.resize(end);
        }
        self.live[offset..end].copy_from_slice(bytes);
    }

    /// What was not written to the disk is read from there next: it was never there.
    pub fn forget_cached(&mut self) {
        for (sector, durable) in std::mem::take(&mut self.dropped) {
            let from = sector as usize * SECTOR_BYTES;
            let to = (from + SECTOR_BYTES).min(self.live.len());
            if from < to {
                self.live[from..to].copy_from_slice(&durable[..to - from]);
            }
        }
    }

    pub fn resize(&mut self, length: usize) {
        self.lengths.push(self.live.len());
        self.live.resize(length, 0);
    }
}

impl NameChange {
    pub fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameChange::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            NameChange::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}
