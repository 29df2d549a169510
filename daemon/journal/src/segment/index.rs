//! Where in a segment each record is: by ordinal, and by writer and index.
//!
//! Eight bytes a record, in memory and in the side index file:
//!
//! | bytes | field |
//! |---|---|
//! | 8 | magic `TPLOGIDX` |
//! | 4 | format version: 1; 2 when the segment was rewritten |
//! | 16 | id of the log |
//! | 8 | first position of the segment |
//! | 4 | number of records, `n`, dropped ones included |
//! | 4 | version 2: how many times the segment was rewritten |
//! | 4 (n + 1) | offsets; the last is where the entries end |
//! | 4 + 4 each | ordinals of holes, counted |
//! | 4 | number of writers |
//! | 17 + 8 + 4 + 4 each | writer, its first index here, its records here, their ordinals |
//! | 4 | CRC32C of all before |
//!
//! A dropped record has no bytes, and its index belongs to the gap that stands for it: the indexes of a
//! gap have the gap's ordinal.

use std::collections::BTreeMap;

use record::{Address, Side, Writer};

use crate::limits::GAP_ENTRY_BYTES;

const MAGIC: [u8; 8] = *b"TPLOGIDX";
const VERSION: u32 = 1;
const REWRITTEN_VERSION: u32 = 2;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentIndex {
    /// How many times the segment was rewritten.
    pub generation: u32,
    /// One more than there are records. A hole has the offset at which its remains begin.
    offsets: Vec<u32>,
    /// Ordinals whose record is damaged, ascending.
    holes: Vec<u32>,
    writers: BTreeMap<Writer, Slots>,
}

/// The records of one writer in this segment.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Slots {
    first_index: u64,
    /// Ascending; the same for all indexes of a gap.
    ordinals: Vec<u32>,
}

/// Records of one writer that have one place: more than one for a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub first: Address,
    pub records: u64,
}

impl Span {
    pub fn addresses(self) -> impl Iterator<Item = Address> {
        let Address { writer, index } = self.first;
        (index..index + self.records).map(move |index| Address { writer, index })
    }

    /// The index behind its last.
    pub fn end(self) -> u64 {
        self.first.index + self.records
    }
}

/// Where one record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub offset: u64,
    pub bytes: usize,
    pub hole: bool,
}

impl Place {
    /// The record was dropped; a gap elsewhere stands for it.
    pub fn dropped(&self) -> bool {
        self.bytes == 0 && !self.hole
    }
}

impl SegmentIndex {
    /// Of a segment whose entries begin at `data_start`.
    pub fn new(data_start: u64, generation: u32) -> SegmentIndex {
        SegmentIndex {
            generation,
            offsets: vec![data_start as u32],
            holes: Vec::new(),
            writers: BTreeMap::new(),
        }
    }

    /// Records, holes and dropped ones included.
    pub fn records(&self) -> u32 {
        self.offsets.len() as u32 - 1
    }

    /// The offset at which the next entry goes.
    pub fn data_end(&self) -> u64 {
        self.offsets.last().copied().unwrap_or(0).into()
    }

    /// Length of all entries, bytes.
    pub fn entry_bytes(&self) -> u64 {
        self.data_end() - u64::from(self.offsets.first().copied().unwrap_or(0))
    }

    /// Takes in the next record.
    pub fn push(&mut self, span: Span, entry_bytes: usize) {
        let ordinal = self.records();
        self.push_slots(span, ordinal);
        self.offsets.push(self.data_end() as u32 + entry_bytes as u32);
    }

    /// Like [`SegmentIndex::push`] where the entry is known to begin at `offset`, which may lie behind the
    /// remains of damaged ones.
    pub fn push_at(&mut self, offset: u64, span: Span, entry_bytes: usize) {
        // The remains belong to the last hole; dropped ones may follow it.
        let hole = self.holes.last().filter(|_| offset != self.data_end());
        let from = hole.map_or(self.records(), |hole| hole + 1) as usize;
        self.offsets[from..].fill(offset as u32);
        self.push(span, entry_bytes);
    }

    /// The next record is damaged; `remains_bytes` of it are there.
    pub fn push_hole(&mut self, remains_bytes: usize) {
        self.holes.push(self.records());
        self.offsets.push(self.data_end() as u32 + remains_bytes as u32);
    }

    /// The next record was dropped.
    pub fn push_dropped(&mut self) {
        self.offsets.push(self.data_end() as u32);
    }

    /// Says whose records a place holds. The records of a writer are given in order.
    pub fn push_slots(&mut self, Span { first, records }: Span, ordinal: u32) {
        let new = || Slots { first_index: first.index, ordinals: Vec::new() };
        let slots = self.writers.entry(first.writer).or_insert_with(new);
        debug_assert_eq!(first.index, slots.first_index + slots.ordinals.len() as u64);
        slots.ordinals.resize(slots.ordinals.len() + records as usize, ordinal);
    }

    /// Ordinals whose record is damaged, ascending.
    pub fn holes(&self) -> &[u32] {
        &self.holes
    }

    /// A damaged record is whole again, at its place.
    pub fn fill_hole(&mut self, ordinal: u32) {
        self.holes.retain(|hole| *hole != ordinal);
    }

    pub fn place(&self, ordinal: u32) -> Option<Place> {
        let from = *self.offsets.get(ordinal as usize)?;
        let to = *self.offsets.get(ordinal as usize + 1)?;
        let hole = self.holes.binary_search(&ordinal).is_ok();
        Some(Place { offset: from.into(), bytes: (to - from) as usize, hole })
    }

    pub fn ordinal_of(&self, address: Address) -> Option<u32> {
        let slots = self.writers.get(&address.writer)?;
        let at = address.index.checked_sub(slots.first_index)?;
        slots.ordinals.get(usize::try_from(at).ok()?).copied()
    }

    /// What the place of an ordinal holds; `None` for a dropped record, and for a damaged one of nobody.
    pub fn span_at(&self, ordinal: u32) -> Option<Span> {
        self.writers.iter().find_map(|(writer, slots)| {
            let from = slots.ordinals.partition_point(|at| *at < ordinal);
            let to = slots.ordinals.partition_point(|at| *at <= ordinal);
            let first = Address { writer: *writer, index: slots.first_index + from as u64 };
            (from < to).then_some(Span { first, records: (to - from) as u64 })
        })
    }

    /// The first ordinal from this one on that was not dropped; their number when there is none.
    pub fn kept_from(&self, ordinal: u32) -> u32 {
        let kept = |at: &u32| self.place(*at).is_some_and(|place| !place.dropped());
        (ordinal..self.records()).find(kept).unwrap_or(self.records())
    }

    /// What each ordinal holds.
    pub fn spans(&self) -> BTreeMap<u32, Span> {
        let mut spans = BTreeMap::<u32, Span>::new();
        for (writer, slots) in &self.writers {
            for (index, ordinal) in (slots.first_index..).zip(&slots.ordinals) {
                let first = Address { writer: *writer, index };
                spans.entry(*ordinal).or_insert(Span { first, records: 0 }).records += 1;
            }
        }
        spans
    }

    /// How many bytes a rewrite without the dead records would save, roughly.
    pub fn dead_bytes(&self, is_dead: impl Fn(Address) -> bool) -> u64 {
        let saved = |run: (u64, u64)| run.0.saturating_sub(GAP_ENTRY_BYTES + 8 * run.1);
        let mut dead = 0;
        for (writer, slots) in &self.writers {
            // Bytes and number of neighbours that are dead.
            let mut run = (0, 0);
            let mut index = slots.first_index;
            for same in slots.ordinals.chunk_by(|a, b| a == b) {
                let bytes = self.place(same[0]).map_or(0, |place| place.bytes as u64);
                if same.len() == 1 && is_dead(Address { writer: *writer, index }) {
                    run = (run.0 + bytes, run.1 + 1);
                } else {
                    dead += saved(std::mem::take(&mut run));
                }
                index += same.len() as u64;
            }
            dead += saved(run);
        }
        dead
    }

    /// The writers that have records here, each with its first index here.
    pub fn writers(&self) -> impl Iterator<Item = (Writer, u64)> {
        self.writers.iter().map(|(writer, slots)| (*writer, slots.first_index))
    }

    /// Memory that it holds, bytes, roughly.
    pub fn memory_bytes(&self) -> usize {
        let slots = self.writers.values().map(|slots| slots.ordinals.len() * 4 + 128);
        self.offsets.len() * 4 + self.holes.len() * 4 + slots.sum::<usize>()
    }

    pub fn encode(&self, log_id: u128, first: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.memory_bytes() + 64);
        out.extend_from_slice(&MAGIC);
        let version = if self.generation == 0 { VERSION } else { REWRITTEN_VERSION };
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&log_id.to_le_bytes());
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&self.records().to_le_bytes());
        if self.generation > 0 {
            out.extend_from_slice(&self.generation.to_le_bytes());
        }
        put_all(&mut out, &self.offsets);
        out.extend_from_slice(&(self.holes.len() as u32).to_le_bytes());
        put_all(&mut out, &self.holes);
        out.extend_from_slice(&(self.writers.len() as u32).to_le_bytes());
        for (writer, slots) in &self.writers {
            out.push(matches!(writer.side, Side::B) as u8);
            out.extend_from_slice(&writer.incarnation.to_le_bytes());
            out.extend_from_slice(&slots.first_index.to_le_bytes());
            out.extend_from_slice(&(slots.ordinals.len() as u32).to_le_bytes());
            put_all(&mut out, &slots.ordinals);
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// `None` unless it is whole, and of this segment with so many records, rewritten so many times.
    pub fn decode(
        bytes: &[u8],
        log_id: u128,
        first: u64,
        records: u32,
        generation: u32,
    ) -> Option<SegmentIndex> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut rest = content;
        let said = (take(&mut rest)?, u32::from_le_bytes(take(&mut rest)?));
        let of = (u128::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?));
        let count = u32::from_le_bytes(take(&mut rest)?);
        let version = if generation == 0 { VERSION } else { REWRITTEN_VERSION };
        if said != (MAGIC, version) || of != (log_id, first) || count != records {
            return None;
        }
        if generation > 0 && u32::from_le_bytes(take(&mut rest)?) != generation {
            return None;
        }
        let offsets = take_all(&mut rest, count as usize + 1)?;
        let holes = u32::from_le_bytes(take(&mut rest)?);
        let holes = take_all(&mut rest, holes as usize)?;
        let mut writers = BTreeMap::new();
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            let [side] = take(&mut rest)?;
            let side = if side == 0 { Side::A } else { Side::B };
            let incarnation = u128::from_le_bytes(take(&mut rest)?);
            let first_index = u64::from_le_bytes(take(&mut rest)?);
            let count = u32::from_le_bytes(take(&mut rest)?);
            let ordinals = take_all(&mut rest, count as usize)?;
            writers.insert(Writer { side, incarnation }, Slots { first_index, ordinals });
        }
        let sorted = offsets.is_sorted() && holes.is_sorted();
        let index = SegmentIndex { generation, offsets, holes, writers };
        (sorted && rest.is_empty()).then_some(index)
    }
}

fn put_all(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn take_all(rest: &mut &[u8], count: usize) -> Option<Vec<u32>> {
    let (head, tail) = rest.split_at_checked(count.checked_mul(4)?)?;
    *rest = tail;
    Some(head.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(writer: u128, index: u64) -> Address {
        Address { writer: Writer { side: Side::A, incarnation: writer }, index }
    }

    fn span(writer: u128, index: u64, records: u64) -> Span {
        Span { first: address(writer, index), records }
    }

    fn sample(generation: u32) -> SegmentIndex {
        let mut index = SegmentIndex::new(8192, generation);
        index.push(span(1, 40, 1), 100);
        index.push_hole(0);
        index.push_slots(span(1, 41, 1), 1);
        index.push_at(8192 + 100 + 77, span(2, 0, 1), 50);
        index.push(span(1, 42, 1), 60);
        index.push_dropped();
        index.push_dropped();
        index.push(span(1, 43, 3), 40);
        index
    }

    #[test]
    fn finds_by_ordinal_and_by_address() {
        let index = sample(0);
        assert_eq!(index.records(), 7);
        assert_eq!(index.data_end(), 8192 + 177 + 150);
        let place = |offset, bytes, hole| Some(Place { offset, bytes, hole });
        assert_eq!(index.place(0), place(8192, 100, false));
        assert_eq!(index.place(1), place(8292, 77, true));
        assert_eq!(index.place(2), place(8369, 50, false));
        assert!(index.place(4).unwrap().dropped() && !index.place(1).unwrap().dropped());
        assert_eq!((index.kept_from(4), index.kept_from(6), index.kept_from(7)), (6, 6, 7));
        assert_eq!(index.place(7), None);
        assert_eq!(index.ordinal_of(address(1, 41)), Some(1));
        assert_eq!(index.ordinal_of(address(1, 42)), Some(3));
        assert_eq!(index.ordinal_of(address(1, 39)), None);
        for dropped in 43..46 {
            assert_eq!(index.ordinal_of(address(1, dropped)), Some(6));
        }
        assert_eq!(index.ordinal_of(address(1, 46)), None);
        assert_eq!(index.span_at(6), Some(span(1, 43, 3)));
        assert_eq!(index.span_at(5), None);
        let spans = index.spans();
        assert_eq!(spans.len(), 5);
        assert!(spans.iter().all(|(ordinal, span)| index.span_at(*ordinal) == Some(*span)));
    }

    #[test]
    fn what_was_dropped_has_no_bytes_behind_remains() {
        let mut index = SegmentIndex::new(8192, 1);
        index.push_dropped();
        index.push_hole(0);
        index.push_dropped();
        index.push_at(8192 + 77, span(2, 0, 1), 50);
        let places = [0, 1, 2, 3].map(|ordinal| index.place(ordinal).unwrap());
        assert_eq!(places.map(|place| place.bytes), [0, 77, 0, 50]);
        assert_eq!(places.map(|place| place.dropped()), [true, false, true, false]);
    }

    #[test]
    fn the_file_comes_back_whole_or_not_at_all() {
        for generation in [0, 3] {
            let index = sample(generation);
            let bytes = index.encode(7, 1000);
            let decode = |bytes: &[u8]| SegmentIndex::decode(bytes, 7, 1000, 7, generation);
            assert_eq!(decode(&bytes), Some(index));
            assert_eq!(SegmentIndex::decode(&bytes, 7, 1000, 5, generation), None);
            assert_eq!(SegmentIndex::decode(&bytes, 8, 1000, 7, generation), None);
            assert_eq!(SegmentIndex::decode(&bytes, 7, 1000, 7, generation + 1), None);
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&bad), None, "bit {bit}");
            }
            for length in 0..bytes.len() {
                assert_eq!(decode(&bytes[..length]), None);
            }
        }
    }
}
