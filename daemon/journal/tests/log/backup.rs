//! A copy that is written while the log serves, and a box that starts from it.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use journal::{Config, Disk, Error, Log, Position, RealDisk, SimDisk, backup};
use record::{Record, Vector};

use crate::reclaim::{SEGMENT_BYTES, dead, reclaim_all};
use crate::support::{Folder, LOG_ID, Random, assert_holds, body, fill, open, small, writer};

const NEW_ID: u128 = 77;

fn new_config() -> Config {
    Config { new_log_id: NEW_ID, ..small(SEGMENT_BYTES) }
}

fn sample(records: usize) -> (SimDisk, Arc<Log<SimDisk>>, Vec<Record>) {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    let records = fill(&log, &mut Random(1), 3, records, 900);
    log.flush().unwrap();
    (disk, log, records)
}

/// The copy holds what the log held at `vector`, record by record and by every running hash.
fn assert_same(copy: &Arc<Log<SimDisk>>, log: &Log<SimDisk>, vector: &Vector, records: &[Record]) {
    assert_eq!(&copy.vector(), vector);
    for (writer, count) in vector {
        for count in 0..=*count {
            assert_eq!(copy.running_hash(*writer, count), log.running_hash(*writer, count));
        }
    }
    for record in records.iter().filter(|r| r.index < vector[&r.writer]) {
        match copy.read(record.address()) {
            Ok(read) => assert_eq!(&read, record),
            Err(Error::Reclaimed { .. }) => assert!(log.read(record.address()).is_err()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_restored_log_holds_the_same_and_has_another_id() {
    let (_, log, mut records) = sample(300);
    for percent in [0, 70, 95] {
        reclaim_all(&log, dead(percent));
        let vector = log.vector();
        // What is not durable yet is no part of it.
        records.extend(fill(&log, &mut Random(percent), 3, 5, 900));
        let mut bytes = Vec::new();
        let summary = backup::write(&log, &mut bytes).unwrap();
        assert_eq!(summary.bytes, bytes.len() as u64);
        let disk = SimDisk::new(2);
        let recovery = backup::restore(&bytes[..], disk.clone(), new_config()).unwrap();
        assert_eq!((recovery.log_id, recovery.end), (NEW_ID, Position(summary.frames)));
        assert_eq!(recovery.vector, vector);
        let (copy, again) = open(&disk.crash(), small(SEGMENT_BYTES));
        assert_eq!((again.log_id, again.end, again.fresh), (NEW_ID, recovery.end, false));
        assert_same(&copy, &log, &vector, &records);
        log.flush().unwrap();
    }
}

/// A reader of the copy that makes the log move on while it is written.
struct Busy<'a> {
    log: &'a Log<SimDisk>,
    random: Random,
    bytes: Vec<u8>,
}

impl Write for Busy<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.random.below(4) == 0 {
            fill(self.log, &mut self.random, 5, 3, 900);
            self.log.flush().unwrap();
            reclaim_all(self.log, dead(50 + self.random.below(45)));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_copy_is_of_one_moment_although_the_log_goes_on() {
    let (_, log, records) = sample(200);
    let snapshot = log.snapshot();
    let (vector, end) = (snapshot.vector(), snapshot.end());
    assert_eq!((end, snapshot.segments().len()), (Position(200), log.segments().len()));
    let mut busy = Busy { log: &log, random: Random(3), bytes: Vec::new() };
    backup::write(&log, &mut busy).unwrap();
    assert!(log.end() > Position(220), "it went on: {}", log.end());
    let disk = SimDisk::new(2);
    let recovery = backup::restore(&busy.bytes[..], disk.clone(), new_config()).unwrap();
    assert_eq!(recovery.vector, vector);
    let (copy, _) = open(&disk.restart(), small(SEGMENT_BYTES));
    for (writer, count) in &vector {
        assert_eq!(copy.running_hash(*writer, *count), log.running_hash(*writer, *count));
    }
    for record in &records {
        match copy.read(record.address()) {
            Ok(read) => assert_eq!(&read, record),
            Err(Error::Reclaimed { .. }) => assert!(dead(95)(record.address())),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(snapshot.frames().count() > 20, "an old snapshot can be read still");
}

/// The segment that was the newest is sealed and reclaimed meanwhile: a gap stands for records on both
/// sides of the snapshot's end.
#[test]
fn a_gap_across_the_end_of_a_snapshot_is_cut_there() {
    for extra in 1..25 {
        let (_, log, mut records) = sample(60);
        while log.segments().last().unwrap().records != extra {
            records.extend(fill(&log, &mut Random(log.end().0), 3, 1, 900));
            log.flush().unwrap();
        }
        let (snapshot, vector) = (log.snapshot(), log.vector());
        let newest = log.segments().last().unwrap().first;
        let mut frames = snapshot.frames();
        let (copy, _) = open(&SimDisk::new(2), new_config());
        let take = |frame: Option<journal::ScannedFrame>| {
            frame.map(|frame| copy.append_frame(&frame.unwrap().1).unwrap()).is_some()
        };
        for _ in 0..newest.0 + extra / 2 {
            assert!(take(frames.next()));
        }
        while log.segments().last().unwrap().first == newest {
            fill(&log, &mut Random(log.end().0), 3, 1, 900);
            log.flush().unwrap();
        }
        assert!(log.reclaim(newest, |_| true).unwrap().is_some());
        while take(frames.next()) {}
        assert_eq!(copy.vector(), vector, "{extra}");
        assert_same(&copy, &log, &vector, &[]);
        let mut bytes = Vec::new();
        backup::write(&log, &mut bytes).unwrap();
        backup::restore(&bytes[..], SimDisk::new(3), new_config()).unwrap();
    }
}

fn blank(disk: &SimDisk) -> bool {
    disk.list().unwrap().is_empty()
}

#[test]
fn what_is_cut_or_altered_is_refused_and_leaves_nothing() {
    let (_, log, _) = sample(40);
    let mut bytes = Vec::new();
    backup::write(&log, &mut bytes).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        let disk = SimDisk::new(2);
        let done = backup::restore(bytes, disk.clone(), new_config());
        assert!(matches!(done, Err(Error::Backup { .. })), "{what}: {done:?}");
        assert!(blank(&disk), "{what}");
    };
    for cut in (0..bytes.len()).step_by(97).chain(bytes.len() - 25..bytes.len()) {
        refused(&bytes[..cut], &format!("cut at {cut}"));
    }
    for at in (0..bytes.len()).step_by(97).chain(0..160).chain(bytes.len() - 25..bytes.len()) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x20;
        refused(&bytes, &format!("altered at {at}"));
    }
    refused(&[&bytes[..], b"x"].concat(), "something follows");
    refused(b"", "empty");
    // Two records of different writers in another order: each is whole, and still it is not the copy.
    let start = 16 + 3 * 33 + 4;
    let one = record::frame_length(&bytes[start..]).unwrap();
    let two = record::frame_length(&bytes[start + one..]).unwrap();
    let mut turned = bytes.clone();
    turned[start..start + one + two].rotate_left(one);
    refused(&turned, "turned round");
}

#[test]
fn a_folder_with_a_log_is_left_alone() {
    let (disk, log, records) = sample(40);
    let mut bytes = Vec::new();
    backup::write(&log, &mut bytes).unwrap();
    let done = backup::restore(&bytes[..], disk.restart(), new_config());
    assert!(matches!(done, Err(Error::NotBlank { .. })));
    let (log, _) = open(&disk.restart(), small(SEGMENT_BYTES));
    assert_eq!(log.id(), LOG_ID);
    assert_holds(&log, &records, "untouched");
}

#[test]
fn the_power_goes_at_each_operation_of_a_restore() {
    let (_, log, _) = sample(60);
    let mut bytes = Vec::new();
    backup::write(&log, &mut bytes).unwrap();
    let (mut empty, mut whole) = (0, 0);
    for operation in 0.. {
        for seed in 0..4 {
            let disk = SimDisk::new(seed);
            disk.cut_power_after(operation);
            let done = backup::restore(&bytes[..], disk, new_config());
            // The same again, now that the disk has been through that.
            let disk = SimDisk::new(seed);
            disk.cut_power_after(operation);
            drop(backup::restore(&bytes[..], disk.clone(), new_config()));
            let disk = disk.crash();
            let (log, recovery) = open(&disk, Config { new_log_id: 5, ..new_config() });
            match recovery.fresh {
                true => empty += 1,
                false => {
                    assert_eq!((log.id(), log.end()), (NEW_ID, Position(60)), "{operation}");
                    whole += 1;
                }
            }
            assert!(done.is_err() || !recovery.fresh, "{operation}");
            if done.is_ok() && seed == 3 {
                assert!(empty > 20 && whole > 3, "{empty} {whole}");
                return;
            }
        }
    }
}

#[test]
fn a_full_disk_and_a_broken_stream_leave_nothing() {
    let (_, log, _) = sample(60);
    let mut bytes = Vec::new();
    backup::write(&log, &mut bytes).unwrap();
    let disk = SimDisk::new(2);
    disk.set_capacity(Some(20_000));
    let full = backup::restore(&bytes[..], disk.clone(), new_config());
    assert!(matches!(full, Err(Error::DiskFull { .. })));
    assert!(blank(&disk));

    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::ConnectionReset.into())
        }
    }
    let read = backup::restore(Broken, SimDisk::new(3), new_config());
    assert!(matches!(read, Err(Error::Stream { kind: ErrorKind::ConnectionReset, .. })));
}

/// Golden bytes of backup format version 1. `UPDATE_EXPECT=1` writes them, for a new version.
#[test]
fn a_backup_of_version_1_is_restored_for_ever() {
    let (log, _) = open(&SimDisk::new(1), small(SEGMENT_BYTES));
    let records = [0, 1].map(|i| body(writer(i), 0, vec![i as u8; 40]));
    records.iter().for_each(|record| {
        log.append(record).unwrap();
    });
    log.flush().unwrap();
    let mut written = Vec::new();
    backup::write(&log, &mut written).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1-backup.bin");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(written == golden, "that is not what version 1 wrote");
    let folder = Folder::new("backup");
    let disk = || RealDisk::open(folder.path()).unwrap();
    backup::restore(&golden[..], disk(), new_config()).unwrap();
    assert_holds(&Log::open(disk(), new_config()).unwrap().0, &records, "golden");
}
