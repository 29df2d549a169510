//! Records by seed, and what the tests ask of a log again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use journal::{Config, Disk, Error, Log, Position, Recovery, SimDisk};
use record::{BodyPart, Clock, Codec, Op, Record, Side, Writer};

pub const LOG_ID: u128 = 0x1234_5678_9abc_def0;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

pub fn writer(number: u64) -> Writer {
    let side = Side::BOTH[(number % 2) as usize];
    Writer { side, incarnation: u128::from(number) << 96 | 0xabc }
}

pub fn body(writer: Writer, index: u64, payload: Vec<u8>) -> Record {
    Record {
        writer,
        index,
        clock: Clock(index),
        seen: [(writer, index)].into(),
        op: Op::Body(BodyPart { part: 0, plain_bytes: payload.len() as u32 }),
        codec: Codec::Raw,
        payload,
    }
}

/// Segments of a few records, no zeroing ahead.
pub fn small(segment_bytes: u64) -> Config {
    Config { new_log_id: LOG_ID, segment_bytes, grow_only: true }
}

pub fn open(disk: &SimDisk, config: Config) -> (Arc<Log<SimDisk>>, Recovery) {
    Log::open(disk.clone(), config).unwrap()
}

/// Appends `count` records of `writers` in turn, by the seed; returns them.
pub fn fill<D: Disk>(
    log: &Log<D>,
    random: &mut Random,
    writers: u64,
    count: usize,
    payload_max: u64,
) -> Vec<Record> {
    let append = |_| {
        let writer = writer(random.below(writers));
        let length = random.below(payload_max) as usize;
        let record = body(writer, log.count(writer), random.bytes(length));
        log.append(&record).unwrap();
        record
    };
    (0..count).map(append).collect()
}

/// The log holds exactly these, by position, by address, and in a scan.
pub fn assert_holds<D: Disk>(log: &Arc<Log<D>>, records: &[Record], what: &str) {
    assert_eq!(log.end(), Position(records.len() as u64), "{what}: end");
    let scanned = log.scan(Position(0)).collect::<Result<Vec<_>, Error>>().unwrap();
    assert_eq!(scanned.len(), records.len(), "{what}: scan");
    for (at, (record, (position, scanned))) in records.iter().zip(&scanned).enumerate() {
        let at = Position(at as u64);
        assert!(*position == at && scanned == record, "{what}: scan at {at}");
        assert_eq!(log.read_at(at).as_ref(), Ok(record), "{what}: read_at {at}");
        assert_eq!(log.position_of(record.address()), Ok(Some(at)), "{what}: position_of {at}");
        assert_eq!(log.read(record.address()).as_ref(), Ok(record), "{what}: read {at}");
    }
}

/// A folder that is gone when the test ends.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinpost-journal-{name}-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
