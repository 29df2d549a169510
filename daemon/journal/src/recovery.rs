//! Opening: what does the disk hold, and where does it end?
//!
//! Only the newest segment is read whole (see `segment::survey` for how its end is judged); of the
//! others only the headers. What lies behind the end is zeroed and synced before anything else is
//! written, so that nothing of it can ever come back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex};

use record::{Address, Vector};

use crate::backup::undo_restore;
use crate::disk::Disk;
use crate::error::{Error, disk_error};
use crate::flush::create_segment;
use crate::limits::WINDOW_BYTES;
use crate::log::{Config, Held, Live, Log, Position, Run, Sealed, State, Tail};
use crate::read::Cache;
use crate::segment::header::Header;
use crate::segment::survey::{Survey, Verdict};
use crate::segment::{parse_segment_file, segment_file};
use crate::spare::Spare;

/// What an opening found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// The directory held no log: this one begins now.
    pub fresh: bool,
    pub log_id: u128,
    /// How many records of each writer are held.
    pub vector: Vector,
    /// All before it is durable.
    pub end: Position,
    /// What a power cut left behind the end; it is gone.
    pub torn_tail_bytes: u64,
    /// Damaged records in the newest segment. Those in others show when they are read.
    pub damaged: Vec<Damaged>,
    /// First positions of sealed segments whose header cannot be read: their records are all damaged.
    pub lost_segments: Vec<Position>,
}

/// A record that was durable once and cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged {
    pub position: Position,
    /// `None` when nothing says whose it was; then `vector` does not count it, and the peer, asked for
    /// what `vector` lacks, sends it again.
    pub address: Option<Address>,
    /// How many records of its writer were lost with it: more than one where a gap was.
    pub records: u64,
}

/// A segment whose header was read.
struct Segment<D: Disk> {
    file: D::File,
    header: Header,
    bytes: u64,
}

impl<D: Disk> Log<D> {
    /// Opens the log of a directory, or begins one.
    ///
    /// # Errors
    /// [`Error::Segment`] when the header of the newest segment is lost; [`Error::Foreign`];
    /// [`Error::Version`]; [`Error::Disk`], also when the end of the log cannot be read;
    /// [`Error::DiskFull`].
    pub fn open(disk: D, config: Config) -> Result<(Arc<Log<D>>, Recovery), Error> {
        undo_restore(&disk)?;
        Log::open_as_it_is(disk, config)
    }

    /// Also a log that is being restored.
    pub(crate) fn open_as_it_is(disk: D, config: Config) -> Result<(Arc<Log<D>>, Recovery), Error> {
        config.check()?;
        let mut firsts = tidy(&disk)?;
        let fresh = firsts.is_empty();
        if fresh {
            let header = Header { log_id: config.new_log_id, ..Header::default() };
            create_segment(&disk, &header)?;
            firsts.push(0);
        }
        // The last opening may have died before it knew that the newest name is durable.
        disk.sync_dir().map_err(disk_error("sync", "the folder"))?;
        let newest = firsts.pop().expect("there is at least one segment");
        let newest = open_segment(&disk, newest)?;
        let (segments, lost_segments) = open_sealed(&disk, &firsts, newest.header.log_id)?;
        let name = segment_file(newest.header.first);
        forget_what_never_came(&disk, &newest.file, &name)?;
        let survey = Survey::of(&disk, &newest.file, &name, &newest.header)?;
        let verdict = survey.judge_newest(&newest.header, &name)?;
        let torn_tail_bytes = clear_tail(&disk, &newest.file, &name, verdict.index.data_end())?;
        disk.sync_data(&newest.file).map_err(disk_error("sync", &name))?;
        let found = report(&newest.header, &verdict);
        let recovery = Recovery { fresh, torn_tail_bytes, lost_segments, ..found };
        let log = assemble(disk, config, &segments, newest, verdict, recovery.end);
        Ok((Arc::new(log), recovery))
    }
}

/// The first positions of all segments, ascending; what was in the making is removed.
fn tidy<D: Disk>(disk: &D) -> Result<Vec<u64>, Error> {
    let names = disk.list().map_err(disk_error("list", "the folder"))?;
    for name in names.iter().filter(|name| name.ends_with(".tmp")) {
        disk.remove(name).map_err(disk_error("remove", name))?;
    }
    let mut firsts = names.iter().filter_map(|name| parse_segment_file(name)).collect::<Vec<_>>();
    firsts.sort_unstable();
    Ok(firsts)
}

/// The sealed segments, and the first positions of those whose header is lost.
fn open_sealed<D: Disk>(
    disk: &D,
    firsts: &[u64],
    log_id: u128,
) -> Result<(Vec<Segment<D>>, Vec<Position>), Error> {
    let (mut segments, mut lost) = (Vec::new(), Vec::new());
    for first in firsts {
        match open_segment(disk, *first) {
            Ok(segment) if segment.header.log_id == log_id => segments.push(segment),
            Ok(Segment { header, .. }) => return Err(foreign(*first, &header)),
            Err(error @ Error::Segment { .. }) => {
                tracing::error!(%error, "a segment is lost");
                lost.push(Position(*first));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((segments, lost))
}

fn open_segment<D: Disk>(disk: &D, first: u64) -> Result<Segment<D>, Error> {
    let name = segment_file(first);
    let file = disk.open(&name).map_err(disk_error("open", &name))?;
    let header = Header::read(disk, &file, &name)?;
    if header.first != first {
        return Err(foreign(first, &header));
    }
    let bytes = disk.length(&file).map_err(disk_error("measure", &name))?;
    Ok(Segment { file, header, bytes })
}

fn foreign(first: u64, header: &Header) -> Error {
    let file = segment_file(first);
    Error::Foreign { file, log_id: header.log_id, first: Position(header.first) }
}

/// After a sync that failed, memory may hold bytes of the last batch that are not on the disk, and no later sync
/// writes them or fails. The program ended at that sync; its restart must not take them for durable. What
/// waits is written first: that is durable then, and the rest is read from the disk.
fn forget_what_never_came<D: Disk>(disk: &D, file: &D::File, name: &str) -> Result<(), Error> {
    disk.sync_data(file).map_err(disk_error("sync", name))?;
    disk.forget_cached(file);
    Ok(())
}

/// Zeroes whatever lies behind the end; returns how much did. The caller syncs.
fn clear_tail<D: Disk>(disk: &D, file: &D::File, name: &str, end: u64) -> Result<u64, Error> {
    let length = disk.length(file).map_err(disk_error("measure", name))?;
    let mut window = vec![0; WINDOW_BYTES];
    let mut torn_end = end;
    let mut at = end;
    while at < length {
        let piece = &mut window[..WINDOW_BYTES.min((length - at) as usize)];
        disk.read_at(file, at, piece).map_err(disk_error("read", name))?;
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            torn_end = at + last as u64 + 1;
            piece.fill(0);
            disk.write_at(file, at, &piece[..=last]).map_err(disk_error("write to", name))?;
        }
        at += piece.len() as u64;
    }
    Ok(torn_end - end)
}

fn report(header: &Header, verdict: &Verdict) -> Recovery {
    let damaged = verdict.damaged.iter().map(|(ordinal, span)| Damaged {
        position: Position(header.first + u64::from(*ordinal)),
        address: span.map(|span| span.first),
        records: span.map_or(1, |span| span.records),
    });
    Recovery {
        fresh: false,
        log_id: header.log_id,
        vector: verdict.table.iter().map(|(writer, mark)| (*writer, mark.count)).collect(),
        end: Position(header.first + u64::from(verdict.index.records())),
        torn_tail_bytes: 0,
        damaged: damaged.collect(),
        lost_segments: Vec::new(),
    }
}

fn assemble<D: Disk>(
    disk: D,
    config: Config,
    sealed: &[Segment<D>],
    newest: Segment<D>,
    verdict: Verdict,
    end: Position,
) -> Log<D> {
    let file = Arc::new(newest.file);
    let first = newest.header.first;
    let tail = Tail {
        first,
        file: file.clone(),
        data_end: verdict.index.data_end(),
        table: verdict.table.clone(),
        buffer: Vec::new(),
    };
    let headers = sealed.iter().map(|segment| &segment.header).chain([&newest.header]);
    let state = State {
        writers: writers(&headers.collect::<Vec<_>>(), &verdict),
        end: end.0,
        synced: end.0,
        unwritten: VecDeque::new(),
        unwritten_at: HashMap::new(),
        unwritten_bytes: 0,
        sealed: sealed_segments(sealed, first),
        live: Live { first, file, index: verdict.index },
        broken: None,
    };
    Log {
        disk,
        config,
        id: newest.header.log_id,
        state: Mutex::new(state),
        work: Condvar::new(),
        tail: Mutex::new(tail),
        spare: Mutex::new(Spare::new()),
        spare_used: Condvar::new(),
        cache: Mutex::new(Cache::new()),
        upkeep: Mutex::new(()),
        scrubbed: Mutex::new(0),
    }
}

/// Which segments hold records of each writer: those at whose end more is held than at their beginning.
fn writers(headers: &[&Header], verdict: &Verdict) -> BTreeMap<record::Writer, Held> {
    let mut writers = BTreeMap::<_, Held>::new();
    for (header, next) in headers.iter().zip(&headers[1..]) {
        for (writer, after) in &next.table {
            let before = header.table.get(writer).copied().unwrap_or_default().count;
            if after.count > before {
                let run = Run { first_index: before, segment: header.first };
                writers.entry(*writer).or_default().runs.push(run);
            }
        }
    }
    if let Some(newest) = headers.last() {
        for (writer, first_index) in verdict.index.writers() {
            let run = Run { first_index, segment: newest.first };
            writers.entry(writer).or_default().runs.push(run);
        }
    }
    for (writer, mark) in &verdict.table {
        let held = writers.entry(*writer).or_default();
        (held.count, held.hash) = (mark.count, mark.hash);
    }
    writers
}

fn sealed_segments<D: Disk>(segments: &[Segment<D>], newest_first: u64) -> Vec<Sealed> {
    let next = segments.iter().skip(1).map(|segment| segment.header.first).chain([newest_first]);
    let sealed = segments.iter().zip(next).map(|(segment, next)| Sealed {
        first: segment.header.first,
        records: u32::try_from(next - segment.header.first).unwrap_or(u32::MAX),
        bytes: segment.bytes,
        generation: segment.header.generation,
    });
    sealed.collect()
}
