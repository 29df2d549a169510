use journal::{Config, Disk, Error, Log, Position, RealDisk, SimDisk};
use record::{Address, Op};

use crate::support::{Folder, LOG_ID, Random, assert_holds, body, fill, open, small, writer};

#[test]
fn a_new_log_is_empty_and_has_the_callers_id() {
    let disk = SimDisk::new(1);
    let (log, recovery) = open(&disk, small(1 << 20));
    let big = Config { grow_only: false, ..small(1 << 20) };
    assert!(recovery.fresh && recovery.log_id == LOG_ID && recovery.vector.is_empty());
    assert_eq!((log.end(), log.synced()), (Position(0), Position(0)));
    assert_eq!(log.flush(), Ok(Position(0)));
    assert!(log.scan(Position(0)).next().is_none());
    Log::prepare_spare(&Log::open(disk.restart(), big).unwrap().0).unwrap();
    let (log, recovery) = open(&disk.restart(), Config { new_log_id: 99, ..small(1 << 20) });
    assert!(!recovery.fresh, "the second opening finds it");
    assert_eq!(disk.restart().list().unwrap(), ["00000000000000000000.log"], "nothing half made");
    assert_eq!((recovery.log_id, log.id()), (LOG_ID, LOG_ID));
}

#[test]
fn a_record_is_read_at_once_and_durable_after_a_flush() {
    let disk = SimDisk::new(2);
    let (log, _) = open(&disk, small(1 << 20));
    let record = body(writer(0), 0, b"hello".to_vec());
    assert_eq!(log.append(&record), Ok(Position(0)));
    assert_eq!((log.end(), log.synced()), (Position(1), Position(0)));
    assert_eq!(log.vector(), [(writer(0), 1)].into());
    assert_holds(&log, std::slice::from_ref(&record), "before the flush");
    assert_eq!(log.flush(), Ok(Position(1)));
    assert_eq!((log.synced(), log.unwritten_bytes()), (Position(1), 0));
    assert_holds(&log, std::slice::from_ref(&record), "after the flush");
    let (log, recovery) = open(&disk.crash(), small(1 << 20));
    assert_eq!(recovery.end, Position(1));
    assert_eq!(recovery.vector, [(writer(0), 1)].into());
    assert_holds(&log, &[record], "after a power cut");
}

#[test]
fn many_segments_with_and_without_side_indexes() {
    for (segment_bytes, grow_only) in [(0, true), (20_000, true), (20_000, false), (1 << 20, false)]
    {
        let mut random = Random(3);
        let disk = SimDisk::new(3);
        let config = Config { grow_only, ..small(segment_bytes) };
        let (log, _) = open(&disk, config);
        let mut records = Vec::new();
        for _ in 0..10 {
            log.prepare_spare().unwrap();
            records.extend(fill(&log, &mut random, 5, 20, 2000));
            log.flush().unwrap();
        }
        let what = format!("segments of {segment_bytes}, grow_only {grow_only}");
        assert_holds(&log, &records, &what);
        let segments = log.segments();
        assert_eq!(segments.len() > 3, segment_bytes < 1 << 20, "{what}: {}", segments.len());
        assert!(segments[..segments.len() - 1].iter().all(|segment| segment.sealed));
        assert_eq!(segments.iter().map(|segment| segment.records).sum::<u64>(), 200);
        drop(log);

        let disk = disk.crash();
        assert_holds(&open(&disk, config).0, &records, &what);
        let disk = disk.restart();
        for name in disk.list().unwrap().iter().filter(|name| name.ends_with(".idx")) {
            disk.remove(name).unwrap();
        }
        assert_holds(&open(&disk, config).0, &records, &what);
        assert_holds(&open(&disk.restart(), config).0, &records, &what);
    }
}

#[test]
fn a_record_larger_than_a_segment_has_one_of_its_own() {
    let disk = SimDisk::new(4);
    let (log, _) = open(&disk, small(16_384));
    let records = (0..4).map(|i| body(writer(0), i, vec![i as u8; 200_000])).collect::<Vec<_>>();
    for record in &records {
        log.append(record).unwrap();
    }
    log.flush().unwrap();
    assert_eq!(log.segments().len(), 4);
    assert_holds(&open(&disk.crash(), small(16_384)).0, &records, "large records");
}

#[test]
fn the_caller_is_told_of_mistakes() {
    let (log, _) = open(&SimDisk::new(5), small(1 << 20));
    let address = |index| Address { writer: writer(0), index };
    let out_of_turn = |index, expected| Err(Error::OutOfTurn { address: address(index), expected });
    assert_eq!(log.append(&body(writer(0), 1, vec![])), out_of_turn(1, 0));
    log.append(&body(writer(0), 0, vec![])).unwrap();
    assert_eq!(log.append(&body(writer(0), 0, vec![])), out_of_turn(0, 1));
    assert_eq!(log.append(&body(writer(0), 2, vec![])), out_of_turn(2, 1));
    assert_eq!(log.read(address(1)), Err(Error::NotHeld { address: address(1), held: 1 }));
    assert_eq!(log.position_of(address(1)), Ok(None));
    let beyond = Error::BeyondEnd { position: Position(1), end: Position(1) };
    assert_eq!(log.read_at(Position(1)), Err(beyond));
    let too_long = Config { segment_bytes: 1 << 40, ..small(0) };
    assert!(matches!(Log::open(SimDisk::new(5), too_long), Err(Error::Config { .. })));
}

#[test]
fn a_frame_from_the_cable_is_kept_byte_for_byte() {
    let (log, _) = open(&SimDisk::new(6), small(1 << 20));
    let mut record = body(writer(1), 0, vec![]);
    record.op = Op::Start;
    let frame = record.encode();
    assert_eq!(log.append_frame(&frame), Ok(Position(0)));
    assert_eq!(log.frame(Position(0)).unwrap()[..], frame);
    log.flush().unwrap();
    assert_eq!(log.frame(Position(0)).unwrap()[..], frame);
    assert_eq!(log.read(record.address()), Ok(record));
    for cut in [0, 10, frame.len() - 1] {
        assert!(log.append_frame(&frame[..cut]).is_err());
    }
    assert!(matches!(log.append_frame(&[frame.clone(), vec![0]].concat()), Err(Error::Frame(_))));
    assert!(matches!(log.append_frame(&frame), Err(Error::OutOfTurn { expected: 1, .. })));
}

#[test]
fn running_hashes_agree_between_logs_that_hold_the_same() {
    let (one, other) = (SimDisk::new(7), SimDisk::new(8));
    let (a, _) = open(&one, small(20_000));
    let records = fill(&a, &mut Random(7), 3, 100, 800);
    a.flush().unwrap();
    // The other box got the writers' records in another order.
    let (b, _) = open(&other, Config { new_log_id: 5, ..small(30_000) });
    for writer in (0..3).map(writer) {
        for record in records.iter().filter(|record| record.writer == writer) {
            b.append(record).unwrap();
        }
    }
    let reopened = open(&one.crash(), small(20_000)).0;
    for (writer, count) in reopened.vector() {
        for count in 0..=count {
            let hash = reopened.running_hash(writer, count).unwrap();
            assert_eq!(b.running_hash(writer, count), Ok(hash), "{writer:?} {count}");
        }
    }
    let last = records.iter().rev().find(|record| record.writer == writer(0)).unwrap();
    let (c, _) = open(&SimDisk::new(9), small(20_000));
    for record in records.iter().filter(|record| record.writer == writer(0)) {
        let mut record = record.clone();
        if record.index == last.index {
            record.payload.push(1);
        }
        c.append(&record).unwrap();
    }
    let count = last.index + 1;
    assert_eq!(c.running_hash(writer(0), count - 1), b.running_hash(writer(0), count - 1));
    assert_ne!(c.running_hash(writer(0), count), b.running_hash(writer(0), count));
}

#[test]
fn a_folder_is_open_once() {
    let folder = Folder::new("once");
    let disk = RealDisk::open(folder.path().join("log")).unwrap();
    assert!(RealDisk::open(folder.path().join("log")).is_err());
    let (log, _) = Log::open(disk, small(20_000)).unwrap();
    let records = fill(&log, &mut Random(10), 4, 300, 500);
    log.flush().unwrap();
    assert_holds(&log, &records, "real disk");
    drop(log);
    let disk = RealDisk::open(folder.path().join("log")).unwrap();
    assert!(disk.free_bytes().unwrap() > 0);
    assert_holds(&Log::open(disk, small(20_000)).unwrap().0, &records, "real disk, again");
}
