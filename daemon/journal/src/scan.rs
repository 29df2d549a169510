//! Sequential reading: for the peer that is behind, and for building the index anew.

use std::sync::Arc;

use record::Record;

use crate::disk::Disk;
use crate::error::{Damage, Error, disk_error};
use crate::limits::WINDOW_BYTES;
use crate::log::{Log, Position};
use crate::read::{Location, Spot, check_entry, damaged, decode};
use crate::segment::segment_file;

/// One step of [`Scan::next_frame`].
pub type ScannedFrame = Result<(Position, Arc<[u8]>), Error>;

/// Records in order, read from the disk a window at a time.
///
/// `None` means that the end is reached for now: after more appends it goes on. A damaged record is
/// given as [`Error::Damaged`] with its position, and the scan goes on behind it; any other error ends
/// the scan for good. Positions that were reclaimed are passed over; gaps are given like records.
#[derive(Debug)]
pub struct Scan<D: Disk> {
    log: Arc<Log<D>>,
    next: u64,
    /// Bytes of `segment` from offset `at`.
    window: Vec<u8>,
    segment: u64,
    generation: u32,
    at: u64,
    failed: bool,
}

impl<D: Disk> Log<D> {
    /// Reads from a position to the end, that which waits for the disk included.
    #[must_use]
    pub fn scan(self: &Arc<Self>, from: Position) -> Scan<D> {
        Scan {
            log: self.clone(),
            next: from.0,
            window: Vec::new(),
            segment: 0,
            generation: 0,
            at: 0,
            failed: false,
        }
    }
}

impl<D: Disk> Scan<D> {
    /// The position that comes next.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.next)
    }

    /// Like `next`, with the frame as it goes over the cable.
    pub fn next_frame(&mut self) -> Option<ScannedFrame> {
        while !self.failed && self.next < self.log.end().0 {
            let position = Position(self.next);
            match self.read(position) {
                Ok(None) => {}
                Ok(Some(frame)) => {
                    self.next += 1;
                    return Some(Ok((position, frame)));
                }
                Err(error) => {
                    match &error {
                        Error::Damaged { .. } => self.next += 1,
                        _ => self.failed = true,
                    }
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Like `next`, without the payload, and content when only that is damaged. What the disk cannot read is
    /// a damaged record like any other here.
    pub fn next_head(&mut self) -> Option<Result<(Position, Record), Error>> {
        while !self.failed && self.next < self.log.end().0 {
            let position = Position(self.next);
            let read = match self.read(position) {
                // The window could not be read: a part of it may be.
                Err(Error::Disk { .. }) => self.read_alone(position).map(Some),
                read => read,
            };
            let frame = match read {
                Ok(None) => continue,
                Ok(Some(frame)) => frame,
                Err(error @ Error::Damaged { .. }) => {
                    self.next += 1;
                    return Some(Err(error));
                }
                Err(Error::Disk { .. }) => {
                    self.next += 1;
                    return Some(Err(damaged(position, None, Damage::Hole)));
                }
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            };
            self.next += 1;
            let record = record::decode_checked_head(&frame);
            let record = record.map_err(|error| damaged(position, None, Damage::Frame(error)));
            return Some(record.map(|record| (position, record)));
        }
        None
    }

    /// `None`: nothing is there any more; `next` has moved on.
    pub(crate) fn read(&mut self, position: Position) -> Result<Option<Arc<[u8]>>, Error> {
        match self.log.locate(position)? {
            Location::Memory(frame) => Ok(Some(frame)),
            Location::Disk(spot) => {
                let log_id = self.log.id;
                let entry = self.entry(&spot)?;
                Ok(Some(check_entry(log_id, &spot, position, entry)?.into()))
            }
            Location::Dropped { next } => {
                self.next = next.0;
                Ok(None)
            }
        }
    }

    pub(crate) fn read_alone(&self, position: Position) -> Result<Arc<[u8]>, Error> {
        self.log.frame(position)
    }

    pub(crate) fn skip_one(&mut self) {
        self.next += 1;
    }

    fn entry(&mut self, spot: &Spot<D>) -> Result<&[u8], Error> {
        let (offset, bytes) = (spot.place.offset, spot.place.bytes);
        let inside = (self.segment, self.generation) == (spot.segment, spot.generation)
            && offset >= self.at
            && offset + bytes as u64 <= self.at + self.window.len() as u64;
        if !inside {
            let window = WINDOW_BYTES.min((spot.data_end - offset) as usize).max(bytes);
            self.window.resize(window, 0);
            (self.segment, self.generation, self.at) = (spot.segment, spot.generation, offset);
            let read = self.log.disk.read_at(&spot.file, offset, &mut self.window);
            if let Err(error) = read {
                self.window.clear();
                return Err(disk_error("read", &segment_file(spot.segment))(error));
            }
        }
        let from = (offset - self.at) as usize;
        Ok(&self.window[from..from + bytes])
    }
}

impl<D: Disk> Iterator for Scan<D> {
    type Item = Result<(Position, Record), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.next_frame()?;
        Some(frame.and_then(|(position, frame)| Ok((position, decode(position, &frame)?))))
    }
}
