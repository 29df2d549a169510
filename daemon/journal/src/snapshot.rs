//! What is durable at one moment, for whoever reads it at leisure.

use std::sync::Arc;

use record::{Vector, decode};

use crate::disk::Disk;
use crate::error::Error;
use crate::gap::Builder;
use crate::log::{Log, Position, SegmentInfo};
use crate::scan::ScannedFrame;
use crate::segment::entry::FrameHead;
use crate::segment::header::Table;

/// Everything that was durable when it was taken. It holds nothing open and keeps nothing from being
/// reclaimed: what is reclaimed while it is read comes as the gap that stands for it.
#[derive(Debug)]
pub struct Snapshot<D: Disk> {
    log: Arc<Log<D>>,
    end: Position,
    segments: Vec<SegmentInfo>,
    table: Table,
}

impl<D: Disk> Log<D> {
    /// Waits for a commit that is under way, no longer.
    #[must_use]
    pub fn snapshot(self: &Arc<Self>) -> Snapshot<D> {
        let tail = self.tail.lock().expect("no thread panics while it writes");
        let (table, end, segments) = (tail.table.clone(), self.synced(), self.segments());
        drop(tail);
        Snapshot { log: self.clone(), end, segments, table }
    }
}

impl<D: Disk> Snapshot<D> {
    /// The position behind its last record.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// How many records of each writer it holds.
    #[must_use]
    pub fn vector(&self) -> Vector {
        self.table.iter().map(|(writer, mark)| (*writer, mark.count)).collect()
    }

    /// The segments that hold it, oldest first; the last may grow meanwhile.
    #[must_use]
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// Its frames in order. A gap may begin with records that were given already.
    pub fn frames(&self) -> impl Iterator<Item = ScannedFrame> {
        let mut scan = self.log.scan(Position(0));
        let mut limit = self.end;
        let mut at_end = false;
        let mut given = Vector::new();
        std::iter::from_fn(move || {
            loop {
                if scan.position() >= self.end && !std::mem::replace(&mut at_end, true) {
                    limit = self.limit();
                }
                if scan.position() >= limit.max(self.end) {
                    return None;
                }
                let (position, frame) = match scan.next_frame()? {
                    Ok((position, frame)) if position < self.end => (position, Some(frame)),
                    Ok((position, frame)) => (position, self.cut(&frame, &given)),
                    Err(Error::Damaged { position: Some(at), .. }) if at >= self.end => continue,
                    Err(error) => return Some(Err(error)),
                };
                let Some(frame) = frame else { continue };
                if let Ok(head) = FrameHead::read(&frame) {
                    given.insert(head.address.writer, head.end());
                }
                return Some(Ok((position, frame)));
            }
        })
    }

    /// How far gaps may have gone that stand for records of this snapshot: to the end of the segment that
    /// was the newest, when it was sealed and rewritten since.
    fn limit(&self) -> Position {
        // A rewrite that has its file in place has told of it too, then.
        drop(self.log.upkeep());
        let Some(last) = self.end.0.checked_sub(1) else { return self.end };
        let state = self.log.lock();
        match state.sealed_before(Position(last)) {
            Some(of) if last < state.live.first && of.generation > 0 => {
                Position(of.first + u64::from(of.records))
            }
            _ => self.end,
        }
    }

    /// What a frame from behind the end has of this snapshot: the beginning of a gap, or nothing.
    fn cut(&self, frame: &[u8], given: &Vector) -> Option<Arc<[u8]>> {
        let head = FrameHead::read(frame).ok()?;
        let writer = head.address.writer;
        let held = self.table.get(&writer)?.count;
        if given.get(&writer).is_some_and(|given| *given >= held) {
            return None;
        }
        let records = held.checked_sub(head.address.index).filter(|records| *records > 0)?;
        let record = decode(frame).ok()?;
        let mut gap = Builder::new(&record, record.index, 0, head.gap?.running_hash);
        gap.cut(records);
        Some(gap.record().encode().into())
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }
}
