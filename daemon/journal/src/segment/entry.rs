//! An entry of a segment: 20 bytes of the log's own, then the frame just as it crosses the cable.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | check: CRC32C of the log's id, the segment's first position, offsets 4 to 20 and the frame's first 12 bytes |
//! | 4 | 4 | ordinal in the segment; position less the segment's first |
//! | 8 | 4 | ordinal of the first entry of the batch: all before it was durable when this was written |
//! | 12 | 8 | running hash of the writer's journal, this record included |
//! | 20 | | the frame |
//!
//! The check covers the frame's own checksum, and so the whole frame. The log's id is known to this box
//! alone, so nothing that a message carries can pass for an entry, nor do old bytes of another segment.

use record::{Address, Side, Writer, frame_length};

use crate::error::Damage;
use crate::gap::{self, Gap};

pub const ENTRY_HEAD_BYTES: usize = 20;
/// The fixed part of a frame (see `record::frame`).
pub const FRAME_HEAD_BYTES: usize = 56;
pub const ENTRY_BYTES_MIN: usize = ENTRY_HEAD_BYTES + FRAME_HEAD_BYTES;

const CHECKED_OF_FRAME: usize = 12;

/// What ties an entry to its log and segment.
#[derive(Clone, Copy, Debug)]
pub struct Salt(u32);

/// What an entry says besides its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryHead {
    pub ordinal: u32,
    /// Ordinal of the first entry of its batch.
    pub batch: u32,
    /// Running hash of the writer, this record included.
    pub hash: u64,
}

/// What the log needs to know of a frame, without decoding it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHead {
    pub address: Address,
    pub length: usize,
    /// When the frame stands for reclaimed records.
    pub gap: Option<Gap>,
}

impl Salt {
    pub fn new(log_id: u128, segment_first: u64) -> Salt {
        let crc = crc32c::crc32c(&log_id.to_le_bytes());
        Salt(crc32c::crc32c_append(crc, &segment_first.to_le_bytes()))
    }

    /// Appends the entry of `frame` to `out`.
    pub fn write(self, head: EntryHead, frame: &[u8], out: &mut Vec<u8>) {
        let said = head.encode();
        let check = self.check(&said, frame);
        out.extend_from_slice(&check.to_le_bytes());
        out.extend_from_slice(&said);
        out.extend_from_slice(frame);
    }

    /// Reads the head of the entry at the beginning of `bytes` and checks it; needs the frame's first 12
    /// bytes too, but not the rest.
    pub fn read_head(self, bytes: &[u8]) -> Option<EntryHead> {
        let (head, frame) = bytes.split_first_chunk::<ENTRY_HEAD_BYTES>()?;
        if frame.len() < CHECKED_OF_FRAME {
            return None;
        }
        let check = u32::from_le_bytes(array(head, 0));
        (check == self.check(&head[4..], frame)).then(|| EntryHead {
            ordinal: u32::from_le_bytes(array(head, 4)),
            batch: u32::from_le_bytes(array(head, 8)),
            hash: u64::from_le_bytes(array(head, 12)),
        })
    }

    fn check(self, said: &[u8], frame: &[u8]) -> u32 {
        let crc = crc32c::crc32c_append(self.0, said);
        crc32c::crc32c_append(crc, &frame[..CHECKED_OF_FRAME])
    }
}

impl EntryHead {
    fn encode(self) -> [u8; ENTRY_HEAD_BYTES - 4] {
        let mut out = [0; ENTRY_HEAD_BYTES - 4];
        out[..4].copy_from_slice(&self.ordinal.to_le_bytes());
        out[4..8].copy_from_slice(&self.batch.to_le_bytes());
        out[8..].copy_from_slice(&self.hash.to_le_bytes());
        out
    }
}

impl FrameHead {
    /// Reads the frame at the beginning of `bytes`, with its checksum. A frame of a newer format is one
    /// here, even when its operation cannot be read.
    pub fn read(bytes: &[u8]) -> Result<FrameHead, Damage> {
        let length = frame_length(bytes).map_err(Damage::Frame)?;
        let short = record::FrameError::Short { need: length, got: bytes.len() };
        let frame = bytes.get(..length).ok_or(Damage::Frame(short))?;
        let expected = u32::from_le_bytes(array(frame, 8));
        let got = crc32c::crc32c(&frame[12..]);
        if expected != got {
            return Err(Damage::Frame(record::FrameError::Checksum { expected, got }));
        }
        let side = match frame[13] {
            0 => Side::A,
            1 => Side::B,
            _ => return Err(Damage::Entry),
        };
        let writer = Writer { side, incarnation: u128::from_le_bytes(array(frame, 16)) };
        let index = u64::from_le_bytes(array(frame, 32));
        let gap = gap::of_frame(frame).map_err(Damage::Frame)?;
        Ok(FrameHead { address: Address { writer, index }, length, gap })
    }

    /// How many records of its writer it stands for.
    pub fn records(&self) -> u64 {
        self.gap.map_or(1, |gap| gap.count)
    }

    /// The index behind its last.
    pub fn end(&self) -> u64 {
        self.address.index.saturating_add(self.records())
    }
}

/// The running hash of a writer after one more frame, that is not a gap: equal on two boxes that hold
/// the same journal so far. It sees the frame's fixed part, which holds the checksums of the rest; it finds faults, not
/// forgers.
pub fn chain(hash: u64, frame: &[u8]) -> u64 {
    frame[..FRAME_HEAD_BYTES].as_chunks::<8>().0.iter().fold(hash, |hash, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    })
}

/// `N` bytes at `at`, where the caller has checked the length.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use record::{Clock, Codec, Op, Record};

    use super::*;

    fn frame(index: u64) -> Vec<u8> {
        let writer = Writer { side: Side::B, incarnation: 77 };
        Record {
            writer,
            index,
            clock: Clock(9),
            seen: [(writer, 4)].into(),
            op: Op::Start,
            codec: Codec::Raw,
            payload: vec![7; 90],
        }
        .encode()
    }

    #[test]
    fn a_frame_is_known_without_decoding() {
        let frame = frame(5);
        let writer = Writer { side: Side::B, incarnation: 77 };
        let address = Address { writer, index: 5 };
        let expected = FrameHead { address, length: frame.len(), gap: None };
        assert_eq!(FrameHead::read(&frame), Ok(expected));
        for length in 0..frame.len() {
            assert!(FrameHead::read(&frame[..length]).is_err());
        }
    }

    #[test]
    fn an_entry_holds_only_in_its_segment_of_its_log() {
        let head = EntryHead { ordinal: 3, batch: 1, hash: 8 };
        let mut bytes = Vec::new();
        Salt::new(1, 100).write(head, &frame(0), &mut bytes);
        assert_eq!(Salt::new(1, 100).read_head(&bytes), Some(head));
        assert_eq!(Salt::new(2, 100).read_head(&bytes), None);
        assert_eq!(Salt::new(1, 101).read_head(&bytes), None);
        assert_eq!(Salt::new(1, 100).read_head(&bytes[..31]), None);
        for bit in 0..(ENTRY_HEAD_BYTES + CHECKED_OF_FRAME) * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Salt::new(1, 100).read_head(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn the_running_hash_tells_order_and_content() {
        let (a, b) = (frame(0), frame(1));
        assert_ne!(chain(chain(0, &a), &b), chain(chain(0, &b), &a));
        assert_ne!(chain(0, &a), chain(0, &b));
    }
}
