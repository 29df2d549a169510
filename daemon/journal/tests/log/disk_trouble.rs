//! A full disk waits; a broken one stops the log.

use std::io::ErrorKind;
use std::sync::mpsc::channel;

use journal::{Committer, Config, Error, Position, SimDisk, SimOp};

use crate::support::{Random, assert_holds, body, fill, open, small, writer};

#[test]
fn a_full_disk_loses_nothing_and_goes_on() {
    for grow_only in [true, false] {
        let config = Config { grow_only, ..small(20_000) };
        let disk = SimDisk::new(1);
        let (log, _) = open(&disk, config);
        let mut random = Random(1);
        let mut records = Vec::new();
        let mut full = 0;
        for capacity in (0..).map(|i| 30_000 + i * 4000).take(40) {
            disk.set_capacity(Some(capacity));
            drop(log.prepare_spare());
            records.extend(fill(&log, &mut random, 3, 4, 1500));
            match log.flush() {
                Ok(end) => assert_eq!(end, log.end()),
                Err(Error::DiskFull { .. }) => full += 1,
                Err(other) => panic!("{other}"),
            }
            assert_holds(&log, &records, "what waits can be read");
        }
        assert!(full > 5, "the disk was full {full} times");
        let synced = log.synced().0 as usize;
        let (cut, _) = open(&disk.crash(), config);
        assert!(cut.end().0 as usize >= synced);
        assert_holds(&cut, &records[..cut.end().0 as usize], "power cut while full");
    }
    let disk = SimDisk::new(2);
    let (log, _) = open(&disk, small(1 << 20));
    disk.set_capacity(Some(10_000));
    let records = fill(&log, &mut Random(2), 3, 50, 1500);
    assert!(matches!(log.flush(), Err(Error::DiskFull { .. })));
    disk.set_capacity(None);
    assert_eq!(log.flush(), Ok(Position(50)));
    assert_holds(&open(&disk.crash(), small(1 << 20)).0, &records, "room again");
}

#[test]
fn after_a_failed_sync_the_log_takes_nothing_more() {
    for op in [SimOp::Write, SimOp::SyncData] {
        let disk = SimDisk::new(3);
        let (log, _) = open(&disk, small(1 << 20));
        let records = fill(&log, &mut Random(3), 2, 5, 200);
        log.flush().unwrap();
        log.append(&body(writer(5), 0, vec![])).unwrap();
        disk.fail(op, 0, ErrorKind::Other);
        assert!(matches!(log.flush(), Err(Error::Disk { .. })));
        assert!(matches!(log.flush(), Err(Error::Broken(_))));
        assert!(matches!(log.append(&body(writer(6), 0, vec![])), Err(Error::Broken(_))));
        assert_eq!(log.synced(), Position(5));
        assert_eq!(log.read_at(Position(2)), Ok(records[2].clone()), "it still reads");
        let (log, _) = open(&disk.crash(), small(1 << 20));
        assert!(log.end() >= Position(5));
        assert_holds(
            &log,
            &[&records[..], &[body(writer(5), 0, vec![])]].concat()[..log.end().0 as usize],
            "opened again",
        );
    }
}

/// After a sync that failed, memory shows what the disk never got, and the next sync succeeds. A program that
/// starts again on the same machine must not call it durable: the power may go one day.
#[test]
fn what_a_failed_sync_left_in_memory_is_not_durable_after_a_restart() {
    let mut cut = 0;
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let (log, _) = open(&disk, small(1 << 20));
        let records = fill(&log, &mut Random(seed), 2, 10, 700);
        disk.fail(SimOp::SyncData, 0, ErrorKind::Other);
        assert!(log.flush().is_err());
        let restarted = disk.restart();
        let (log, _) = open(&restarted, small(1 << 20));
        let durable = log.synced().0 as usize;
        assert_holds(&log, &records[..durable], "after the restart");
        cut += usize::from(durable < records.len());
        drop(log);
        let (log, _) = open(&restarted.crash(), small(1 << 20));
        assert_holds(&log, &records[..durable], "after the power cut");
    }
    assert!(cut > 50, "only {cut} of 100 syncs that failed lost anything");
}

#[test]
fn a_read_that_fails_is_no_damage() {
    let disk = SimDisk::new(4);
    let (log, _) = open(&disk, small(1 << 20));
    let records = fill(&log, &mut Random(4), 2, 5, 200);
    log.flush().unwrap();
    disk.fail(SimOp::Read, 0, ErrorKind::Other);
    assert!(matches!(log.read_at(Position(0)), Err(Error::Disk { .. })));
    disk.fail(SimOp::Read, 0, ErrorKind::Other);
    let mut scan = log.scan(Position(0));
    assert!(matches!(scan.next(), Some(Err(Error::Disk { .. }))));
    assert!(scan.next().is_none(), "no endless scan of errors");
    assert_holds(&log, &records, "the next try");
}

#[test]
fn what_waits_for_the_disk_is_bounded() {
    let (log, _) = open(&SimDisk::new(5), small(1 << 20));
    let payload = vec![0; record::limits::CHUNK_BYTES];
    let refused = (0..).map(|i| log.append(&body(writer(0), i, payload.clone())));
    let refused = refused.take(1000).find_map(Result::err);
    assert!(matches!(refused, Some(Error::Backlog { .. })));
}

#[test]
fn the_committer_tells_of_a_full_disk_and_goes_on_when_there_is_room() {
    let disk = SimDisk::new(6);
    let (log, _) = open(&disk, small(1 << 20));
    disk.set_capacity(Some(8192));
    let (tell, told) = channel();
    let committer = Committer::spawn(log.clone(), move |end| tell.send(end).unwrap()).unwrap();
    log.append(&body(writer(0), 0, vec![1; 100])).unwrap();
    assert!(matches!(told.recv().unwrap(), Err(Error::DiskFull { .. })));
    disk.set_capacity(None);
    assert_eq!(told.iter().find_map(Result::ok), Some(Position(1)));

    disk.fail(SimOp::SyncData, 0, ErrorKind::Other);
    log.append(&body(writer(0), 1, vec![])).unwrap();
    assert!(matches!(told.recv().unwrap(), Err(Error::Disk { .. })));
    assert!(told.recv().is_err(), "that was the last word");
    drop(committer);
    assert_eq!(log.synced(), Position(1));
}
