//! Reads a whole segment without knowing where its records are, and judges what is missing.
//!
//! | what is found | newest segment | sealed segment |
//! |---|---|---|
//! | entries without a gap, then no entry | the end | the end, when the next segment begins there |
//! | a bad entry, and a later one vouches that it was durable | damaged, skipped | damaged, skipped |
//! | a bad entry, later ones of its own batch | torn tail | damaged, skipped |
//! | a bad entry, nothing after it | torn tail | damaged, skipped |
//!
//! A torn batch may leave any part of itself, a late entry whole and an early one not. Taking that late
//! one in would keep an effect without its cause, so "a valid frame follows" does not mean damage by
//! itself: each entry says where its batch began, and only what lies before that was ever durable.
//!
//! Of a rewritten segment the header names what was dropped; anything else that is missing is damage.
//!
//! A rotten last batch looks the same as a torn one. It goes, and the peer has it.

use std::collections::BTreeMap;
use std::io;

use record::{Address, Writer};

use super::entry::{ENTRY_BYTES_MIN, ENTRY_HEAD_BYTES, EntryHead, FrameHead, Salt};
use super::header::{Header, Mark, Table};
use super::index::{SegmentIndex, Span};
use crate::disk::Disk;
use crate::error::{Error, disk_error};
use crate::limits::{GAP_RECORDS_MAX, WINDOW_BYTES};

/// An entry that is whole and belongs to this segment.
#[derive(Clone, Copy, Debug)]
struct Found {
    head: EntryHead,
    offset: u64,
    bytes: usize,
    frame: FrameHead,
}

/// All that is whole in a segment, ordinals ascending.
pub struct Survey {
    found: Vec<Found>,
    /// Where the file cannot be read at all, and why.
    unreadable: Vec<(u64, io::Error)>,
}

/// What the newest or a sealed segment holds.
#[derive(Debug)]
pub struct Verdict {
    pub index: SegmentIndex,
    /// What is held at the segment's end.
    pub table: Table,
    /// Damaged records: ordinal, and whose it was where that is known; several records for a gap.
    pub damaged: Vec<(u32, Option<Span>)>,
}

impl Survey {
    /// # Errors
    /// [`Error::Disk`] when not even the length can be read. What cannot be read is taken as empty here,
    /// and judged later.
    pub fn of<D: Disk>(
        disk: &D,
        file: &D::File,
        name: &str,
        header: &Header,
    ) -> Result<Survey, Error> {
        let length = disk.length(file).map_err(disk_error("measure", name))?;
        let mut window =
            Window { disk, file, length, bytes: Vec::new(), at: 0, unreadable: vec![] };
        let salt = Salt::new(header.log_id, header.first);
        let mut found: Vec<Found> = Vec::new();
        let mut at = header.data_start();
        while at + ENTRY_BYTES_MIN as u64 <= length {
            let next_ordinal = found.last().map_or(0, |last| last.head.ordinal + 1);
            match window.entry(salt, at).filter(|entry| entry.head.ordinal >= next_ordinal) {
                Some(entry) => {
                    at += entry.bytes as u64;
                    found.push(entry);
                }
                None => match window.next_candidate(at + 1) {
                    Some(candidate) => at = candidate,
                    None => break,
                },
            }
        }
        Ok(Survey { found, unreadable: window.unreadable })
    }

    /// Judges the newest segment: see the table above.
    ///
    /// # Errors
    /// [`Error::Disk`] when a part that may hold the end cannot be read: cutting there might lose what a
    /// second attempt would read.
    pub fn judge_newest(mut self, header: &Header, name: &str) -> Result<Verdict, Error> {
        let durable = self.found.iter().map(|entry| entry.head.batch).max().unwrap_or(0);
        let mut end = durable;
        for entry in self.found.iter().filter(|entry| entry.head.ordinal >= durable) {
            if entry.head.ordinal != end {
                break;
            }
            end += 1;
        }
        self.found.retain(|entry| entry.head.ordinal < end);
        let data_end = self.found.last().map_or(header.data_start(), |e| e.offset + e.bytes as u64);
        if let Some((_, error)) = self.unreadable.into_iter().find(|(at, _)| *at >= data_end) {
            return Err(disk_error("read", name)(error));
        }
        Ok(Judge::new(header, &Table::new()).judge(self.found, end))
    }

    /// Judges a sealed segment: it has exactly `records`, and `after` is what was held at its end.
    pub fn judge_sealed(self, header: &Header, records: u32, after: &Table) -> Verdict {
        let mut found = self.found;
        found.retain(|entry| entry.head.ordinal < records);
        Judge::new(header, after).judge(found, records)
    }
}

/// Builds the index, and finds out whose the damaged records were: the indexes of a writer have no gap,
/// so a jump names what lay in the holes before it.
struct Judge<'a> {
    header: &'a Header,
    index: SegmentIndex,
    table: Table,
    after: &'a Table,
    /// Holes that nobody has been found for yet.
    unclaimed: Vec<u32>,
    /// The last ordinal that holds a record of each writer.
    last: BTreeMap<Writer, u32>,
    claimed: BTreeMap<u32, Span>,
    holes: Vec<u32>,
}

impl<'a> Judge<'a> {
    fn new(header: &'a Header, after: &'a Table) -> Judge<'a> {
        Judge {
            header,
            index: SegmentIndex::new(header.data_start(), header.generation),
            table: header.table.clone(),
            after,
            unclaimed: Vec::new(),
            last: BTreeMap::new(),
            claimed: BTreeMap::new(),
            holes: Vec::new(),
        }
    }

    fn judge(mut self, found: Vec<Found>, end: u32) -> Verdict {
        for entry in found {
            self.holes_up_to(entry.head.ordinal);
            let Address { writer, index } = entry.frame.address;
            let held = self.table.get(&writer).copied().unwrap_or_default().count;
            let end = entry.frame.end();
            // A gap came over the cable when a part of it was held.
            let fits = match entry.frame.gap {
                Some(_) if index < held => end > held,
                _ => index >= held && self.claim(entry.frame.address, held),
            };
            if !fits {
                // Whole, but out of turn: no run of this program wrote that.
                self.holes_up_to(entry.head.ordinal + 1);
                continue;
            }
            self.table.insert(writer, Mark { count: end, hash: entry.head.hash });
            self.last.insert(writer, entry.head.ordinal);
            let index = index.max(held);
            let span = Span { first: Address { writer, index }, records: end - index };
            self.index.push_at(entry.offset, span, entry.bytes);
        }
        self.holes_up_to(end);
        let claims = self.after.iter().map(|(writer, mark)| (*writer, *mark));
        for (writer, mark) in claims.collect::<Vec<_>>() {
            let held = self.table.get(&writer).copied().unwrap_or_default().count;
            if mark.count > held && self.claim(Address { writer, index: mark.count }, held) {
                self.table.insert(writer, mark);
            }
        }
        let damaged = self.holes.iter().map(|hole| (*hole, self.claimed.get(hole).copied()));
        Verdict { damaged: damaged.collect(), index: self.index, table: self.table }
    }

    fn holes_up_to(&mut self, ordinal: u32) {
        while self.index.records() < ordinal {
            if self.header.is_dropped(self.index.records()) {
                self.index.push_dropped();
                continue;
            }
            self.unclaimed.push(self.index.records());
            self.holes.push(self.index.records());
            self.index.push_hole(0);
        }
    }

    /// Gives holes to the writer's records from `held` up to the one at `next`, as early as may be. When
    /// there are more records than holes, a gap was in one.
    fn claim(&mut self, next: Address, held: u64) -> bool {
        let last = self.last.get(&next.writer).copied();
        let from = self.unclaimed.partition_point(|hole| Some(*hole) < last);
        let (missing, holes) = (next.index - held, self.unclaimed.len() - from);
        if missing > GAP_RECORDS_MAX * holes as u64 {
            return false;
        }
        let taken = holes.min(usize::try_from(missing).unwrap_or(holes));
        let mut index = held;
        for (nth, hole) in self.unclaimed.drain(from..from + taken).enumerate() {
            let others = (taken - nth - 1) as u64;
            let records = (next.index - index - others).min(GAP_RECORDS_MAX);
            let span = Span { first: Address { writer: next.writer, index }, records };
            self.claimed.insert(hole, span);
            self.last.insert(next.writer, hole);
            self.index.push_slots(span, hole);
            index += records;
        }
        true
    }
}

/// A moving view of the file.
struct Window<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    length: u64,
    bytes: Vec<u8>,
    at: u64,
    unreadable: Vec<(u64, io::Error)>,
}

impl<D: Disk> Window<'_, D> {
    /// The entry that begins at `at`, when one does.
    fn entry(&mut self, salt: Salt, at: u64) -> Option<Found> {
        let head_bytes = self.get(at, ENTRY_BYTES_MIN);
        let head = salt.read_head(head_bytes)?;
        let length = record::frame_length(&head_bytes[ENTRY_HEAD_BYTES..]).ok()?;
        let bytes = ENTRY_HEAD_BYTES + length;
        let frame = FrameHead::read(self.get(at, bytes).get(ENTRY_HEAD_BYTES..)?).ok()?;
        Some(Found { head, offset: at, bytes, frame })
    }

    /// The next offset from `from` at which an entry might begin: where a frame's magic follows.
    fn next_candidate(&mut self, from: u64) -> Option<u64> {
        let mut at = from + ENTRY_HEAD_BYTES as u64;
        while at + 4 <= self.length {
            // What the window holds already comes first: many false starts must not cost a read each.
            let left = (self.at + self.bytes.len() as u64).saturating_sub(at) as usize;
            let bytes = self.get(at, if left >= 4 && at >= self.at { left } else { WINDOW_BYTES });
            if let Some(found) = bytes.windows(4).position(|four| four == b"TPR1") {
                return Some(at + found as u64 - ENTRY_HEAD_BYTES as u64);
            }
            at += bytes.len().saturating_sub(3).max(1) as u64;
        }
        None
    }

    /// Up to `count` bytes at `at`, fewer only at the end of the file.
    fn get(&mut self, at: u64, count: usize) -> &[u8] {
        let count = count.min(self.length.saturating_sub(at) as usize);
        let inside = at >= self.at && at + count as u64 <= self.at + self.bytes.len() as u64;
        if !inside {
            self.fill(at, count.max(WINDOW_BYTES.min(self.length.saturating_sub(at) as usize)));
        }
        let from = (at - self.at) as usize;
        &self.bytes[from..from + count]
    }

    fn fill(&mut self, at: u64, count: usize) {
        self.at = at;
        self.bytes.clear();
        self.bytes.resize(count, 0);
        if self.disk.read_at(self.file, at, &mut self.bytes).is_ok() {
            return;
        }
        // Somewhere in here the disk cannot read: keep the sectors that it can.
        for (i, piece) in self.bytes.chunks_mut(512).enumerate() {
            let at = at + i as u64 * 512;
            if let Err(error) = self.disk.read_at(self.file, at, piece) {
                piece.fill(0);
                self.unreadable.push((at, error));
            }
        }
    }
}
