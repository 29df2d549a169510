//! Reads everything again and again, at the caller's pace, and tells what is rotten.

use std::sync::Arc;

use crate::disk::Disk;
use crate::error::Error;
use crate::limits::SCRUB_DAMAGED_MAX;
use crate::log::{Log, Position};
use crate::recovery::Damaged;
use crate::scan::Scan;
use crate::segment::entry::FrameHead;
use crate::segment::header::Header;
use crate::segment::index::Span;
use crate::segment::segment_file;

/// What one step of the scrub has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScrubProgress {
    /// The segment in which the next step begins, by its first position.
    pub segment: Position,
    /// Where the next step begins: what [`Log::scrub_from`] wants after a restart.
    pub next: Position,
    /// The step came to the end of the log: the next begins a new round.
    pub done: bool,
    /// Bytes read.
    pub bytes: u64,
    /// To be mended, see [`Log::mend`].
    pub damaged: Vec<Damaged>,
}

/// A place that cannot be read takes this much of a step's budget, bytes.
const DAMAGED_COST_BYTES: u64 = 4096;

impl<D: Disk> Log<D> {
    /// Reads and checks about `budget_bytes` from where the last step ended, up to what is durable. A copy
    /// of a segment's header that is bad is put right from the other at once. An opening of the log starts over,
    /// unless it is told better ([`Log::scrub_from`]).
    ///
    /// # Errors
    /// [`Error::Disk`] other than for a record that cannot be read: that one is damaged.
    pub fn scrub_step(self: &Arc<Self>, budget_bytes: u64) -> Result<ScrubProgress, Error> {
        let mut next = self.scrubbed.lock().expect("no thread panics while it scrubs");
        let mut scan = self.scan(Position(*next));
        let (mut bytes, mut damaged) = (0, Vec::new());
        let end = self.synced();
        while scan.position() < end && bytes < budget_bytes && damaged.len() < SCRUB_DAMAGED_MAX {
            let position = scan.position();
            self.begin_segment(position)?;
            match check(&mut scan, position) {
                Ok(read) => bytes += read,
                Err(Error::Damaged { .. } | Error::Disk { .. }) => {
                    let found = self.damaged_at(position);
                    tracing::error!(%position, address = ?found.address, "the scrub found a damaged record");
                    damaged.push(found);
                    bytes += DAMAGED_COST_BYTES;
                    scan = self.scan(Position(position.0 + 1));
                }
                Err(error) => return Err(error),
            }
        }
        let done = scan.position() >= end;
        *next = if done { 0 } else { scan.position().0 };
        let (segment, next) = (self.segment_at(Position(*next)), Position(*next));
        Ok(ScrubProgress { segment, next, done, bytes, damaged })
    }

    /// The next step begins here: where an earlier run of the program had come to. A position that the log does
    /// not have is the beginning.
    pub fn scrub_from(&self, position: Position) {
        let known = Some(position.0).filter(|_| position < self.end());
        *self.scrubbed.lock().expect("no thread panics while it scrubs") = known.unwrap_or(0);
    }

    /// What is lost with the record at a position that could not be read: what [`Log::mend`] wants.
    #[must_use]
    pub fn damaged_at(&self, position: Position) -> Damaged {
        let span = self.span_at(position).ok().flatten();
        let (address, records) = (span.map(|s| s.first), span.map_or(1, |s| s.records));
        Damaged { position, address, records }
    }

    /// Was what cannot be read at a position nobody's, as far as an opening could tell? Then no count says
    /// that it is held, the peer sends it again, and nothing is to be mended.
    #[must_use]
    pub fn is_nobodys(&self, position: Position) -> bool {
        matches!(self.span_at(position), Ok(None))
    }

    /// At the first record of a segment: its header; and what follows comes from the disk.
    fn begin_segment(&self, position: Position) -> Result<(), Error> {
        if self.segment_at(position) != position {
            return Ok(());
        }
        let name = segment_file(position.0);
        // A segment whose file or header is lost shows record by record.
        let Ok(file) = self.disk.open(&name) else { return Ok(()) };
        self.disk.forget_cached(&file);
        match Header::mend(&self.disk, &file, &name) {
            Ok(true) => tracing::error!(file = name, "a copy of the header was bad and is mended"),
            Ok(false) | Err(Error::Segment { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn segment_at(&self, position: Position) -> Position {
        let state = self.lock();
        if position.0 >= state.live.first {
            return Position(state.live.first);
        }
        state.sealed_before(position).map_or(position, |sealed| Position(sealed.first))
    }

    /// Whose record a position holds; `None` when nobody knows any more.
    fn span_at(&self, position: Position) -> Result<Option<Span>, Error> {
        let ordinal = |first: u64| u32::try_from(position.0 - first).unwrap_or(u32::MAX);
        let state = self.lock();
        if position.0 >= state.live.first {
            return Ok(state.live.index.span_at(ordinal(state.live.first)));
        }
        let Some(first) = state.sealed_before(position).map(|sealed| sealed.first) else {
            return Ok(None);
        };
        drop(state);
        Ok(self.opened(first)?.index.span_at(ordinal(first)))
    }
}

/// Reads what the scan comes to; moves it on and returns the bytes when all is well.
fn check<D: Disk>(scan: &mut Scan<D>, position: Position) -> Result<u64, Error> {
    let frame = match scan.read(position) {
        Ok(None) => return Ok(0),
        Ok(Some(frame)) => frame,
        // The window could not be read: a part of it may be.
        Err(Error::Disk { .. }) => scan.read_alone(position)?,
        Err(error) => return Err(error),
    };
    FrameHead::read(&frame).map_err(|damage| crate::read::damaged(position, None, damage))?;
    scan.skip_one();
    Ok(frame.len() as u64)
}
