//! The frame: a fixed head, the operation (postcard), the payload.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `TPR1` |
//! | 4 | 4 | length of the whole frame, bytes |
//! | 8 | 4 | CRC32C of everything from offset 12 |
//! | 12 | 1 | codec of the payload: 0 raw, 1 zstd |
//! | 13 | 1 | side of the writer: 0 a, 1 b |
//! | 14 | 2 | length of `seen` (postcard), bytes |
//! | 16 | 16 | incarnation of the writer |
//! | 32 | 8 | index |
//! | 40 | 8 | clock |
//! | 48 | 4 | length of the operation (postcard), bytes |
//! | 52 | 4 | CRC32C of the payload |
//! | 56 | | `seen`, then the operation, then the payload |
//!
//! All numbers are little-endian. A frame names its writer and index, so old bytes of a recycled
//! segment are never taken for new ones.

use thiserror::Error;

use crate::id::{Address, Clock, Side, Vector, Writer};
use crate::limits::FRAME_BYTES_MAX;
use crate::op::Op;

const MAGIC: [u8; 4] = *b"TPR1";
const HEAD_BYTES: usize = 56;

/// How the payload is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    Raw,
    Zstd,
}

/// One immutable entry of one writer's journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub writer: Writer,
    pub index: u64,
    pub clock: Clock,
    /// What changed in what the writer held since its last record; its own records are left out.
    pub seen: Vector,
    pub op: Op,
    pub codec: Codec,
    /// Message bytes of an [`Op::Body`]; empty otherwise.
    pub payload: Vec<u8>,
}

/// Why bytes are not a frame.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    #[error("a frame needs {need} bytes, only {got} are there")]
    Short { need: usize, got: usize },
    #[error("no frame begins here: expected the magic TPR1, got {got:02x?}")]
    Magic { got: [u8; 4] },
    #[error("a frame says it has {got} bytes; {HEAD_BYTES} to {FRAME_BYTES_MAX} are possible")]
    Length { got: usize },
    #[error("checksum: the frame says {expected:08x}, its bytes give {got:08x}")]
    Checksum { expected: u32, got: u32 },
    #[error("the frame's {part} cannot be read: {reason}")]
    Content { part: &'static str, reason: String },
}

impl Record {
    #[must_use]
    pub fn address(&self) -> Address {
        Address { writer: self.writer, index: self.index }
    }

    /// The frame's bytes.
    ///
    /// # Panics
    /// When the record is larger than [`FRAME_BYTES_MAX`]: whoever makes records keeps their limits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let seen = postcard::to_stdvec(&self.seen).expect("postcard writes any vector");
        let op = postcard::to_stdvec(&self.op).expect("postcard writes any operation");
        let length = HEAD_BYTES + seen.len() + op.len() + self.payload.len();
        assert!(length <= FRAME_BYTES_MAX, "a record of {length} bytes");
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(matches!(self.codec, Codec::Zstd) as u8);
        out.push(matches!(self.writer.side, Side::B) as u8);
        out.extend_from_slice(&(seen.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.writer.incarnation.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.clock.0.to_le_bytes());
        out.extend_from_slice(&(op.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&self.payload).to_le_bytes());
        out.extend_from_slice(&seen);
        out.extend_from_slice(&op);
        out.extend_from_slice(&self.payload);
        let crc = crc32c::crc32c(&out[12..]);
        out[8..12].copy_from_slice(&crc.to_le_bytes());
        out
    }
}

/// How long the frame that begins at `bytes` says it is, in bytes. Checks the magic and the range only.
///
/// # Errors
/// [`FrameError::Short`] (under 8 bytes), [`FrameError::Magic`] or [`FrameError::Length`].
pub fn frame_length(bytes: &[u8]) -> Result<usize, FrameError> {
    let head: &[u8; 8] =
        bytes.first_chunk().ok_or(FrameError::Short { need: 8, got: bytes.len() })?;
    let [m0, m1, m2, m3, length @ ..] = *head;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(FrameError::Magic { got: [m0, m1, m2, m3] });
    }
    let length = u32::from_le_bytes(length) as usize;
    if !(HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Err(FrameError::Length { got: length });
    }
    Ok(length)
}

/// What a frame says of itself, without its payload and without looking at the checksum: for frames that
/// were checked when they came from the disk or will be when they go there.
///
/// # Errors
/// As [`decode`], but for the checksum.
pub fn decode_head(bytes: &[u8]) -> Result<Record, FrameError> {
    let length = frame_length(bytes)?;
    let frame = bytes.get(..length).ok_or(FrameError::Short { need: length, got: bytes.len() })?;
    parts(frame).map(|(record, _)| record)
}

/// Like [`decode_head`], and checks all that it reads: also where the payload is damaged, what this gives
/// is what was written. (The checksum of the whole follows from that of the part before the payload and
/// the payload's own, which stands in the head.)
///
/// # Errors
/// As [`decode`], but for damage of the payload.
pub fn decode_checked_head(bytes: &[u8]) -> Result<Record, FrameError> {
    let length = frame_length(bytes)?;
    let frame = bytes.get(..length).ok_or(FrameError::Short { need: length, got: bytes.len() })?;
    let (record, payload_at) = parts(frame)?;
    let expected = u32::from_le_bytes(array(frame, 8));
    let payload = u32::from_le_bytes(array(frame, 52));
    let before = crc32c::crc32c(&frame[12..payload_at]);
    let got = crc32c::crc32c_combine(before, payload, length - payload_at);
    if expected != got {
        return Err(FrameError::Checksum { expected, got });
    }
    Ok(record)
}

/// Is every byte of the frame at the beginning of `bytes` what was written?
///
/// # Errors
/// As [`decode`], but nothing is read.
pub fn check(bytes: &[u8]) -> Result<(), FrameError> {
    let length = frame_length(bytes)?;
    let frame = bytes.get(..length).ok_or(FrameError::Short { need: length, got: bytes.len() })?;
    let expected = u32::from_le_bytes(array(frame, 8));
    let got = crc32c::crc32c(&frame[12..]);
    if expected == got { Ok(()) } else { Err(FrameError::Checksum { expected, got }) }
}

/// Reads the frame at the beginning of `bytes`; what follows it is left alone.
///
/// # Errors
/// Any [`FrameError`]; bytes from a disk or a cable never panic.
pub fn decode(bytes: &[u8]) -> Result<Record, FrameError> {
    let length = frame_length(bytes)?;
    let frame = bytes.get(..length).ok_or(FrameError::Short { need: length, got: bytes.len() })?;
    check(frame)?;
    let (mut record, payload_at) = parts(frame)?;
    record.payload = frame[payload_at..].to_vec();
    Ok(record)
}

/// The fields of a frame of the right length; where its payload begins.
fn parts(frame: &[u8]) -> Result<(Record, usize), FrameError> {
    let content = |part, reason: String| FrameError::Content { part, reason };
    let codec = match frame[12] {
        0 => Codec::Raw,
        1 => Codec::Zstd,
        other => return Err(content("codec", format!("{other} is unknown"))),
    };
    let side = match frame[13] {
        0 => Side::A,
        1 => Side::B,
        other => return Err(content("side", format!("{other} is unknown"))),
    };
    let seen_end = HEAD_BYTES + u16::from_le_bytes(array(frame, 14)) as usize;
    let op_end = seen_end + u32::from_le_bytes(array(frame, 48)) as usize;
    if op_end > frame.len() {
        return Err(content(
            "lengths",
            format!("parts end at {op_end}, the frame at {}", frame.len()),
        ));
    }
    let op: Op = postcard::from_bytes(&frame[seen_end..op_end])
        .map_err(|e| content("operation", e.to_string()))?;
    let index = u64::from_le_bytes(array(frame, 32));
    if op.count() == 0 || index.checked_add(op.count()).is_none() {
        return Err(content("operation", format!("a gap of {} records", op.count())));
    }
    let record = Record {
        writer: Writer { side, incarnation: u128::from_le_bytes(array(frame, 16)) },
        index,
        clock: Clock(u64::from_le_bytes(array(frame, 40))),
        seen: postcard::from_bytes(&frame[HEAD_BYTES..seen_end])
            .map_err(|e| content("seen", e.to_string()))?,
        op,
        codec,
        payload: Vec::new(),
    };
    Ok((record, op_end))
}

/// `N` bytes at `at`; the head's length was checked.
fn array<const N: usize>(frame: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&frame[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::BodyPart;

    fn sample() -> Record {
        let writer = Writer { side: Side::B, incarnation: 7 };
        let peer = Writer { side: Side::A, incarnation: 9 };
        Record {
            writer,
            index: 3,
            clock: Clock(5),
            seen: [(peer, 2)].into(),
            op: Op::Body(BodyPart { part: 1, plain_bytes: 5 }),
            codec: Codec::Raw,
            payload: b"hello".to_vec(),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_went() {
        assert_eq!(decode(&sample().encode()), Ok(sample()));
    }

    /// Golden bytes of format version 1: a box in the field holds frames like this one.
    #[test]
    fn version_1_is_read_for_ever() {
        let golden = include_bytes!("../golden/v1-body.bin");
        assert_eq!(decode(golden), Ok(sample()));
        assert_eq!(sample().encode(), golden);
    }

    /// Golden bytes of every operation of format 1, and so of its postcard form: frames one after the other.
    #[test]
    fn every_operation_of_version_1_is_read_for_ever() {
        let ops = crate::golden::operations();
        let frames = ops
            .iter()
            .flat_map(|op| Record { op: op.clone(), payload: Vec::new(), ..sample() }.encode());
        let golden = include_bytes!("../golden/v1-ops.bin");
        assert!(
            frames.eq(golden.iter().copied()),
            "a box in the field could not read what is written"
        );
        let mut rest = &golden[..];
        for op in ops {
            let record = decode(rest).unwrap();
            assert_eq!(record.op, op);
            assert_eq!(record.op.format(), 1);
            rest = &rest[frame_length(rest).unwrap()..];
        }
        assert_eq!(rest, b"");
    }

    /// What only a later format knows is an error, never another operation.
    #[test]
    fn an_operation_of_a_later_format_is_refused() {
        let mut frame = Record { op: Op::Start, payload: Vec::new(), ..sample() }.encode();
        let seen = usize::from(u16::from_le_bytes([frame[14], frame[15]]));
        frame[HEAD_BYTES + seen] = 120;
        let crc = crc32c::crc32c(&frame[12..]);
        frame[8..12].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(check(&frame), Ok(()));
        assert!(matches!(decode(&frame), Err(FrameError::Content { part: "operation", .. })));
    }

    #[test]
    fn the_head_says_all_but_the_payload() {
        let head = decode_head(&sample().encode()).unwrap();
        assert_eq!(head, Record { payload: Vec::new(), ..sample() });
    }

    #[test]
    fn every_single_flipped_bit_is_noticed() {
        let good = sample().encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
            assert!(check(&bad).is_err(), "bit {bit}");
            let head = Record { payload: Vec::new(), ..sample() };
            match bit / 8 < good.len() - sample().payload.len() {
                true => assert!(decode_checked_head(&bad).is_err(), "bit {bit}"),
                false => assert_eq!(decode_checked_head(&bad), Ok(head), "bit {bit}"),
            }
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let good = sample().encode();
        for length in 0..good.len() {
            assert!(matches!(decode(&good[..length]), Err(FrameError::Short { .. })), "{length}");
        }
    }
}
