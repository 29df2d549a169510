//! A segment's header: whose it is, where it begins, what was held before it.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `TPLOGSEG` |
//! | 8 | 4 | format version: 1; 2 when the segment was rewritten |
//! | 12 | 4 | length of the header, bytes, without padding |
//! | 16 | 16 | id of the log |
//! | 32 | 8 | first position |
//! | 40 | 4 | number of writers |
//! | 44 | 33 each | writer (side, incarnation), records held before this segment, their running hash |
//! | | 4 | version 2: how many times the segment was rewritten |
//! | | 4 | version 2: number of ranges of dropped records |
//! | | 8 each | version 2: first ordinal, number of records |
//! | | 4 | CRC32C of all before |
//!
//! A missing ordinal is damage unless it stands among the dropped ones.
//!
//! Padded to whole pages and written twice, so that one bad page costs nothing. Entries follow.

use std::collections::BTreeMap;

use record::{Side, Writer};

use crate::disk::Disk;
use crate::error::{Error, disk_error};
use crate::limits::HEADER_BYTES_MAX;

const MAGIC: [u8; 8] = *b"TPLOGSEG";
const VERSION: u32 = 1;
const REWRITTEN_VERSION: u32 = 2;
const FIXED_BYTES: usize = 44;
const WRITER_BYTES: usize = 33;
const RANGE_BYTES: usize = 8;
const PAGE_BYTES: usize = 4096;

/// How far one writer's journal is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    pub count: u64,
    pub hash: u64,
}

pub type Table = BTreeMap<Writer, Mark>;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    pub log_id: u128,
    /// Position of the segment's first record.
    pub first: u64,
    /// What was held before it.
    pub table: Table,
    /// How many times it was rewritten.
    pub generation: u32,
    /// Dropped records: first ordinal and number of each range, ascending.
    pub dropped: Vec<(u32, u32)>,
}

impl Header {
    /// Where the entries begin.
    pub fn data_start(&self) -> u64 {
        2 * padded(self.length()) as u64
    }

    pub fn is_dropped(&self, ordinal: u32) -> bool {
        let after = self.dropped.partition_point(|(first, _)| *first <= ordinal);
        let range = after.checked_sub(1).and_then(|at| self.dropped.get(at));
        range.is_some_and(|(first, count)| ordinal - first < *count)
    }

    /// Of one copy without its padding, bytes.
    fn length(&self) -> usize {
        let rewritten = if self.generation == 0 { 0 } else { 8 + self.dropped.len() * RANGE_BYTES };
        FIXED_BYTES + self.table.len() * WRITER_BYTES + rewritten + 4
    }

    /// Both copies.
    pub fn encode(&self) -> Vec<u8> {
        let length = self.length();
        let version = if self.generation == 0 { VERSION } else { REWRITTEN_VERSION };
        let mut out = Vec::with_capacity(2 * padded(length));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&self.log_id.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&(self.table.len() as u32).to_le_bytes());
        for (writer, mark) in &self.table {
            out.push(matches!(writer.side, Side::B) as u8);
            out.extend_from_slice(&writer.incarnation.to_le_bytes());
            out.extend_from_slice(&mark.count.to_le_bytes());
            out.extend_from_slice(&mark.hash.to_le_bytes());
        }
        if self.generation > 0 {
            out.extend_from_slice(&self.generation.to_le_bytes());
            out.extend_from_slice(&(self.dropped.len() as u32).to_le_bytes());
            for (first, count) in &self.dropped {
                out.extend_from_slice(&first.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out.resize(padded(length), 0);
        out.extend_from_within(..);
        out
    }

    /// Puts a bad copy right from the good one; was there any?
    ///
    /// # Errors
    /// As [`Header::read`].
    pub fn mend<D: Disk>(disk: &D, file: &D::File, name: &str) -> Result<bool, Error> {
        let right = Header::read(disk, file, name)?.encode();
        let mut mended = false;
        let half = right.len() / 2;
        for at in [0, half] {
            let copy = &right[at..at + half];
            let mut there = vec![0; half];
            let read = disk.read_at(file, at as u64, &mut there);
            if read.is_err() || there != copy {
                disk.write_at(file, at as u64, copy).map_err(disk_error("write to", name))?;
                disk.sync_data(file).map_err(disk_error("sync", name))?;
                mended = true;
            }
        }
        Ok(mended)
    }

    /// Reads the header of an open segment: the first copy that is whole.
    ///
    /// # Errors
    /// [`Error::Segment`] when neither is, [`Error::Version`], [`Error::Disk`].
    pub fn read<D: Disk>(disk: &D, file: &D::File, name: &str) -> Result<Header, Error> {
        let length = disk.length(file).map_err(disk_error("measure", name))?;
        let mut reason = "it is empty";
        // The second copy begins where the padded first ends, and the first may be too bad to tell where.
        let starts = (0..length.min(2 * HEADER_BYTES_MAX as u64)).step_by(PAGE_BYTES);
        for start in starts {
            match read_copy(disk, file, start) {
                Ok(header) => {
                    if start > 0 {
                        tracing::warn!(file = name, "the first copy of the header is bad");
                    }
                    return Ok(header);
                }
                Err(Bad::Version(got)) => {
                    return Err(Error::Version {
                        file: name.into(),
                        got,
                        known: REWRITTEN_VERSION,
                    });
                }
                Err(Bad::Header(why)) if start == 0 => reason = why,
                Err(Bad::Header(_)) => {}
            }
        }
        Err(Error::Segment { file: name.into(), reason })
    }
}

/// Why a copy is not used.
enum Bad {
    Header(&'static str),
    /// It is whole, but of a format that this program does not know.
    Version(u32),
}

fn read_copy<D: Disk>(disk: &D, file: &D::File, start: u64) -> Result<Header, Bad> {
    let unreadable = |_| Bad::Header("the disk does not read its header");
    let mut bytes = vec![0; PAGE_BYTES];
    let got = disk.read_at(file, start, &mut bytes).map_err(unreadable)?;
    bytes.truncate(got);
    let length = header_length(&bytes)?;
    if length > bytes.len() {
        bytes.resize(length, 0);
        disk.read_at(file, start, &mut bytes).map_err(unreadable)?;
    }
    decode(&bytes[..length])
}

/// The length that the beginning of a header gives, checked for magic and range.
fn header_length(bytes: &[u8]) -> Result<usize, Bad> {
    let fixed: &[u8; FIXED_BYTES] = bytes.first_chunk().ok_or(Bad::Header("it is too short"))?;
    if fixed[..8] != MAGIC {
        return Err(Bad::Header("no header begins here"));
    }
    let length = u32_at(fixed, 12) as usize;
    if !(FIXED_BYTES + 4..=HEADER_BYTES_MAX).contains(&length) {
        return Err(Bad::Header("its header gives an impossible length"));
    }
    Ok(length)
}

fn decode(bytes: &[u8]) -> Result<Header, Bad> {
    let (content, crc) = bytes.split_last_chunk::<4>().ok_or(Bad::Header("it is too short"))?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
        return Err(Bad::Header("its header's checksum is wrong"));
    }
    let version = u32_at(content, 8);
    if !(VERSION..=REWRITTEN_VERSION).contains(&version) {
        return Err(Bad::Version(version));
    }
    let wrong_length = Bad::Header("its header's table has another length than it says");
    let table_bytes = u32_at(content, 40) as usize * WRITER_BYTES;
    let Some((table, rest)) = content[FIXED_BYTES..].split_at_checked(table_bytes) else {
        return Err(wrong_length);
    };
    let (generation, dropped) = match version {
        VERSION if rest.is_empty() => (0, Vec::new()),
        REWRITTEN_VERSION => rewritten(rest).ok_or(wrong_length)?,
        _ => return Err(wrong_length),
    };
    let table = table.as_chunks::<WRITER_BYTES>().0.iter().map(|row| {
        let side = if row[0] == 0 { Side::A } else { Side::B };
        let writer = Writer { side, incarnation: u128_at(row, 1) };
        (writer, Mark { count: u64_at(row, 17), hash: u64_at(row, 25) })
    });
    let (log_id, first) = (u128_at(content, 16), u64_at(content, 32));
    Ok(Header { log_id, first, table: table.collect(), generation, dropped })
}

/// What only a rewritten segment's header has.
fn rewritten(bytes: &[u8]) -> Option<(u32, Vec<(u32, u32)>)> {
    let (fixed, ranges) = bytes.split_first_chunk::<8>()?;
    let count = u32_at(fixed, 4) as usize;
    let ranges = ranges.as_chunks::<RANGE_BYTES>().0.iter().map(|r| (u32_at(r, 0), u32_at(r, 4)));
    (bytes.len() == 8 + count * RANGE_BYTES).then(|| (u32_at(fixed, 0), ranges.collect()))
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(PAGE_BYTES)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    bytes[at..].first_chunk().map_or(0, |b| u128::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    fn sample(writers: u64) -> Header {
        let writer = |i: u64| Writer { side: Side::BOTH[(i % 2) as usize], incarnation: i.into() };
        let table = (0..writers).map(|i| (writer(i), Mark { count: i * 3, hash: !i })).collect();
        Header { log_id: 5 << 100, first: 1234, table, ..Header::default() }
    }

    fn read(bytes: &[u8]) -> Result<Header, Error> {
        let disk = SimDisk::new(1);
        disk.put("x", bytes);
        Header::read(&disk, &disk.open("x").unwrap(), "x")
    }

    #[test]
    fn a_header_of_any_size_survives_the_loss_of_either_copy() {
        let rewritten = |ranges| {
            let dropped = (0..ranges).map(|i| (i * 10, 1 + i % 9)).collect();
            Header { generation: 1 + ranges, dropped, ..sample(2) }
        };
        let plain = [0, 1, 100, 123, 124, 1000].map(sample);
        for header in plain.into_iter().chain([0, 1, 1000].map(rewritten)) {
            let writers = header.table.len();
            let bytes = header.encode();
            assert_eq!(bytes.len() as u64, header.data_start());
            for rot in [None, Some(20), Some(13), Some(bytes.len() / 2 + 20)] {
                let mut bytes = bytes.clone();
                rot.inspect(|at| bytes[*at] ^= 0x40);
                assert_eq!(read(&bytes).as_ref(), Ok(&header), "{writers} writers, rot {rot:?}");
            }
        }
    }

    #[test]
    fn a_newer_version_is_not_damage() {
        let mut bytes = sample(0).encode();
        bytes[8] = 3;
        let crc = crc32c::crc32c(&bytes[..44]);
        bytes[44..48].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(read(&bytes), Err(Error::Version { got: 3, known: 2, .. })));
    }

    #[test]
    fn nothing_else_passes_for_a_header() {
        let mut bytes = sample(2).encode();
        assert!(read(&bytes[..100]).is_err());
        assert!(read(&[]).is_err());
        bytes[40] ^= 1;
        bytes[PAGE_BYTES + 40] ^= 1;
        assert!(matches!(read(&bytes), Err(Error::Segment { .. })));
    }
}
