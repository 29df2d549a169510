//! A copy of everything in one stream, written while the log serves, and a log made of such a copy.
//!
//! | bytes | field |
//! |---|---|
//! | 8 | magic `TPBACKUP` |
//! | 4 | format version, 1 |
//! | 4 | number of writers |
//! | 33 each | writer (side, incarnation), its records, their running hash |
//! | 4 | CRC32C of all before |
//! | | the frames, as they cross the cable, in the order of the log |
//! | 8 | magic `TPBACEND` |
//! | 8 | number of frames |
//! | 4 | CRC32C of all before |
//!
//! A restored log has the same records and gaps at positions of its own, and another id: for the peer,
//! and for what was derived from the old log, it is another disk.
//!
//! | a restore ends | what is found |
//! |---|---|
//! | well | the log, durable |
//! | with an error | an empty folder |
//! | with a power cut | a half-made log and the file `restoring`; the next opening or restore empties the folder |

use std::io::{self, Read, Write};
use std::sync::Arc;

use record::{Side, Writer, frame_length};

use crate::disk::Disk;
use crate::error::{Error, disk_error};
use crate::limits::{BACKUP_WRITERS_MAX, BATCH_BYTES_MAX};
use crate::log::{Config, Log};
use crate::recovery::Recovery;
use crate::segment::header::{Mark, Table};
use crate::segment::parse_segment_file;
use crate::snapshot::Snapshot;

const MAGIC: [u8; 8] = *b"TPBACKUP";
const END_MAGIC: [u8; 8] = *b"TPBACEND";
const VERSION: u32 = 1;
const WRITER_BYTES: usize = 33;
const RESTORING_FILE: &str = "restoring";

/// What a backup holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Records and gaps.
    pub frames: u64,
    /// Of the whole stream.
    pub bytes: u64,
}

/// Writes everything that is durable now; appends, commits and reclaim go on meanwhile. The caller
/// buffers, and makes it durable where it goes.
///
/// # Errors
/// [`Error::Stream`] from `out`. [`Error::Damaged`]: mend it first; a copy with a hole is none.
/// [`Error::Disk`]. What was written so far is refused by [`restore`].
pub fn write<D: Disk>(log: &Arc<Log<D>>, out: impl Write) -> Result<Summary, Error> {
    let snapshot = log.snapshot();
    let mut out = Sink { out, crc: 0, bytes: 0 };
    out.put(&header(&snapshot))?;
    let crc = out.crc;
    out.put(&crc.to_le_bytes())?;
    let mut frames: u64 = 0;
    for frame in snapshot.frames() {
        out.put(&frame?.1)?;
        frames += 1;
    }
    out.put(&END_MAGIC)?;
    out.put(&frames.to_le_bytes())?;
    let crc = out.crc;
    out.put(&crc.to_le_bytes())?;
    out.out.flush().map_err(stream_error("write"))?;
    Ok(Summary { frames, bytes: out.bytes })
}

/// Makes a log of a backup, in a folder that holds none. Nothing is there unless all of it was right and
/// is durable. Open the log afterwards as usual.
///
/// # Errors
/// [`Error::NotBlank`]; [`Error::Backup`] for input that is cut, altered or no backup; [`Error::Stream`]
/// from `input`; [`Error::Disk`], [`Error::DiskFull`].
pub fn restore<D: Disk>(input: impl Read, disk: D, config: Config) -> Result<Recovery, Error> {
    undo_restore(&disk)?;
    let names = disk.list().map_err(disk_error("list", "the folder"))?;
    if let Some(name) = names.into_iter().find(|name| parse_segment_file(name).is_some()) {
        return Err(Error::NotBlank { file: name });
    }
    disk.create(RESTORING_FILE).map_err(disk_error("create", RESTORING_FILE))?;
    disk.sync_dir().map_err(disk_error("sync", "the folder"))?;
    let (log, _) = Log::open_as_it_is(disk, config)?;
    let done = fill(input, &log).and_then(|()| finish(&log));
    if let Err(error) = done {
        // When this fails too, the next opening does it.
        if let Err(error) = undo_restore(&log.disk) {
            tracing::warn!(%error, "a half-made log is left; the next opening removes it");
        }
        return Err(error);
    }
    Ok(Recovery {
        fresh: true,
        log_id: log.id(),
        vector: log.vector(),
        end: log.end(),
        torn_tail_bytes: 0,
        damaged: Vec::new(),
        lost_segments: Vec::new(),
    })
}

/// Empties the folder of a log that was half made when the power went.
pub(crate) fn undo_restore<D: Disk>(disk: &D) -> Result<(), Error> {
    let names = disk.list().map_err(disk_error("list", "the folder"))?;
    if !names.iter().any(|name| name == RESTORING_FILE) {
        return Ok(());
    }
    let ours = |name: &&String| parse_segment_file(name).is_some() || name.ends_with(".idx");
    for name in names.iter().filter(ours) {
        disk.remove(name).map_err(disk_error("remove", name))?;
    }
    disk.sync_dir().map_err(disk_error("sync", "the folder"))?;
    end_restore(disk)
}

/// From here on what is in the folder counts.
fn end_restore<D: Disk>(disk: &D) -> Result<(), Error> {
    disk.remove(RESTORING_FILE).map_err(disk_error("remove", RESTORING_FILE))?;
    disk.sync_dir().map_err(disk_error("sync", "the folder"))
}

fn finish<D: Disk>(log: &Log<D>) -> Result<(), Error> {
    let end = log.flush()?;
    debug_assert_eq!(end, log.end(), "nobody else appends");
    end_restore(&log.disk)
}

fn fill<D: Disk>(input: impl Read, log: &Log<D>) -> Result<(), Error> {
    let mut input = Source { input, crc: 0 };
    let table = read_header(&mut input)?;
    let mut frames: u64 = 0;
    let mut frame = Vec::new();
    loop {
        let head = input.take::<8>()?;
        if head == END_MAGIC {
            break;
        }
        let length = frame_length(&head).map_err(|_| altered("a record is not one"))?;
        frame.clear();
        frame.extend_from_slice(&head);
        frame.resize(length, 0);
        input.fill(&mut frame[head.len()..])?;
        log.append_frame(&frame).map_err(|error| match error {
            ours @ (Error::Broken(_) | Error::Backlog { .. }) => ours,
            _ => altered("a record is damaged or out of turn"),
        })?;
        frames += 1;
        if log.unwritten_bytes() >= BATCH_BYTES_MAX {
            log.flush()?;
        }
    }
    if u64::from_le_bytes(input.take()?) != frames {
        return Err(altered("it has another number of records than it says"));
    }
    let crc = input.crc;
    if u32::from_le_bytes(input.take()?) != crc {
        return Err(altered("its checksum is wrong"));
    }
    input.nothing_more()?;
    let held = |writer| -> Result<Mark, Error> {
        let count = log.count(writer);
        Ok(Mark { count, hash: log.running_hash(writer, count)? })
    };
    for (writer, mark) in &table {
        if held(*writer)? != *mark {
            return Err(altered("records are missing, or others than it says"));
        }
    }
    if log.vector().len() != table.len() {
        return Err(altered("it has records of a writer that it does not name"));
    }
    Ok(())
}

fn header<D: Disk>(snapshot: &Snapshot<D>) -> Vec<u8> {
    let table = snapshot.table();
    let mut out = Vec::with_capacity(16 + table.len() * WRITER_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(table.len() as u32).to_le_bytes());
    for (writer, mark) in table {
        out.push(matches!(writer.side, Side::B) as u8);
        out.extend_from_slice(&writer.incarnation.to_le_bytes());
        out.extend_from_slice(&mark.count.to_le_bytes());
        out.extend_from_slice(&mark.hash.to_le_bytes());
    }
    out
}

fn read_header(input: &mut Source<impl Read>) -> Result<Table, Error> {
    if input.take()? != MAGIC {
        return Err(altered("it is no backup"));
    }
    if u32::from_le_bytes(input.take()?) != VERSION {
        return Err(altered("this program does not know its format"));
    }
    let writers = u32::from_le_bytes(input.take()?);
    if writers > BACKUP_WRITERS_MAX {
        return Err(altered("it names too many writers"));
    }
    let mut table = Table::new();
    for _ in 0..writers {
        let [side] = input.take()?;
        let side = if side == 0 { Side::A } else { Side::B };
        let incarnation = u128::from_le_bytes(input.take()?);
        let count = u64::from_le_bytes(input.take()?);
        let hash = u64::from_le_bytes(input.take()?);
        table.insert(Writer { side, incarnation }, Mark { count, hash });
    }
    let crc = input.crc;
    match u32::from_le_bytes(input.take()?) == crc {
        true => Ok(table),
        false => Err(altered("its header's checksum is wrong")),
    }
}

struct Sink<W> {
    out: W,
    crc: u32,
    bytes: u64,
}

impl<W: Write> Sink<W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(stream_error("write"))
    }
}

struct Source<R> {
    input: R,
    crc: u32,
}

impl<R: Read> Source<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => altered("it ends too early"),
            _ => stream_error("read")(error),
        })?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(())
    }

    fn nothing_more(&mut self) -> Result<(), Error> {
        let mut one = [0];
        match self.input.read_exact(&mut one) {
            Ok(()) => Err(altered("something follows its end")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(stream_error("read")(error)),
        }
    }
}

fn altered(reason: &'static str) -> Error {
    Error::Backup { reason }
}

fn stream_error(doing: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Stream { doing, kind: error.kind(), reason: error.to_string() }
}
