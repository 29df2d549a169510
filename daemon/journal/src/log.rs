//! The log in memory: what is held, what waits for the disk.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use record::{Address, Op, Record, Vector, Writer};

use crate::disk::Disk;
use crate::error::{Damage, Error};
use crate::gap;
use crate::limits::{SEGMENT_BYTES, SEGMENT_BYTES_MAX, UNWRITTEN_BYTES_MAX};
use crate::read::Cache;
use crate::segment::entry::{FrameHead, chain};
use crate::segment::header::Table;
use crate::segment::index::{SegmentIndex, Span};
use crate::spare::Spare;

/// The place of a record in this box's log, counted from 0, for ever. The peer's log has other positions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// 128 random bits: the id of the log when the directory holds none yet. Never leaves the box.
    pub new_log_id: u128,
    /// A segment is sealed when the next record would make it longer than this.
    pub segment_bytes: u64,
    /// Segments grow as they are written; nothing is zeroed ahead. Slower, but writes every byte once.
    pub grow_only: bool,
}

impl Config {
    /// The usual: [`SEGMENT_BYTES`], zeroed ahead.
    #[must_use]
    pub fn new(new_log_id: u128) -> Config {
        Config { new_log_id, segment_bytes: SEGMENT_BYTES, grow_only: false }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.segment_bytes {
            0..=SEGMENT_BYTES_MAX => Ok(()),
            _ => Err(Error::Config { reason: "segments are too long" }),
        }
    }
}

/// One segment, for the status page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
    pub first: Position,
    pub records: u64,
    pub bytes: u64,
    pub sealed: bool,
}

/// The log. All methods take `&self`; any thread may call any of them.
#[derive(Debug)]
pub struct Log<D: Disk> {
    pub(crate) disk: D,
    pub(crate) config: Config,
    pub(crate) id: u128,
    /// Held for moments only, never while the disk works.
    pub(crate) state: Mutex<State<D>>,
    /// With `state`: something waits for the disk.
    pub(crate) work: Condvar,
    /// Held by whoever writes. Taken before `state`.
    pub(crate) tail: Mutex<Tail<D>>,
    pub(crate) spare: Mutex<Spare<D>>,
    /// With `spare`: the spare was used.
    pub(crate) spare_used: Condvar,
    pub(crate) cache: Mutex<Cache<D>>,
    /// Held by whoever rewrites sealed segments. Taken before `tail`.
    pub(crate) upkeep: Mutex<()>,
    /// The position that the scrub checks next.
    pub(crate) scrubbed: Mutex<u64>,
}

/// What readers and appenders share.
#[derive(Debug)]
pub(crate) struct State<D: Disk> {
    pub(crate) writers: BTreeMap<Writer, Held>,
    pub(crate) end: u64,
    pub(crate) synced: u64,
    /// The records from `synced` to `end`.
    pub(crate) unwritten: VecDeque<Unwritten>,
    pub(crate) unwritten_at: HashMap<Address, u64>,
    pub(crate) unwritten_bytes: usize,
    /// Oldest first.
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) live: Live<D>,
    /// What broke the log.
    pub(crate) broken: Option<Error>,
}

/// One writer's journal as far as it is held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) count: u64,
    pub(crate) hash: u64,
    /// Which segments its records are in, ascending.
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) first_index: u64,
    pub(crate) segment: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Unwritten {
    /// More than one record for a gap; from the first on that was not held before.
    pub(crate) span: Span,
    pub(crate) frame: Arc<[u8]>,
    /// Running hash, this record included.
    pub(crate) hash: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed {
    pub(crate) first: u64,
    /// Dropped ones included.
    pub(crate) records: u32,
    pub(crate) bytes: u64,
    /// How many times it was rewritten.
    pub(crate) generation: u32,
}

/// The segment that grows.
#[derive(Debug)]
pub(crate) struct Live<D: Disk> {
    pub(crate) first: u64,
    pub(crate) file: Arc<D::File>,
    pub(crate) index: SegmentIndex,
}

/// What only the writing thread needs.
#[derive(Debug)]
pub(crate) struct Tail<D: Disk> {
    pub(crate) first: u64,
    pub(crate) file: Arc<D::File>,
    pub(crate) data_end: u64,
    /// What is durable of each writer.
    pub(crate) table: Table,
    pub(crate) buffer: Vec<u8>,
}

impl<D: Disk> Log<D> {
    /// Takes a record in at the end. Readers see it at once; it is durable after a flush. Costs one
    /// encoding and no I/O.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`], [`Error::Backlog`], [`Error::Broken`]; nothing is taken in then.
    pub fn append(&self, record: &Record) -> Result<Position, Error> {
        if let Op::Gap { .. } = record.op {
            return self.append_frame(&record.encode());
        }
        // Before the work of encoding.
        let address = record.address();
        self.lock().check_turn(address, address.index.saturating_add(1), false)?;
        let frame = record.encode().into();
        self.take_in(FrameHead { address, length: 0, gap: None }, frame)
    }

    /// Like [`Log::append`] for a frame as it came over the cable: its bytes are kept as they are, also
    /// when this version cannot read all of what they say. A gap that begins with records held here is
    /// taken in when they are the ones that it stands for, by its running hashes; it has one position and
    /// counts for those that were not held.
    ///
    /// # Errors
    /// As [`Log::append`], and [`Error::Frame`] or [`Error::Damaged`] when it is not exactly one whole
    /// frame; [`Error::Diverged`] for a gap.
    pub fn append_frame(&self, frame: &[u8]) -> Result<Position, Error> {
        let head = FrameHead::read(frame).map_err(|damage| match damage {
            Damage::Frame(error) => Error::Frame(error),
            damage => Error::Damaged { position: None, address: None, damage },
        })?;
        if head.length != frame.len() {
            return Err(record::FrameError::Length { got: frame.len() }.into());
        }
        self.take_in(head, frame.into())
    }

    /// Would [`Log::append_frame`] take this gap in? A gap from the peer that stands for other records than
    /// those held here must be told before anybody counts on it.
    ///
    /// # Errors
    /// As [`Log::append_frame`].
    pub fn check_gap(&self, frame: &[u8]) -> Result<(), Error> {
        let head = FrameHead::read(frame).map_err(|damage| Error::Damaged {
            position: None,
            address: None,
            damage,
        })?;
        let state = self.lock();
        state.check_turn(head.address, head.end(), head.gap.is_some())?;
        state.hash_after(head, frame).map(drop)
    }

    /// Everything up to here survives a power cut.
    #[must_use]
    pub fn synced(&self) -> Position {
        Position(self.lock().synced)
    }

    /// The position that the next record gets.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.lock().end)
    }

    /// How many records of each writer are held, those included that wait for the disk.
    #[must_use]
    pub fn vector(&self) -> Vector {
        self.lock().writers.iter().map(|(writer, held)| (*writer, held.count)).collect()
    }

    /// How many records of one writer are held: the index that its next must have.
    #[must_use]
    pub fn count(&self, writer: Writer) -> u64 {
        self.lock().count(writer)
    }

    /// The log's id: another one means another disk.
    #[must_use]
    pub fn id(&self) -> u128 {
        self.id
    }

    /// Length of all segments, bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that wait for the disk; grows up to [`UNWRITTEN_BYTES_MAX`] when it is slow or full.
    #[must_use]
    pub fn unwritten_bytes(&self) -> usize {
        self.lock().unwritten_bytes
    }

    /// Oldest first; what waits for the disk is not counted.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let state = self.lock();
        let live = SegmentInfo {
            first: Position(state.live.first),
            records: state.live.index.records().into(),
            bytes: state.live.index.data_end(),
            sealed: false,
        };
        let sealed = state.sealed.iter().map(|segment| SegmentInfo {
            first: Position(segment.first),
            records: segment.records.into(),
            bytes: segment.bytes,
            sealed: true,
        });
        sealed.chain([live]).collect()
    }

    /// What the disk still has room for, bytes.
    ///
    /// # Errors
    /// [`Error::Disk`]
    pub fn free_bytes(&self) -> Result<u64, Error> {
        self.disk.free_bytes().map_err(crate::error::disk_error("measure", "the disk"))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().expect("no thread panics while it holds the log's state")
    }

    fn take_in(&self, head: FrameHead, frame: Arc<[u8]>) -> Result<Position, Error> {
        let address = head.address;
        let mut state = self.lock();
        state.check_turn(address, head.end(), head.gap.is_some())?;
        let position = state.end;
        let held = state.count(address.writer);
        let hash = state.hash_after(head, &frame)?;
        let first = Address { writer: address.writer, index: held };
        let span = Span { first, records: head.end() - held };
        let after = state.writers.entry(address.writer).or_default();
        (after.count, after.hash) = (head.end(), hash);
        state.end += 1;
        state.unwritten_bytes += frame.len();
        state.unwritten_at.extend(span.addresses().map(|address| (address, position)));
        state.unwritten.push_back(Unwritten { span, frame, hash });
        drop(state);
        self.work.notify_one();
        Ok(Position(position))
    }
}

impl<D: Disk> State<D> {
    pub(crate) fn count(&self, writer: Writer) -> u64 {
        self.writers.get(&writer).map_or(0, |held| held.count)
    }

    /// The running hash behind a frame whose turn it is.
    fn hash_after(&self, head: FrameHead, frame: &[u8]) -> Result<u64, Error> {
        let address = head.address;
        let before = self.writers.get(&address.writer);
        let (held, hash) = before.map_or((0, 0), |held| (held.count, held.hash));
        match head.gap {
            None => Ok(chain(hash, frame)),
            Some(gap) if gap::hash_before(frame, gap, held - address.index) == Some(hash) => {
                Ok(gap.running_hash)
            }
            Some(_) => Err(Error::Diverged { address, held }),
        }
    }

    /// Are records from `address` to `end` the next? Only a gap may begin with records that are held.
    fn check_turn(&self, address: Address, end: u64, gap: bool) -> Result<(), Error> {
        if let Some(error) = &self.broken {
            return Err(Error::Broken(Box::new(error.clone())));
        }
        let expected = self.count(address.writer);
        let fits = address.index == expected || (gap && address.index < expected && expected < end);
        if !fits {
            return Err(Error::OutOfTurn { address, expected });
        }
        if self.unwritten_bytes >= UNWRITTEN_BYTES_MAX {
            return Err(Error::Backlog { bytes: self.unwritten_bytes });
        }
        Ok(())
    }
}
