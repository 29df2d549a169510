//! Puts a good record, from the peer, in the place of a damaged one.
//!
//! | the good one is | how | the power goes |
//! |---|---|---|
//! | as long as the place | written over the damaged one, in any segment | the place is damaged still, or mended |
//! | longer or shorter, or the disk does not take it | its segment is sealed if need be, and rewritten | see `rewrite` |
//!
//! It must be the record: whole, of the writer and index that was there, and between the running hashes
//! around it.

use std::sync::Arc;

use record::decode;

use crate::disk::Disk;
use crate::error::{Damage, Error, disk_error};
use crate::gap::{Builder, hash_before};
use crate::log::{Log, Position};
use crate::read::{Opened, damaged};
use crate::recovery::Damaged;
use crate::rewrite::{Entries, Plan, Replacement};
use crate::segment::entry::{ENTRY_HEAD_BYTES, EntryHead, FrameHead, Salt, chain};
use crate::segment::header::Header;
use crate::segment::index::Span;
use crate::segment::segment_file;

impl<D: Disk> Log<D> {
    /// Mends a record that an opening, a scrub or a reader has found damaged. `frames` hold what was lost,
    /// in order: usually one, the record itself. A gap that covers it does too. Several are needed when a
    /// gap was lost and the other side has its records still. Nothing happens when the place is whole.
    /// Durable, and readable at its old position, when this returns.
    ///
    /// # Errors
    /// [`Error::Unfit`] when that is not what was lost, or it cannot be known: of damaged neighbours of one
    /// writer the earlier is to be mended first. [`Error::Damaged`] when the whole segment is lost.
    /// [`Error::Disk`], [`Error::DiskFull`].
    pub fn mend(&self, damaged: &Damaged, frames: &[impl AsRef<[u8]>]) -> Result<(), Error> {
        let _upkeep = self.upkeep();
        let newest = self.lock().live.first;
        if damaged.position.0 < newest {
            return self.mend_sealed(damaged.position, frames);
        }
        if damaged.position >= self.synced() || self.mend_newest(damaged.position, frames)? {
            return Ok(());
        }
        if self.lock().live.first == newest {
            self.seal()?;
        }
        self.mend_sealed(damaged.position, frames)
    }

    /// `false` when it does not fit, and the segment must be sealed first.
    fn mend_newest(&self, position: Position, frames: &[impl AsRef<[u8]>]) -> Result<bool, Error> {
        // Nobody writes, and the segment is not sealed meanwhile.
        let _tail = self.tail.lock().expect("no thread panics while it writes");
        let state = self.lock();
        if position.0 < state.live.first {
            return Ok(false);
        }
        let (first, file) = (state.live.first, state.live.file.clone());
        let opened = Opened { file, index: state.live.index.clone() };
        drop(state);
        let Some(new) = self.mended(first, &opened, position, frames)? else { return Ok(true) };
        if !self.write_over(first, &opened, &new) {
            return Ok(false);
        }
        if let Err(error) = self.disk.sync_data(&opened.file) {
            // The committer's next sync would not be told of it again.
            let error = disk_error("sync", &segment_file(first))(error);
            self.lock().broken = Some(error.clone());
            return Err(error);
        }
        self.lock().live.index.fill_hole(new.ordinal);
        Ok(true)
    }

    fn mend_sealed(&self, position: Position, frames: &[impl AsRef<[u8]>]) -> Result<(), Error> {
        let lost = || damaged(position, None, Damage::NoSegment);
        let first = self.lock().sealed_before(position).map(|sealed| sealed.first);
        let first = first.ok_or_else(lost)?;
        let opened = self.opened(first)?;
        let Some(new) = self.mended(first, &opened, position, frames)? else { return Ok(()) };
        let written = self.write_over(first, &opened, &new);
        if written && self.disk.sync_data(&opened.file).is_ok() {
            let mut index = opened.index.clone();
            index.fill_hole(new.ordinal);
            self.keep_index_file(first, &index.encode(self.id, first));
            self.cache().insert(first, Arc::new(Opened { file: opened.file.clone(), index }));
            return Ok(());
        }
        let header = Header::read(&self.disk, &opened.file, &segment_file(first))?;
        let mut plan = Plan::new(&opened.index);
        let Mended { ordinal, span, frame, hash } = new;
        plan.replaced.insert(ordinal, Replacement { span, frame, hash });
        self.rewrite(&opened, &header, &plan)
    }

    /// What belongs there; `None` when it is there.
    fn mended(
        &self,
        first: u64,
        opened: &Opened<D>,
        position: Position,
        frames: &[impl AsRef<[u8]>],
    ) -> Result<Option<Mended>, Error> {
        let ordinal = u32::try_from(position.0 - first).unwrap_or(u32::MAX);
        let index = &opened.index;
        let place = index.place(ordinal).ok_or(damaged(position, None, Damage::NoSegment))?;
        let mut entries = Entries::new(self, opened, first);
        if place.dropped() || entries.whole(ordinal).is_some() {
            return Ok(None);
        }
        let unfit = |reason| Error::Unfit { address: None, reason };
        let span = index.span_at(ordinal).ok_or(unfit("nobody knows whose record was there"))?;
        let before = self.hash_before(first, opened, &mut entries, span)?;
        let (frame, hash) = fitting(span, before, frames)?;
        if !self.fits_what_follows(first, opened, &mut entries, span, hash)? {
            let (address, reason) = (Some(span.first), "what follows it is of another journal");
            return Err(Error::Unfit { address, reason });
        }
        Ok(Some(Mended { ordinal, span, frame, hash }))
    }

    /// The writer's running hash before the span; `None` when it was lost with the record before.
    fn hash_before(
        &self,
        first: u64,
        opened: &Opened<D>,
        entries: &mut Entries<'_, D>,
        span: Span,
    ) -> Result<Option<u64>, Error> {
        let mut previous = span.first;
        let ordinal = previous.index.checked_sub(1).and_then(|index| {
            previous.index = index;
            opened.index.ordinal_of(previous)
        });
        if let Some(ordinal) = ordinal {
            return Ok(entries.hash(ordinal));
        }
        let header = Header::read(&self.disk, &opened.file, &segment_file(first))?;
        let mark = header.table.get(&span.first.writer).copied().unwrap_or_default();
        Ok((mark.count == span.first.index).then_some(mark.hash))
    }

    /// Does the writer's next record, as far as there is one that can be read, follow on this hash?
    fn fits_what_follows(
        &self,
        first: u64,
        opened: &Opened<D>,
        entries: &mut Entries<'_, D>,
        span: Span,
        hash: u64,
    ) -> Result<bool, Error> {
        let next = record::Address { index: span.end(), ..span.first };
        if let Some(ordinal) = opened.index.ordinal_of(next) {
            let Some(whole) = entries.whole(ordinal) else { return Ok(true) };
            let frame = &entries.bytes[ENTRY_HEAD_BYTES..];
            return Ok(match whole.frame.gap {
                None => chain(hash, frame) == whole.entry.hash,
                Some(gap) => {
                    let nth = next.index.saturating_sub(whole.frame.address.index);
                    hash_before(frame, gap, nth) == Some(hash)
                }
            });
        }
        let state = self.lock();
        let (records, _) = state.sealed_at(first);
        let after = if state.live.first == first {
            let held = state.writers.get(&next.writer);
            held.map(|held| (held.count, held.hash))
        } else {
            drop(state);
            let table = self.table_after(first, records)?;
            table.get(&next.writer).map(|mark| (mark.count, mark.hash))
        };
        Ok(after.is_none_or(|(count, after)| count != next.index || after == hash))
    }

    /// `false` when the place has another length, or cannot be written. The caller syncs.
    fn write_over(&self, first: u64, opened: &Opened<D>, new: &Mended) -> bool {
        let place = opened.index.place(new.ordinal);
        let length = ENTRY_HEAD_BYTES + new.frame.len();
        let Some(place) = place.filter(|place| place.bytes == length) else { return false };
        let head = EntryHead { ordinal: new.ordinal, batch: 0, hash: new.hash };
        let mut entry = Vec::with_capacity(length);
        Salt::new(self.id, first).write(head, &new.frame, &mut entry);
        let written = self.disk.write_at(&opened.file, place.offset, &entry);
        if let Err(error) = &written {
            tracing::warn!(%error, "a place cannot be written over; its segment is rewritten");
        }
        written.is_ok()
    }
}

/// What takes the place of a damaged record.
struct Mended {
    ordinal: u32,
    span: Span,
    frame: Vec<u8>,
    /// Running hash behind it.
    hash: u64,
}

/// One frame for the whole span, and the running hash behind it.
fn fitting(
    span: Span,
    mut before: Option<u64>,
    frames: &[impl AsRef<[u8]>],
) -> Result<(Vec<u8>, u64), Error> {
    let unfit = |reason| Error::Unfit { address: Some(span.first), reason };
    let mut gap: Option<Builder> = None;
    let mut next = span.first.index;
    for frame in frames.iter().map(AsRef::as_ref) {
        let head =
            FrameHead::read(frame).map_err(|_| unfit("what should replace it is no frame"))?;
        let starts =
            head.address.index == next || (head.gap.is_some() && head.address.index < next);
        if head.address.writer != span.first.writer || !starts || head.end() <= next {
            return Err(unfit("that is another record"));
        }
        if head.length != frame.len() {
            return Err(unfit("more than a frame is there"));
        }
        let known = match head.gap {
            Some(gap) => hash_before(frame, gap, next - head.address.index),
            None => before,
        };
        let known = known.ok_or(unfit("the record before it is to be mended first"))?;
        if before.is_some_and(|before| before != known) {
            return Err(unfit("it does not follow on what is held"));
        }
        let after = head.gap.map_or_else(|| chain(known, frame), |gap| gap.running_hash);
        if head.gap.is_none() && span.records == 1 {
            return Ok((frame.to_vec(), after));
        }
        let record = decode(frame).map_err(|_| unfit("it cannot be read"))?;
        let piece = Builder::new(&record, next, known, after);
        let rest = match &mut gap {
            Some(gap) => gap.join(piece),
            None => {
                gap = Some(piece);
                None
            }
        };
        if rest.is_some() {
            return Err(unfit("it is too large"));
        }
        (next, before) = (head.end(), Some(after));
        if next >= span.end() {
            break;
        }
    }
    let mut gap = gap.filter(|_| next >= span.end()).ok_or(unfit("something is missing"))?;
    gap.cut(span.records);
    let hash = gap.running_hash();
    Ok((gap.record().encode(), hash))
}
