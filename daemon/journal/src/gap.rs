//! Gaps: what stands for reclaimed records.
//!
//! A gap is a record of its writer ([`record::Op::Gap`]) at the index of the first record that it stands
//! for. Its payload is the writer's running hash before each of them, 8 bytes each, so whoever holds a
//! part of those records already can tell whether his part fits, and a running hash can be told at any
//! count although the records are gone. The running hash behind a gap is the one behind its last record,
//! so two boxes agree on it whether or not they have reclaimed.
//!
//! In the log a gap has the position of the last record that it stands for: all that its `seen` names
//! is before it. So a gap moves towards the end only, when it is joined with the next, and a scan that
//! runs meanwhile misses nothing; it may see a record and later the gap that covers it.

use record::{Address, Clock, Codec, FrameError, Op, Record, Vector, decode};

use crate::limits::{GAP_RECORDS_MAX, GAP_WRITERS_MAX};
use crate::segment::entry::FRAME_HEAD_BYTES;

/// The first byte of a gap's operation in a frame.
const GAP_TAG: u8 = 17;
const HASH_BYTES: usize = 8;

/// What the log needs to know of a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    pub count: u64,
    /// Behind the last of its records.
    pub running_hash: u64,
}

/// The gap in a whole frame whose checksum is right; `None` when it is another record.
pub fn of_frame(frame: &[u8]) -> Result<Option<Gap>, FrameError> {
    let seen_bytes =
        frame.get(14..16).map_or(0, |two| usize::from(two[0]) | usize::from(two[1]) << 8);
    if frame.get(FRAME_HEAD_BYTES + seen_bytes) != Some(&GAP_TAG) {
        return Ok(None);
    }
    let record = decode(frame)?;
    let Op::Gap { count, running_hash } = record.op else { return Ok(None) };
    let right = (1..=GAP_RECORDS_MAX).contains(&count)
        && record.codec == Codec::Raw
        && record.payload.len() as u64 == count * HASH_BYTES as u64
        && record.index.checked_add(count).is_some();
    if !right {
        let reason = format!("{count} records, {} bytes of hashes", record.payload.len());
        return Err(FrameError::Content { part: "gap", reason });
    }
    Ok(Some(Gap { count, running_hash }))
}

/// The running hash before the `nth` record (from 0) of the gap in this frame.
pub fn hash_before(frame: &[u8], gap: Gap, nth: u64) -> Option<u64> {
    let left = usize::try_from(gap.count.checked_sub(nth)?).ok()?;
    let at = frame.len().checked_sub(left * HASH_BYTES)?;
    frame.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// A gap in the making.
#[derive(Clone, Debug)]
pub struct Builder {
    first: Address,
    seen: Vector,
    clock: Clock,
    hashes: Vec<u64>,
    running_hash: u64,
}

impl Builder {
    /// Of one record, or of a gap from the index `from` on. `before` and `after` are the writer's running
    /// hashes around it; the one before is not used for a gap, which brings its own.
    pub fn new(record: &Record, from: u64, before: u64, after: u64) -> Builder {
        let first = Address { writer: record.writer, index: from };
        let hashes = match record.op {
            Op::Gap { .. } => {
                let own = record.payload.as_chunks::<HASH_BYTES>().0;
                let skip = usize::try_from(from.saturating_sub(record.index)).unwrap_or(usize::MAX);
                own.iter().skip(skip).map(|bytes| u64::from_le_bytes(*bytes)).collect()
            }
            _ => vec![before],
        };
        let (seen, clock) = (record.seen.clone(), record.clock);
        Builder { first, seen, clock, hashes, running_hash: after }
    }

    pub fn first(&self) -> Address {
        self.first
    }

    pub fn records(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The running hash behind its last record.
    pub fn running_hash(&self) -> u64 {
        self.running_hash
    }

    /// Joins what follows; gives it back when it does not follow, or both together are too large.
    pub fn join(&mut self, next: Builder) -> Option<Builder> {
        let follows = next.first.writer == self.first.writer
            && next.first.index == self.first.index + self.records();
        let fits = self.records() + next.records() <= GAP_RECORDS_MAX
            && self.seen.len() + next.seen.len() <= GAP_WRITERS_MAX;
        if !(follows && fits) {
            return Some(next);
        }
        self.seen.extend(next.seen);
        self.clock = self.clock.max(next.clock);
        self.hashes.extend(next.hashes);
        self.running_hash = next.running_hash;
        None
    }

    /// Leaves out what lies behind `records`. What the whole gap had seen stays: only records that
    /// nobody has any more could tell the difference.
    pub fn cut(&mut self, records: u64) {
        let keep = usize::try_from(records).unwrap_or(usize::MAX);
        if let Some(hash) = self.hashes.get(keep) {
            self.running_hash = *hash;
            self.hashes.truncate(keep);
        }
    }

    pub fn record(self) -> Record {
        Record {
            writer: self.first.writer,
            index: self.first.index,
            clock: self.clock,
            seen: self.seen,
            op: Op::Gap { count: self.hashes.len() as u64, running_hash: self.running_hash },
            codec: Codec::Raw,
            payload: self.hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use record::{BodyPart, Side, Writer};

    use super::*;

    fn body(index: u64) -> Record {
        Record {
            writer: Writer { side: Side::A, incarnation: 5 },
            index,
            clock: Clock(100 - index),
            seen: [(Writer { side: Side::B, incarnation: 1 }, index)].into(),
            op: Op::Body(BodyPart { part: 0, plain_bytes: 0 }),
            codec: Codec::Raw,
            payload: vec![],
        }
    }

    fn of(range: std::ops::Range<u64>) -> Builder {
        let mut builders = range.map(|i| Builder::new(&body(i), i, i * 10, i * 10 + 10));
        let mut first = builders.next().unwrap();
        builders.for_each(|next| assert!(first.join(next).is_none()));
        first
    }

    #[test]
    fn a_gap_knows_what_it_stands_for() {
        let record = of(4..7).record();
        assert_eq!((record.index, record.clock), (4, Clock(96)));
        assert_eq!(record.seen, body(6).seen);
        let frame = record.encode();
        let gap = of_frame(&frame).unwrap().unwrap();
        assert_eq!(gap, Gap { count: 3, running_hash: 70 });
        let hashes = [0, 1, 2, 3].map(|nth| hash_before(&frame, gap, nth));
        assert_eq!(hashes, [Some(40), Some(50), Some(60), None]);
        assert_eq!(hash_before(&frame, gap, 4), None);
        assert_eq!(of_frame(&body(3).encode()), Ok(None));
    }

    #[test]
    fn gaps_join_and_are_cut() {
        let mut joined = Builder::new(&of(2..4).record(), 2, 0, 40);
        assert!(joined.join(Builder::new(&of(4..8).record(), 4, 0, 80)).is_none());
        assert_eq!(joined.clone().record(), of(2..8).record());
        assert!(joined.join(of(9..10)).is_some(), "that is not the next");
        let mut part = Builder::new(&of(2..8).record(), 5, 0, 80);
        assert_eq!((part.first().index, part.records()), (5, 3));
        part.cut(1);
        assert_eq!((part.records(), part.running_hash()), (1, 60));
    }

    #[test]
    fn a_gap_that_lies_about_its_length_is_no_gap() {
        for (count, bytes) in [(2, 8), (0, 0), (GAP_RECORDS_MAX + 1, 8), (u64::MAX, 8)] {
            let op = Op::Gap { count, running_hash: 1 };
            let record = Record { op, payload: vec![0; bytes], ..body(1) };
            assert!(of_frame(&record.encode()).is_err(), "{count}");
        }
    }
}
