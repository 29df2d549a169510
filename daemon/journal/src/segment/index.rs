//! Where in a segment each record is: by ordinal, and by writer and index.
//!
//! Eight bytes a record, in memory and in the side index file:
//!
//! | bytes | field |
//! |---|---|
//! | 8 | magic `TPLOGIDX` |
//! | 4 | format version, 1 |
//! | 16 | id of the log |
//! | 8 | first position of the segment |
//! | 4 | number of records, `n` |
//! | 4 (n + 1) | offsets; the last is where the entries end |
//! | 4 + 4 each | ordinals of holes, counted |
//! | 4 | number of writers |
//! | 17 + 8 + 4 + 4 each | writer, its first index here, its records here, their ordinals |
//! | 4 | CRC32C of all before |

use std::collections::BTreeMap;

use record::{Address, Side, Writer};

const MAGIC: [u8; 8] = *b"TPLOGIDX";
const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentIndex {
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
    ordinals: Vec<u32>,
}

/// Where one record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub offset: u64,
    pub bytes: usize,
    pub hole: bool,
}

impl SegmentIndex {
    /// Of a segment whose entries begin at `data_start`.
    pub fn new(data_start: u64) -> SegmentIndex {
        SegmentIndex {
            offsets: vec![data_start as u32],
            holes: Vec::new(),
            writers: BTreeMap::new(),
        }
    }

    /// Records, holes included.
    pub fn records(&self) -> u32 {
        self.offsets.len() as u32 - 1
    }

    /// The offset at which the next entry goes.
    pub fn data_end(&self) -> u64 {
        self.offsets.last().copied().unwrap_or(0).into()
    }

    /// Takes in the next record.
    pub fn push(&mut self, address: Address, entry_bytes: usize) {
        let ordinal = self.records();
        self.push_slot(address, ordinal);
        self.offsets.push(self.data_end() as u32 + entry_bytes as u32);
    }

    /// Like [`SegmentIndex::push`] where the entry is known to begin at `offset`, which may lie behind the
    /// remains of damaged ones.
    pub fn push_at(&mut self, offset: u64, address: Address, entry_bytes: usize) {
        if let Some(end) = self.offsets.last_mut() {
            *end = offset as u32;
        }
        self.push(address, entry_bytes);
    }

    /// The next record is damaged.
    pub fn push_hole(&mut self) {
        self.holes.push(self.records());
        self.offsets.push(self.data_end() as u32);
    }

    /// Says whose record a place holds. The records of a writer are given in order.
    pub fn push_slot(&mut self, Address { writer, index }: Address, ordinal: u32) {
        let new = || Slots { first_index: index, ordinals: Vec::new() };
        let slots = self.writers.entry(writer).or_insert_with(new);
        debug_assert_eq!(index, slots.first_index + slots.ordinals.len() as u64);
        slots.ordinals.push(ordinal);
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
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&log_id.to_le_bytes());
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&self.records().to_le_bytes());
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

    /// `None` unless it is whole, and of this segment with so many records.
    pub fn decode(bytes: &[u8], log_id: u128, first: u64, records: u32) -> Option<SegmentIndex> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut rest = content;
        let said = (take(&mut rest)?, u32::from_le_bytes(take(&mut rest)?));
        let of = (u128::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?));
        let count = u32::from_le_bytes(take(&mut rest)?);
        if said != (MAGIC, VERSION) || of != (log_id, first) || count != records {
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
        (sorted && rest.is_empty()).then_some(SegmentIndex { offsets, holes, writers })
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

    fn sample() -> SegmentIndex {
        let mut index = SegmentIndex::new(8192);
        index.push(address(1, 40), 100);
        index.push_hole();
        index.push_slot(address(1, 41), 1);
        index.push_at(8192 + 100 + 77, address(2, 0), 50);
        index.push(address(1, 42), 60);
        index
    }

    #[test]
    fn finds_by_ordinal_and_by_address() {
        let index = sample();
        assert_eq!(index.records(), 4);
        assert_eq!(index.data_end(), 8192 + 177 + 110);
        let place = |offset, bytes, hole| Some(Place { offset, bytes, hole });
        assert_eq!(index.place(0), place(8192, 100, false));
        assert_eq!(index.place(1), place(8292, 77, true));
        assert_eq!(index.place(2), place(8369, 50, false));
        assert_eq!(index.place(4), None);
        assert_eq!(index.ordinal_of(address(1, 41)), Some(1));
        assert_eq!(index.ordinal_of(address(1, 42)), Some(3));
        assert_eq!(index.ordinal_of(address(1, 39)), None);
        assert_eq!(index.ordinal_of(address(1, 43)), None);
    }

    #[test]
    fn the_file_comes_back_whole_or_not_at_all() {
        let index = sample();
        let bytes = index.encode(7, 1000);
        assert_eq!(SegmentIndex::decode(&bytes, 7, 1000, 4), Some(index));
        assert_eq!(SegmentIndex::decode(&bytes, 7, 1000, 5), None);
        assert_eq!(SegmentIndex::decode(&bytes, 8, 1000, 4), None);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentIndex::decode(&bad, 7, 1000, 4), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(SegmentIndex::decode(&bytes[..length], 7, 1000, 4), None);
        }
    }
}
