//! Gives back the room of dead records: a sealed segment is rewritten without them, and gaps take their
//! place.
//!
//! Which records are dead, the caller knows. The log never asks for the newest segment.

use std::collections::BTreeMap;

use record::{Address, Writer, decode};

use crate::disk::Disk;
use crate::error::{Damage, Error};
use crate::gap::Builder;
use crate::limits::{DROPPED_RANGES_MAX, RECLAIM_LIVE_PERCENT_MAX};
use crate::log::{Log, Position};
use crate::read::{Opened, damaged};
use crate::rewrite::{Entries, Plan, Replacement, Whole};
use crate::segment::entry::ENTRY_HEAD_BYTES;
use crate::segment::header::{Header, Table};
use crate::segment::index::Span;
use crate::segment::segment_file;

/// A segment that is worth rewriting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reclaimable {
    /// Its first position: what [`Log::reclaim`] wants.
    pub segment: Position,
    /// Of all its records.
    pub bytes: u64,
    /// What a rewrite would save, roughly.
    pub dead_bytes: u64,
}

/// What a rewrite has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reclaimed {
    pub bytes_before: u64,
    pub bytes_after: u64,
}

impl<D: Disk> Log<D> {
    /// The segments of which at most [`RECLAIM_LIVE_PERCENT_MAX`] are alive, the deadest first. Reads side
    /// indexes only. Segments that cannot be read are left out.
    #[must_use]
    pub fn reclaimable(&self, is_dead: impl Fn(Address) -> bool) -> Vec<Reclaimable> {
        let sealed = self.lock().sealed.iter().map(|sealed| sealed.first).collect::<Vec<_>>();
        let mut worth = Vec::new();
        for first in sealed {
            match self.opened(first) {
                Ok(opened) => worth.extend(worth_it(&opened, first, &is_dead)),
                Err(error) => tracing::warn!(%error, "a segment is not looked at for reclaim"),
            }
        }
        worth.sort_by_key(|one| std::cmp::Reverse(one.dead_bytes));
        worth
    }

    /// Rewrites the sealed segment that begins at `segment` without the dead records; `None` when it is not
    /// sealed, or too much of it is alive. Positions of the others do not change. Takes as long as reading
    /// it twice and writing what is alive; nobody else waits meanwhile.
    ///
    /// Only records may be dead which nothing on this box's disk needs any more, not even after a power cut.
    ///
    /// # Errors
    /// [`Error::Damaged`]: mend it first. [`Error::Disk`], [`Error::DiskFull`]: nothing is lost, and the
    /// log goes on.
    pub fn reclaim(
        &self,
        segment: Position,
        is_dead: impl Fn(Address) -> bool,
    ) -> Result<Option<Reclaimed>, Error> {
        let _upkeep = self.upkeep();
        let sealed = self.lock().sealed.iter().any(|sealed| sealed.first == segment.0);
        if !sealed {
            return Ok(None);
        }
        let old = self.opened(segment.0)?;
        if worth_it(&old, segment.0, &is_dead).is_none() {
            return Ok(None);
        }
        let header = Header::read(&self.disk, &old.file, &segment_file(segment.0))?;
        let Some(plan) = Planner::new(self, &old, &header).plan(is_dead)? else { return Ok(None) };
        self.rewrite(&old, &header, &plan)?;
        let bytes_after = self.opened(segment.0)?.index.data_end();
        let bytes_before = old.index.data_end();
        tracing::info!(%segment, bytes_before, bytes_after, "a segment was reclaimed");
        Ok(Some(Reclaimed { bytes_before, bytes_after }))
    }

    pub(crate) fn upkeep(&self) -> std::sync::MutexGuard<'_, ()> {
        self.upkeep.lock().expect("no thread panics while it rewrites a segment")
    }
}

fn worth_it<D: Disk>(
    opened: &Opened<D>,
    first: u64,
    is_dead: impl Fn(Address) -> bool,
) -> Option<Reclaimable> {
    let bytes = opened.index.entry_bytes();
    let dead_bytes = opened.index.dead_bytes(is_dead).min(bytes);
    let worth = is_worth(bytes - dead_bytes, bytes);
    worth.then_some(Reclaimable { segment: Position(first), bytes, dead_bytes })
}

fn is_worth(live_bytes: u64, bytes: u64) -> bool {
    live_bytes * 100 <= bytes * RECLAIM_LIVE_PERCENT_MAX
}

/// Reads a segment once and decides what becomes of each record.
struct Planner<'a, D: Disk> {
    old: &'a Opened<D>,
    first: u64,
    entries: Entries<'a, D>,
    plan: Plan,
    /// Held by each writer, as far as the segment was read.
    table: Table,
    /// The gap that grows, and the ordinal of its last record.
    open: BTreeMap<Writer, (u32, Builder)>,
    live_bytes: u64,
}

impl<'a, D: Disk> Planner<'a, D> {
    fn new(log: &'a Log<D>, old: &'a Opened<D>, header: &Header) -> Planner<'a, D> {
        Planner {
            old,
            first: header.first,
            entries: Entries::new(log, old, header.first),
            plan: Plan::new(&old.index),
            table: header.table.clone(),
            open: BTreeMap::new(),
            live_bytes: 0,
        }
    }

    /// `None` when it turns out not to be worth it.
    fn plan(mut self, is_dead: impl Fn(Address) -> bool) -> Result<Option<Plan>, Error> {
        let spans = self.old.index.spans();
        for ordinal in 0..self.old.index.records() {
            if self.plan.dropped[ordinal as usize] {
                continue;
            }
            let Some(span) = spans.get(&ordinal).copied() else {
                // Damaged, and of nobody: whoever wrote it has written it again since.
                self.plan.dropped[ordinal as usize] = true;
                continue;
            };
            let position = Position(self.first + u64::from(ordinal));
            let whole = self.entries.read(ordinal).map_err(|error| match error {
                Error::Damaged { damage, .. } => damaged(position, Some(span.first), damage),
                other => other,
            })?;
            if whole.frame.end() != span.end() {
                return Err(damaged(position, Some(span.first), Damage::Entry));
            }
            self.decide(ordinal, span, whole, &is_dead);
            let mark = self.table.entry(span.first.writer).or_default();
            (mark.count, mark.hash) = (span.end(), whole.entry.hash);
        }
        for writer in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(writer);
        }
        let small = self.plan.dropped_ranges().len() <= DROPPED_RANGES_MAX;
        let worth = small && is_worth(self.live_bytes, self.old.index.entry_bytes());
        Ok(worth.then_some(self.plan))
    }

    fn decide(
        &mut self,
        ordinal: u32,
        span: Span,
        whole: Whole,
        is_dead: impl Fn(Address) -> bool,
    ) {
        let writer = span.first.writer;
        let dead = whole.frame.gap.is_some() || is_dead(span.first);
        // What this version cannot read, it cannot fold into a gap.
        let record = decode(&self.entries.bytes[ENTRY_HEAD_BYTES..]).ok().filter(|_| dead);
        let Some(record) = record else {
            self.close(writer);
            self.live_bytes += self.entries.bytes.len() as u64;
            return;
        };
        let before = self.table.get(&writer).copied().unwrap_or_default().hash;
        let gap = Builder::new(&record, span.first.index, before, whole.entry.hash);
        self.plan.dropped[ordinal as usize] = true;
        let rest = match self.open.get_mut(&writer) {
            Some((last, open)) => {
                let rest = open.join(gap);
                if rest.is_none() {
                    *last = ordinal;
                }
                rest
            }
            None => Some(gap),
        };
        if let Some(gap) = rest {
            self.close(writer);
            self.open.insert(writer, (ordinal, gap));
        }
    }

    /// The gap of this writer, if one grows, is as long as it gets.
    fn close(&mut self, writer: Writer) {
        let Some((ordinal, gap)) = self.open.remove(&writer) else { return };
        let span = Span { first: gap.first(), records: gap.records() };
        let hash = gap.running_hash();
        let frame = gap.record().encode();
        self.live_bytes += (ENTRY_HEAD_BYTES + frame.len()) as u64;
        self.plan.dropped[ordinal as usize] = false;
        self.plan.replaced.insert(ordinal, Replacement { span, frame, hash });
    }
}
