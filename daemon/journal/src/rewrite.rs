//! Writes a sealed segment anew: without what was reclaimed, or with what was mended.
//!
//! | the power goes | what is found |
//! |---|---|
//! | while the new file is written and synced | the old segment; the new one is a `.tmp`, removed |
//! | after the rename, before the folder is synced | the old segment or the new |
//! | after | the new segment; its side index may be missing or of the old, and is built anew |
//!
//! Whoever reads meanwhile goes on in the old file: it lives as long as it is open.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::{Damage, Error, disk_error};
use crate::limits::{WINDOW_BYTES, ZERO_SYNC_BYTES};
use crate::log::{Log, Position};
use crate::read::{Opened, damaged};
use crate::segment::entry::{ENTRY_HEAD_BYTES, EntryHead, FrameHead, Salt};
use crate::segment::header::Header;
use crate::segment::index::{Place, SegmentIndex, Span};
use crate::segment::{REWRITTEN_FILE, segment_file};

/// What is to be different.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By ordinal.
    pub(crate) dropped: Vec<bool>,
    pub(crate) replaced: BTreeMap<u32, Replacement>,
}

/// A new entry at an old ordinal.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(crate) span: Span,
    pub(crate) frame: Vec<u8>,
    /// Running hash behind it.
    pub(crate) hash: u64,
}

impl Plan {
    /// Everything stays as it is.
    pub(crate) fn new(index: &SegmentIndex) -> Plan {
        let dropped = |ordinal| index.place(ordinal).is_some_and(|place| place.dropped());
        let dropped = (0..index.records()).map(dropped).collect();
        Plan { dropped, replaced: BTreeMap::new() }
    }

    pub(crate) fn dropped_ranges(&self) -> Vec<(u32, u32)> {
        let mut ranges = Vec::new();
        let mut first = 0;
        for same in self.dropped.chunk_by(|a, b| a == b) {
            if same[0] {
                ranges.push((first, same.len() as u32));
            }
            first += same.len() as u32;
        }
        ranges
    }
}

impl<D: Disk> Log<D> {
    /// The caller holds `upkeep`.
    ///
    /// What is damaged is copied as far as it can be read, and stays damaged.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::DiskFull`]: the old segment stays, or the new one is there but not known
    /// to be durable; both hold everything.
    pub(crate) fn rewrite(
        &self,
        old: &Opened<D>,
        header: &Header,
        plan: &Plan,
    ) -> Result<(), Error> {
        let name = segment_file(header.first);
        let made = self.write_new(old, header, plan).and_then(|made| {
            self.disk
                .rename(REWRITTEN_FILE, &name)
                .map_err(disk_error("rename", REWRITTEN_FILE))?;
            Ok(made)
        });
        if made.is_err() {
            // What is left of it would only take room away.
            let _ = self.disk.remove(REWRITTEN_FILE);
        }
        let made = Arc::new(made?);
        let mut state = self.lock();
        if let Ok(at) = state.sealed.binary_search_by_key(&header.first, |sealed| sealed.first) {
            state.sealed[at].generation = made.index.generation;
            state.sealed[at].bytes = made.index.data_end();
        }
        self.cache().insert(header.first, made.clone());
        drop(state);
        self.disk.sync_dir().map_err(disk_error("sync the folder of", &name))?;
        self.keep_index_file(header.first, &made.index.encode(self.id, header.first));
        Ok(())
    }

    /// The new file, durable, under its temporary name.
    fn write_new(&self, old: &Opened<D>, header: &Header, plan: &Plan) -> Result<Opened<D>, Error> {
        let header = Header {
            generation: old.index.generation + 1,
            dropped: plan.dropped_ranges(),
            ..header.clone()
        };
        let file =
            self.disk.create(REWRITTEN_FILE).map_err(disk_error("create", REWRITTEN_FILE))?;
        let mut out =
            Output { disk: &self.disk, file: &file, buffer: header.encode(), at: 0, synced: 0 };
        let mut index = SegmentIndex::new(header.data_start(), header.generation);
        let salt = Salt::new(self.id, header.first);
        let mut entries = Entries::new(self, old, header.first);
        let spans = old.index.spans();
        for ordinal in 0..old.index.records() {
            let from = out.buffer.len();
            let span = spans.get(&ordinal).copied();
            if plan.dropped[ordinal as usize] {
                index.push_dropped();
            } else if let Some(new) = plan.replaced.get(&ordinal) {
                // Everything before a sealed segment's entry was durable long ago.
                let head = EntryHead { ordinal, batch: ordinal, hash: new.hash };
                salt.write(head, &new.frame, &mut out.buffer);
                index.push(new.span, out.buffer.len() - from);
            } else if let Some((span, _)) = span.zip(entries.whole(ordinal)) {
                out.buffer.extend_from_slice(&entries.bytes);
                index.push(span, entries.bytes.len());
            } else {
                out.buffer.extend_from_slice(entries.remains(ordinal));
                index.push_hole(out.buffer.len() - from);
                span.inspect(|span| index.push_slots(*span, ordinal));
            }
            out.pass_on(WINDOW_BYTES)?;
        }
        out.finish()?;
        Ok(Opened { file: Arc::new(file), index })
    }
}

/// The new file as it grows.
struct Output<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    buffer: Vec<u8>,
    at: u64,
    synced: u64,
}

impl<D: Disk> Output<'_, D> {
    /// Writes when this much waits; syncs now and then, so that nothing piles up before a commit.
    fn pass_on(&mut self, least_bytes: usize) -> Result<(), Error> {
        if self.buffer.len() < least_bytes {
            return Ok(());
        }
        self.disk
            .write_at(self.file, self.at, &self.buffer)
            .map_err(disk_error("write to", REWRITTEN_FILE))?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        if self.at - self.synced >= ZERO_SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.pass_on(0)?;
        self.sync()
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.synced = self.at;
        self.disk.sync_data(self.file).map_err(disk_error("sync", REWRITTEN_FILE))
    }
}

/// The entries of a sealed segment, one after the other, read a window at a time.
pub(crate) struct Entries<'a, D: Disk> {
    log: &'a Log<D>,
    of: &'a Opened<D>,
    first: u64,
    window: Vec<u8>,
    at: u64,
    /// The last whole entry.
    pub(crate) bytes: Vec<u8>,
}

/// What is known of an entry that was read and checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    pub(crate) entry: EntryHead,
    pub(crate) frame: FrameHead,
}

impl<'a, D: Disk> Entries<'a, D> {
    pub(crate) fn new(log: &'a Log<D>, of: &'a Opened<D>, first: u64) -> Entries<'a, D> {
        Entries { log, of, first, window: Vec::new(), at: 0, bytes: Vec::new() }
    }

    /// Reads the entry of an ordinal, checksums and all; its bytes are in `bytes` then. `None` when it is
    /// damaged.
    pub(crate) fn whole(&mut self, ordinal: u32) -> Option<Whole> {
        self.read(ordinal).ok()
    }

    /// # Errors
    /// [`Error::Damaged`], also when the disk cannot read its place.
    pub(crate) fn read(&mut self, ordinal: u32) -> Result<Whole, Error> {
        let position = Position(self.first + u64::from(ordinal));
        let is = |damage| damaged(position, None, damage);
        let place = self.of.index.place(ordinal).filter(|place| !place.hole);
        let place = place.ok_or(is(Damage::Hole))?;
        self.fill(place).map_err(|_| is(Damage::Hole))?;
        let head = Salt::new(self.log.id, self.first).read_head(&self.bytes);
        let entry = head.ok_or(is(Damage::Hole))?;
        if entry.ordinal != ordinal {
            return Err(is(Damage::Entry));
        }
        let frame = FrameHead::read(&self.bytes[ENTRY_HEAD_BYTES..]).map_err(is)?;
        if frame.length + ENTRY_HEAD_BYTES != self.bytes.len() {
            return Err(is(Damage::Entry));
        }
        Ok(Whole { entry, frame })
    }

    /// The running hash behind the entry of an ordinal, also when only its frame is damaged.
    pub(crate) fn hash(&mut self, ordinal: u32) -> Option<u64> {
        let place = self.of.index.place(ordinal).filter(|place| !place.hole)?;
        self.fill(place).ok()?;
        let head = Salt::new(self.log.id, self.first).read_head(&self.bytes)?;
        (head.ordinal == ordinal).then_some(head.hash)
    }

    /// What is at the place of a damaged entry; zeros when the disk cannot read it.
    fn remains(&mut self, ordinal: u32) -> &[u8] {
        let place = self.of.index.place(ordinal).filter(|place| place.bytes > 0);
        let read = place.is_some_and(|place| self.fill(place).is_ok());
        if !read {
            self.bytes.clear();
            self.bytes.resize(place.map_or(0, |place| place.bytes), 0);
        }
        &self.bytes
    }

    fn fill(&mut self, place: Place) -> io::Result<()> {
        let inside = place.offset >= self.at
            && place.offset + place.bytes as u64 <= self.at + self.window.len() as u64;
        if !inside {
            let left = self.of.index.data_end().saturating_sub(place.offset) as usize;
            // A window that cannot be read may hold an entry that can.
            self.load(place.offset, WINDOW_BYTES.min(left).max(place.bytes))
                .or_else(|_| self.load(place.offset, place.bytes))?;
        }
        let from = (place.offset - self.at) as usize;
        self.bytes.clear();
        self.bytes.extend_from_slice(&self.window[from..from + place.bytes]);
        Ok(())
    }

    fn load(&mut self, offset: u64, bytes: usize) -> io::Result<()> {
        self.window.clear();
        self.window.resize(bytes, 0);
        self.at = offset;
        let read = self.log.disk.read_at(&self.of.file, offset, &mut self.window);
        if read.is_err() {
            self.window.clear();
        }
        read.map(drop)
    }
}
