//! Growing the data partition to the disk: the image is small, disks are not.
//!
//! The partition table is rewritten so that a power cut at any instant leaves one that can be read:
//!
//! | written, then synced | after a cut here |
//! |---|---|
//! | backup table at the disk's end | the old table at the front is whole |
//! | front table, one write | old or new front; were it torn, the backup is whole and new |
//!
//! A torn front is mended from the backup at the next start. Doing all of it twice changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};
use gpt::disk::LogicalBlockSize;
use gpt::mbr::{PartRecord, ProtectiveMBR};
use gpt::partition::Partition;
use gpt::{GptConfig, GptDisk};

/// What is to be written to make a partition as large as it can be.
#[derive(Debug, PartialEq, Eq)]
pub struct Growth {
    /// Counted from 1.
    pub number: u32,
    pub start_bytes: u64,
    /// The partition's length afterwards.
    pub length_bytes: u64,
    /// Whether the table at the front could not be read.
    pub front_damaged: bool,
    /// What differs: place in bytes, and content. Empty when all is as it should be.
    writes: Vec<(u64, Vec<u8>)>,
}

impl Growth {
    /// Whether nothing needs to be written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.writes.is_empty()
    }

    /// Writes it, the disk's end first.
    ///
    /// # Errors
    /// What the disk says. The table is readable all the same, see above.
    pub fn apply(&self, disk: &File) -> io::Result<()> {
        for (place, bytes) in self.writes.iter().rev() {
            disk.write_all_at(bytes, *place)?;
            disk.sync_all()?;
        }
        Ok(())
    }
}

/// Looks at the partition table of `disk` and works out how the partition with `label` becomes as
/// large as possible. Writes nothing.
///
/// # Errors
/// When the disk has no GPT, or not exactly one such partition, or another one stands behind it.
pub fn plan(disk: &File, sector_bytes: u64, label: &str) -> Result<Growth> {
    let sector = LogicalBlockSize::try_from(sector_bytes).context("sector size")?;
    let (mut table, front_damaged) = open(disk, sector)?;
    let mut partitions = table.partitions().clone();
    let number = only_one(&partitions, label)?;
    // Makes the headers fit the disk as it is, which tells the last sector that may be used.
    table.update_partitions(partitions.clone()).context("fit the table to the disk")?;
    let last = last_aligned(table.header().last_usable, sector_bytes);
    let partition = partitions.get_mut(&number).context("the partition just found")?;
    partition.last_lba = partition.last_lba.max(last);
    let start_bytes = partition.first_lba * sector_bytes;
    let length_bytes = (partition.last_lba + 1 - partition.first_lba) * sector_bytes;
    table.update_partitions(partitions).context("grow the partition")?;
    let writes = write_out(table, sector)?;
    Ok(Growth { number, start_bytes, length_bytes, front_damaged, writes })
}

/// Reads the table at the front, or where that is damaged the backup. The crate takes the front for
/// good when its header is, so a front whose entries do not fit its header is hidden from it.
fn open(disk: &File, sector: LogicalBlockSize) -> Result<(GptDisk<Overlay<'_>>, bool)> {
    let overlay = Overlay::new(disk).context("disk size")?;
    overlay.check_headers(sector.as_u64())?;
    let config = || GptConfig::new().writable(true).logical_block_size(sector);
    if let Ok(table) = config().open_from_device(overlay) {
        let front_damaged = table.primary_header().is_err();
        return Ok((table, front_damaged));
    }
    let mut overlay = Overlay::new(disk).context("disk size")?;
    overlay.seek(SeekFrom::Start(sector.as_u64()))?;
    overlay.write_all(&[0; HEADER_BYTES])?;
    let table = config().open_from_device(overlay).context("partition table")?;
    Ok((table, true))
}

fn only_one(partitions: &BTreeMap<u32, Partition>, label: &str) -> Result<u32> {
    let mut named = partitions.iter().filter(|(_, partition)| partition.name == label);
    let (Some((number, found)), None) = (named.next(), named.next()) else {
        bail!("not exactly one partition is called {label}");
    };
    if let Some(other) = partitions.values().find(|other| other.first_lba > found.last_lba) {
        bail!("partition {} stands behind {label}", other.name);
    }
    Ok(*number)
}

/// The last sector so that the partition ends at a whole MiB.
fn last_aligned(last_usable: u64, sector_bytes: u64) -> u64 {
    let per_mebibyte = (1024 * 1024 / sector_bytes).max(1);
    ((last_usable + 1) / per_mebibyte * per_mebibyte).saturating_sub(1)
}

fn write_out(
    mut table: GptDisk<Overlay<'_>>,
    sector: LogicalBlockSize,
) -> Result<Vec<(u64, Vec<u8>)>> {
    table.write_inplace().context("write the table")?;
    let mut overlay = table.take_device();
    let sectors = overlay.length / sector.as_u64();
    let covered = u32::try_from(sectors.saturating_sub(1)).unwrap_or(u32::MAX);
    // A machine with BIOS boots from this sector: its code stays as it is.
    if let Ok(mut front) = ProtectiveMBR::from_disk(&mut overlay, sector) {
        front.set_partition(0, PartRecord::new_protective(Some(covered)));
        front.update_conservative(&mut overlay).context("write the protective record")?;
    }
    overlay.changes().context("compare")
}

/// A disk on which nothing is written: writes are kept here, by blocks.
struct Overlay<'a> {
    disk: &'a File,
    length: u64,
    position: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

/// Writes are kept, compared and given out in pieces of this size: whole pages of the kernel's
/// cache, so that the front table (512-byte sectors) reaches the disk as one request.
const BLOCK_BYTES: u64 = 4096;

/// UEFI 2.10 §5.3.2: a header's bytes, but for its padding; and more entries than any disk has.
const HEADER_BYTES: usize = 92;
const ENTRIES_MAX: u32 = 1024;

impl<'a> Overlay<'a> {
    fn new(disk: &'a File) -> io::Result<Overlay<'a>> {
        let length = (&*disk).seek(SeekFrom::End(0))?;
        Ok(Overlay { disk, length, position: 0, blocks: BTreeMap::new() })
    }

    /// The crate trusts two numbers of a header before it has checked anything: a table of another
    /// shape than everybody makes is refused here.
    fn check_headers(&self, sector_bytes: u64) -> Result<()> {
        let last = self.length.checked_sub(sector_bytes).context("an empty disk")?;
        for place in [sector_bytes, last / sector_bytes * sector_bytes] {
            let mut header = [0; HEADER_BYTES];
            if self.disk.read_exact_at(&mut header, place).is_err() {
                bail!("the disk is too small for a partition table");
            }
            let number = |at: usize| {
                let bytes = header[at..].first_chunk().expect("the header is longer");
                u32::from_le_bytes(*bytes)
            };
            let (entries, entry_bytes) = (number(80), number(84));
            if header.starts_with(b"EFI PART") && (entry_bytes != 128 || entries > ENTRIES_MAX) {
                bail!("a partition table of {entries} entries of {entry_bytes} bytes");
            }
        }
        Ok(())
    }

    /// Runs of blocks that differ from the disk, in order of place.
    fn changes(&self) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for (&number, block) in &self.blocks {
            let place = number * BLOCK_BYTES;
            if *block == self.original(number)? {
                continue;
            }
            match runs.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == place => run.extend(block),
                _ => runs.push((place, block.clone())),
            }
        }
        Ok(runs)
    }

    fn original(&self, number: u64) -> io::Result<Vec<u8>> {
        let place = number * BLOCK_BYTES;
        let length = self.length.saturating_sub(place).min(BLOCK_BYTES);
        let mut block = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.disk.read_exact_at(&mut block, place)?;
        Ok(block)
    }

    /// The block at the current position, and the offset in it.
    fn here(&self) -> (u64, usize) {
        let offset = usize::try_from(self.position % BLOCK_BYTES).unwrap_or(0);
        (self.position / BLOCK_BYTES, offset)
    }
}

impl Read for Overlay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (number, offset) = self.here();
        let original;
        let block = match self.blocks.get(&number) {
            Some(block) => block,
            None => {
                original = self.original(number)?;
                &original
            }
        };
        let rest = block.get(offset..).unwrap_or_default();
        let length = buffer.len().min(rest.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Write for Overlay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (number, offset) = self.here();
        if !self.blocks.contains_key(&number) {
            self.blocks.insert(number, self.original(number)?);
        }
        let block = self.blocks.get_mut(&number).expect("just put there");
        let rest = block.get_mut(offset..).unwrap_or_default();
        let length = bytes.len().min(rest.len());
        rest[..length].copy_from_slice(&bytes[..length]);
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Overlay<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a disk of {} bytes with {} blocks changed", self.length, self.blocks.len())
    }
}

#[cfg(test)]
mod tests;
