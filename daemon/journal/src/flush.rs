//! Makes what waits durable: one write, one `fdatasync`; seals a segment when it is full.
//!
//! | the power goes | what is found |
//! |---|---|
//! | before the batch is written | everything up to the batch |
//! | while it is written or synced | the batch, or a part that the recovery cuts to a prefix |
//! | between the old segment and the name of the new | the old one, complete; the new one is a `.tmp`, removed |
//! | after the name, before the first entry | an empty newest segment |
//!
//! A batch never spans segments, so each is durable before the next begins.

use std::sync::{Arc, MutexGuard};

use record::Address;

use crate::disk::Disk;
use crate::error::{Error, disk_error};
use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX};
use crate::log::{Live, Log, Position, Run, Sealed, State, Tail, Unwritten};
use crate::read::Opened;
use crate::segment::entry::{ENTRY_HEAD_BYTES, EntryHead, Salt};
use crate::segment::header::{Header, Mark};
use crate::segment::index::SegmentIndex;
use crate::segment::{FRESH_FILE, SPARE_FILE, index_file, segment_file};

impl<D: Disk> Log<D> {
    /// Makes everything durable that was appended before the call; returns the end of what is durable.
    ///
    /// # Errors
    /// [`Error::DiskFull`]: nothing is lost, call again. Any other: the log is [`Error::Broken`] from then
    /// on, since after a failed sync nobody knows what the disk has; open it again.
    pub fn flush(&self) -> Result<Position, Error> {
        let end = self.end();
        let mut synced = self.synced();
        while synced < end {
            synced = self.commit_batch()?;
        }
        Ok(synced)
    }

    /// Writes and syncs what waits, up to [`BATCH_BYTES_MAX`] and the end of the segment.
    pub(crate) fn commit_batch(&self) -> Result<Position, Error> {
        let mut tail = self.tail.lock().expect("no thread panics while it writes");
        let done = self.write_batch(&mut tail);
        if let Err(error) = &done
            && !matches!(error, Error::DiskFull { .. } | Error::Broken(_))
        {
            self.lock().broken = Some(error.clone());
        }
        done
    }

    /// Seals the newest segment as it is, so that it can be rewritten.
    pub(crate) fn seal(&self) -> Result<(), Error> {
        let mut tail = self.tail.lock().expect("no thread panics while it writes");
        if let Some(error) = &self.lock().broken {
            return Err(Error::Broken(Box::new(error.clone())));
        }
        let done = self.roll(&mut tail);
        if let Err(error) = &done
            && !matches!(error, Error::DiskFull { .. })
        {
            self.lock().broken = Some(error.clone());
        }
        done
    }

    fn write_batch(&self, tail: &mut Tail<D>) -> Result<Position, Error> {
        let mut batch = self.batch(tail)?;
        if batch.is_empty() {
            if self.lock().unwritten.is_empty() {
                return Ok(self.synced());
            }
            self.roll(tail)?;
            batch = self.batch(tail)?;
        }
        let first_ordinal = self.lock().live.index.records();
        let salt = Salt::new(self.id, tail.first);
        tail.buffer.clear();
        for (ordinal, one) in (first_ordinal..).zip(&batch) {
            let head = EntryHead { ordinal, batch: first_ordinal, hash: one.hash };
            salt.write(head, &one.frame, &mut tail.buffer);
        }
        let name = segment_file(tail.first);
        self.disk
            .write_at(&tail.file, tail.data_end, &tail.buffer)
            .map_err(disk_error("write to", &name))?;
        self.disk.sync_data(&tail.file).map_err(disk_error("sync", &name))?;
        Ok(self.settle(tail, &batch))
    }

    /// What waits and fits, in order. Empty also when the first does not fit: time for the next segment.
    fn batch(&self, tail: &Tail<D>) -> Result<Vec<Unwritten>, Error> {
        let state = self.lock();
        if let Some(error) = &state.broken {
            return Err(Error::Broken(Box::new(error.clone())));
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        for one in state.unwritten.iter().take(BATCH_RECORDS_MAX) {
            let entry = ENTRY_HEAD_BYTES + one.frame.len();
            let fits = tail.data_end + (bytes + entry) as u64 <= self.config.segment_bytes;
            // A segment takes at least one record, however large.
            let first_of_segment = batch.is_empty() && state.live.index.records() == 0;
            if !(fits || first_of_segment) || (bytes + entry > BATCH_BYTES_MAX && bytes > 0) {
                break;
            }
            bytes += entry;
            batch.push(one.clone());
        }
        Ok(batch)
    }

    /// The batch is durable: readers find it on the disk from here on.
    fn settle(&self, tail: &mut Tail<D>, batch: &[Unwritten]) -> Position {
        let mut state = self.lock();
        for one in batch {
            let entry = ENTRY_HEAD_BYTES + one.frame.len();
            state.live.index.push(one.span, entry);
            state.unwritten.pop_front();
            for address in one.span.addresses() {
                state.unwritten_at.remove(&address);
            }
            state.unwritten_bytes -= one.frame.len();
            state.note_run(one);
            tail.data_end += entry as u64;
            let mark = Mark { count: one.span.end(), hash: one.hash };
            tail.table.insert(one.span.first.writer, mark);
        }
        state.synced += batch.len() as u64;
        Position(state.synced)
    }

    /// Seals the segment, all of which is durable, and begins the next.
    fn roll(&self, tail: &mut Tail<D>) -> Result<(), Error> {
        let (first, table) = (self.synced().0, tail.table.clone());
        let header = Header { log_id: self.id, first, table, ..Header::default() };
        let made = match self.take_spare() {
            Some(spare) => name_segment(&self.disk, spare, SPARE_FILE, &header),
            None => create_segment(&self.disk, &header),
        };
        self.spare_named();
        let file = Arc::new(made?);
        let index = SegmentIndex::new(header.data_start(), 0);
        let live = Live { first: header.first, file: file.clone(), index };
        let old = replace_live(self.lock(), live);
        *tail = Tail {
            first: header.first,
            file,
            data_end: header.data_start(),
            table: header.table,
            buffer: std::mem::take(&mut tail.buffer),
        };
        self.keep_index(old);
        Ok(())
    }

    /// Writes the side index of a sealed segment. Not synced: a missing one costs a scan.
    fn keep_index(&self, old: Live<D>) {
        let bytes = old.index.encode(self.id, old.first);
        self.keep_index_file(old.first, &bytes);
        self.cache().insert(old.first, Arc::new(Opened { file: old.file, index: old.index }));
    }

    pub(crate) fn keep_index_file(&self, first: u64, bytes: &[u8]) {
        let name = index_file(first);
        let written = self.disk.create(&name).and_then(|file| self.disk.write_at(&file, 0, bytes));
        if let Err(error) = written {
            tracing::warn!(file = name, %error, "a side index was not kept");
        }
    }
}

impl<D: Disk> State<D> {
    /// Notes that the live segment holds records of this writer, from this one on.
    fn note_run(&mut self, one: &Unwritten) {
        let segment = self.live.first;
        let Address { writer, index } = one.span.first;
        let held = self.writers.entry(writer).or_default();
        if held.runs.last().is_none_or(|run| run.segment != segment) {
            held.runs.push(Run { first_index: index, segment });
        }
    }
}

fn replace_live<D: Disk>(mut state: MutexGuard<'_, State<D>>, live: Live<D>) -> Live<D> {
    let old = std::mem::replace(&mut state.live, live);
    state.sealed.push(Sealed {
        first: old.first,
        records: old.index.records(),
        bytes: old.index.data_end(),
        generation: 0,
    });
    old
}

/// Makes an empty segment that grows; durable, name and all, when this returns.
pub(crate) fn create_segment<D: Disk>(disk: &D, header: &Header) -> Result<D::File, Error> {
    let made = disk.create(FRESH_FILE).map_err(disk_error("create", FRESH_FILE));
    let done = made.and_then(|file| name_segment(disk, file, FRESH_FILE, header));
    if done.is_err() {
        // What is left of it would only take room away.
        let _ = disk.remove(FRESH_FILE);
    }
    done
}

/// Makes a segment of a file that is empty or zeroed.
fn name_segment<D: Disk>(
    disk: &D,
    file: D::File,
    temporary: &str,
    header: &Header,
) -> Result<D::File, Error> {
    let name = segment_file(header.first);
    disk.write_at(&file, 0, &header.encode()).map_err(disk_error("write to", temporary))?;
    disk.sync_data(&file).map_err(disk_error("sync", temporary))?;
    disk.rename(temporary, &name).map_err(disk_error("rename", temporary))?;
    disk.sync_dir().map_err(disk_error("sync the folder of", &name))?;
    Ok(file)
}
