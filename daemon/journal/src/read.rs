//! Random access: by writer and index, by position.

use std::sync::{Arc, MutexGuard};

use record::{Address, Op, Record, Vector, Writer};

use crate::disk::Disk;
use crate::error::{Damage, Error, disk_error};
use crate::gap::hash_before;
use crate::limits::{INDEX_CACHE_BYTES_MAX, INDEX_FILE_BYTES_MAX, OPEN_SEGMENTS_MAX};
use crate::log::{Held, Log, Position, Sealed, State};
use crate::rewrite::Entries;
use crate::scan::ScannedFrame;
use crate::segment::entry::{ENTRY_HEAD_BYTES, FrameHead, Salt};
use crate::segment::header::{Header, Table};
use crate::segment::index::{Place, SegmentIndex};
use crate::segment::survey::Survey;
use crate::segment::{index_file, segment_file};

impl<D: Disk> Log<D> {
    /// A record, from memory when it waits for the disk still.
    ///
    /// # Errors
    /// [`Error::NotHeld`]; [`Error::Reclaimed`]; [`Error::Damaged`]; [`Error::Disk`].
    pub fn read(&self, address: Address) -> Result<Record, Error> {
        let Some(position) = self.position_of(address)? else {
            let held = self.count(address.writer);
            return Err(Error::NotHeld { address, held });
        };
        let named = |error| match error {
            Error::Damaged { position, damage, .. } => {
                Error::Damaged { position, address: Some(address), damage }
            }
            Error::Reclaimed { position, .. } => {
                Error::Reclaimed { position, address: Some(address) }
            }
            other => other,
        };
        let record = self.read_at(position).map_err(named)?;
        let Address { writer, index } = record.address();
        match record.op {
            Op::Gap { count, .. }
                if writer == address.writer
                    && (index..index.saturating_add(count)).contains(&address.index) =>
            {
                Err(Error::Reclaimed { position, address: Some(address) })
            }
            _ if record.address() == address => Ok(record),
            _ => Err(damaged(position, Some(address), Damage::Entry)),
        }
    }

    /// The record at a position; a gap is one. The last record before [`Log::end`] is never reclaimed
    /// without a gap at its position.
    ///
    /// # Errors
    /// [`Error::BeyondEnd`]; [`Error::Reclaimed`]; [`Error::Damaged`]; [`Error::Disk`].
    pub fn read_at(&self, position: Position) -> Result<Record, Error> {
        decode(position, &self.frame(position)?)
    }

    /// The frame at a position, as it goes over the cable.
    ///
    /// # Errors
    /// As [`Log::read_at`].
    pub fn frame(&self, position: Position) -> Result<Arc<[u8]>, Error> {
        match self.locate(position)? {
            Location::Memory(frame) => Ok(frame),
            Location::Disk(spot) => {
                let mut entry = vec![0; spot.place.bytes];
                self.disk
                    .read_at(&spot.file, spot.place.offset, &mut entry)
                    .map_err(disk_error("read", &segment_file(spot.segment)))?;
                Ok(check_entry(self.id, &spot, position, &entry)?.into())
            }
            Location::Dropped { .. } => Err(Error::Reclaimed { position, address: None }),
        }
    }

    /// The first frame at this position or behind it; `None` at the end. What was reclaimed is passed over.
    ///
    /// # Errors
    /// [`Error::Damaged`], with the position; [`Error::Disk`].
    pub fn frame_from(&self, position: Position) -> Option<ScannedFrame> {
        let mut at = position;
        while at < self.end() {
            match self.locate(at) {
                Ok(Location::Dropped { next }) => at = next,
                Ok(_) => return Some(self.frame(at).map(|frame| (at, frame))),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// The frame that holds a record, or the gap which stands for it: what a peer is sent that asks for it.
    ///
    /// # Errors
    /// [`Error::NotHeld`]; [`Error::Damaged`]; [`Error::Disk`].
    pub fn frame_of(&self, address: Address) -> Result<Arc<[u8]>, Error> {
        let held = self.count(address.writer);
        let position = self.position_of(address)?.ok_or(Error::NotHeld { address, held })?;
        match self.frame(position) {
            // A gap moved on between the two.
            Err(Error::Reclaimed { .. }) => self.frame_of(address),
            other => other,
        }
    }

    /// Where a record is, or the gap which stands for it; `None` when it is not held.
    ///
    /// # Errors
    /// [`Error::Disk`] when the side index cannot be read or built; [`Error::Damaged`] when the segment is
    /// gone.
    pub fn position_of(&self, address: Address) -> Result<Option<Position>, Error> {
        let state = self.lock();
        if address.index >= state.count(address.writer) {
            return Ok(None);
        }
        if let Some(position) = state.unwritten_at.get(&address) {
            return Ok(Some(Position(*position)));
        }
        let gone =
            Error::Damaged { position: None, address: Some(address), damage: Damage::NoSegment };
        let segment = state.segment_of(address).ok_or(gone.clone())?;
        let ordinal = if segment == state.live.first {
            state.live.index.ordinal_of(address)
        } else {
            drop(state);
            self.opened(segment)?.index.ordinal_of(address)
        };
        ordinal.map(|ordinal| Some(Position(segment + u64::from(ordinal)))).ok_or(gone)
    }

    /// The lowest position that holds a record which a holder of `vector` lacks; the end when there is
    /// none. Streaming from here, and leaving out what `vector` has, gives the other everything. Somewhat
    /// lower when that record's segment is lost.
    ///
    /// # Errors
    /// [`Error::Disk`]
    pub fn first_missing(&self, vector: &Vector) -> Result<Position, Error> {
        let mut candidates = self.lock().missing(vector);
        // Segments ascending: once one has given a position, later ones cannot give a lower one.
        candidates.sort_unstable();
        let mut lowest = self.end();
        for (segment, address) in candidates {
            if segment > lowest.0 {
                break;
            }
            match self.position_of(address) {
                Ok(position) => lowest = position.map_or(lowest, |position| lowest.min(position)),
                // Lost here; what follows it is somewhere from that segment on.
                Err(Error::Damaged { .. }) => lowest = lowest.min(Position(segment)),
                Err(error) => return Err(error),
            }
        }
        Ok(lowest)
    }

    /// The running hash over the first `count` records of a writer: equal on two boxes that hold the same,
    /// reclaimed or not.
    ///
    /// # Errors
    /// [`Error::NotHeld`]; [`Error::Damaged`], also where the hash was lost with a damaged record;
    /// [`Error::Disk`].
    pub fn running_hash(&self, writer: Writer, count: u64) -> Result<u64, Error> {
        let Some(index) = count.checked_sub(1) else { return Ok(0) };
        let address = Address { writer, index };
        if let Some(held) = self.lock().writers.get(&writer).filter(|held| held.count == count) {
            return Ok(held.hash);
        }
        let Some(position) = self.position_of(address)? else {
            return Err(Error::NotHeld { address, held: self.count(writer) });
        };
        // Not the last record of what is there: inside of a gap, which knows its hashes.
        if self.position_of(Address { writer, index: count })? == Some(position) {
            let frame = self.frame_of(address)?;
            let head = FrameHead::read(&frame);
            let head = head.map_err(|damage| damaged(position, Some(address), damage))?;
            let nth = count.checked_sub(head.address.index);
            let hash = head.gap.zip(nth).and_then(|(gap, nth)| hash_before(&frame, gap, nth));
            return hash.ok_or(damaged(position, Some(address), Damage::Entry));
        }
        match self.locate(position)? {
            Location::Memory(_) => {
                let state = self.lock();
                let waiting = position.0.checked_sub(state.synced);
                if let Some(one) = waiting.and_then(|at| state.unwritten.get(at as usize)) {
                    return Ok(one.hash);
                }
                drop(state);
                // Written in the meantime.
                self.running_hash(writer, count)
            }
            // It became a part of a gap in the meantime.
            Location::Dropped { .. } => self.running_hash(writer, count),
            Location::Disk(spot) => {
                let mut head = [0; ENTRY_HEAD_BYTES + 12];
                self.disk
                    .read_at(&spot.file, spot.place.offset, &mut head)
                    .map_err(disk_error("read", &segment_file(spot.segment)))?;
                let head = Salt::new(self.id, spot.segment).read_head(&head);
                let hash = head.filter(|_| !spot.place.hole).map(|head| head.hash);
                hash.ok_or(damaged(position, Some(address), Damage::Hole))
            }
        }
    }

    pub(crate) fn locate(&self, position: Position) -> Result<Location<D>, Error> {
        let state = self.lock();
        if position.0 >= state.end {
            return Err(Error::BeyondEnd { position, end: Position(state.end) });
        }
        if let Some(waiting) = position.0.checked_sub(state.synced) {
            let one = &state.unwritten[waiting as usize];
            return Ok(Location::Memory(one.frame.clone()));
        }
        if position.0 >= state.live.first {
            let (live, segment) = (&state.live, state.live.first);
            let (index, file) = (&live.index, live.file.clone());
            return Spot::of(index, file, segment, position);
        }
        let segment = state.sealed_before(position).map(|sealed| sealed.first);
        drop(state);
        let segment = segment.ok_or(damaged(position, None, Damage::NoSegment))?;
        let opened = self.opened(segment)?;
        Spot::of(&opened.index, opened.file.clone(), segment, position)
    }

    /// A sealed segment with its index, from the cache when it is there. It stays readable, and the same,
    /// when the segment is rewritten meanwhile.
    pub(crate) fn opened(&self, first: u64) -> Result<Arc<Opened<D>>, Error> {
        if let Some(opened) = self.cache().get(first) {
            return Ok(opened);
        }
        let name = segment_file(first);
        let file = self.disk.open(&name).map_err(disk_error("open", &name))?;
        let (records, known) = self.lock().sealed_at(first);
        // The file may be a newer one than the state tells of yet. With a lost header, it is not.
        let header = Header::read(&self.disk, &file, &name);
        let generation = header.as_ref().map_or(known, |header| header.generation);
        let index = match self.kept_index(first, records, generation) {
            Some(index) => index,
            None => self.rebuild_index(&file, &name, &header?, records)?,
        };
        let opened = Arc::new(self.without_mended(Opened { file: Arc::new(file), index }, first));
        let state = self.lock();
        if state.sealed_at(first).1 == generation {
            self.cache().insert(first, opened.clone());
        }
        drop(state);
        Ok(opened)
    }

    /// A side index is not synced, so after a power cut it may be one of before a mend.
    fn without_mended(&self, mut opened: Opened<D>, first: u64) -> Opened<D> {
        let holes = opened.index.holes().to_vec();
        if holes.is_empty() {
            return opened;
        }
        let mut all_mended = opened.index.clone();
        holes.iter().for_each(|ordinal| all_mended.fill_hole(*ordinal));
        let file = opened.file.clone();
        let mended = Opened { file, index: all_mended };
        let mut entries = Entries::new(self, &mended, first);
        for ordinal in holes {
            let whole = entries.whole(ordinal);
            let there = whole.map(|whole| (whole.frame.address, whole.frame.end()));
            let span = opened.index.span_at(ordinal).map(|span| (span.first, span.end()));
            if there.is_some() && there == span {
                opened.index.fill_hole(ordinal);
            }
        }
        opened
    }

    fn kept_index(&self, first: u64, records: u32, generation: u32) -> Option<SegmentIndex> {
        let file = self.disk.open(&index_file(first)).ok()?;
        let length = self.disk.length(&file).ok().filter(|n| *n <= INDEX_FILE_BYTES_MAX)?;
        let mut bytes = vec![0; length as usize];
        self.disk.read_at(&file, 0, &mut bytes).ok()?;
        SegmentIndex::decode(&bytes, self.id, first, records, generation)
    }

    fn rebuild_index(
        &self,
        file: &D::File,
        name: &str,
        header: &Header,
        records: u32,
    ) -> Result<SegmentIndex, Error> {
        let first = header.first;
        let after = self.table_after(first, records)?;
        let survey = Survey::of(&self.disk, file, name, header)?;
        let verdict = survey.judge_sealed(header, records, &after);
        if verdict.damaged.is_empty() {
            tracing::info!(file = name, "a side index was built anew");
            self.keep_index_file(first, &verdict.index.encode(self.id, first));
        } else {
            // Not kept: a disk that reads badly today may read better tomorrow.
            tracing::error!(file = name, damaged = ?verdict.damaged, "damaged records");
        }
        Ok(verdict.index)
    }

    /// What was held when the segment after `first` began.
    pub(crate) fn table_after(&self, first: u64, records: u32) -> Result<Table, Error> {
        let name = segment_file(first + u64::from(records));
        let next = self.disk.open(&name).map_err(disk_error("open", &name))?;
        Ok(Header::read(&self.disk, &next, &name)?.table)
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache<D>> {
        self.cache.lock().expect("no thread panics while it holds the cache")
    }
}

/// Where the bytes of a record are.
pub(crate) enum Location<D: Disk> {
    Memory(Arc<[u8]>),
    Disk(Spot<D>),
    /// Nothing is there any more, nor before `next`.
    Dropped {
        next: Position,
    },
}

pub(crate) struct Spot<D: Disk> {
    pub(crate) file: Arc<D::File>,
    pub(crate) segment: u64,
    /// Of the segment: other bytes are there after a rewrite.
    pub(crate) generation: u32,
    pub(crate) place: Place,
    /// The entries of the segment end here, as far as they are written.
    pub(crate) data_end: u64,
}

impl<D: Disk> Spot<D> {
    fn of(
        index: &SegmentIndex,
        file: Arc<D::File>,
        segment: u64,
        position: Position,
    ) -> Result<Location<D>, Error> {
        let ordinal = u32::try_from(position.0 - segment).unwrap_or(u32::MAX);
        let place = index.place(ordinal).ok_or(damaged(position, None, Damage::NoSegment))?;
        if place.dropped() {
            let next = Position(segment + u64::from(index.kept_from(ordinal)));
            return Ok(Location::Dropped { next });
        }
        let (generation, data_end) = (index.generation, index.data_end());
        Ok(Location::Disk(Spot { file, segment, generation, place, data_end }))
    }
}

/// The frame in an entry that was read, when it is the one that should be there.
pub(crate) fn check_entry<'a, D: Disk>(
    log_id: u128,
    spot: &Spot<D>,
    position: Position,
    entry: &'a [u8],
) -> Result<&'a [u8], Error> {
    if spot.place.hole {
        return Err(damaged(position, None, Damage::Hole));
    }
    match Salt::new(log_id, spot.segment).read_head(entry) {
        None => Err(damaged(position, None, Damage::Hole)),
        Some(head) if u64::from(head.ordinal) != position.0 - spot.segment => {
            Err(damaged(position, None, Damage::Entry))
        }
        Some(_) => Ok(&entry[ENTRY_HEAD_BYTES..]),
    }
}

pub(crate) fn decode(position: Position, frame: &[u8]) -> Result<Record, Error> {
    record::decode(frame).map_err(|error| damaged(position, None, Damage::Frame(error)))
}

pub(crate) fn damaged(position: Position, address: Option<Address>, damage: Damage) -> Error {
    Error::Damaged { position: Some(position), address, damage }
}

impl<D: Disk> State<D> {
    /// The segment that holds a written record.
    fn segment_of(&self, address: Address) -> Option<u64> {
        self.writers.get(&address.writer)?.segment_of(address.index)
    }

    pub(crate) fn sealed_before(&self, position: Position) -> Option<&Sealed> {
        let after = self.sealed.partition_point(|sealed| sealed.first <= position.0);
        self.sealed.get(after.checked_sub(1)?)
    }

    /// Number of records and generation of a sealed segment.
    pub(crate) fn sealed_at(&self, first: u64) -> (u32, u32) {
        self.sealed_before(Position(first)).map_or((0, 0), |s| (s.records, s.generation))
    }

    /// The first record of each writer that a holder of `vector` lacks, each with its segment.
    fn missing(&self, vector: &Vector) -> Vec<(u64, Address)> {
        let mut missing = Vec::new();
        for (writer, held) in &self.writers {
            let index = vector.get(writer).copied().unwrap_or(0);
            if index < held.count {
                let address = Address { writer: *writer, index };
                let segment = match self.unwritten_at.get(&address) {
                    Some(_) => self.live.first,
                    None => held.segment_of(index).unwrap_or(0),
                };
                missing.push((segment, address));
            }
        }
        missing
    }
}

impl Held {
    fn segment_of(&self, index: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.first_index <= index);
        Some(self.runs.get(after.checked_sub(1)?)?.segment)
    }
}

/// A sealed segment that is open.
#[derive(Debug)]
pub(crate) struct Opened<D: Disk> {
    pub(crate) file: Arc<D::File>,
    pub(crate) index: SegmentIndex,
}

/// The sealed segments that were read last; the last used is last.
#[derive(Debug)]
pub(crate) struct Cache<D: Disk> {
    opened: Vec<(u64, Arc<Opened<D>>)>,
}

impl<D: Disk> Cache<D> {
    pub(crate) fn new() -> Cache<D> {
        Cache { opened: Vec::new() }
    }

    fn get(&mut self, first: u64) -> Option<Arc<Opened<D>>> {
        let at = self.opened.iter().rposition(|(segment, _)| *segment == first)?;
        self.opened[at..].rotate_left(1);
        self.opened.last().map(|(_, opened)| opened.clone())
    }

    pub(crate) fn insert(&mut self, first: u64, opened: Arc<Opened<D>>) {
        self.opened.retain(|(segment, _)| *segment != first);
        self.opened.push((first, opened));
        let bytes = |opened: &[(u64, Arc<Opened<D>>)]| {
            opened.iter().map(|(_, opened)| opened.index.memory_bytes()).sum::<usize>()
        };
        // The newest always stays.
        while self.opened.len() > OPEN_SEGMENTS_MAX
            || (self.opened.len() > 1 && bytes(&self.opened) > INDEX_CACHE_BYTES_MAX)
        {
            self.opened.remove(0);
        }
    }
}
