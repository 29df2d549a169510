//! A rewrite that is cut off, or fails, at each of its operations.

use std::io::ErrorKind;
use std::sync::Arc;

use journal::{Disk, Error, Log, Position, SimDisk, SimOp};
use record::Record;

use crate::reclaim::{SEGMENT_BYTES, assert_consistent, dead, reclaim_all};
use crate::support::{Random, body, fill, open, small, writer};

fn sample(seed: u64) -> (SimDisk, Arc<Log<SimDisk>>, Vec<Record>) {
    let disk = SimDisk::new(seed);
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    let records = fill(&log, &mut Random(seed), 1 + seed % 3, 90, 900);
    log.flush().unwrap();
    (disk, log, records)
}

#[test]
fn the_power_goes_at_each_operation() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..8 {
        for operation in 0.. {
            let what = format!("seed {seed}, operation {operation}");
            let (disk, log, records) = sample(seed);
            disk.cut_power_after(operation);
            let whole = log.reclaim(Position(0), dead(90));
            // Whatever became durable, an opening finds one of the two, and nothing half made.
            let disk = disk.crash();
            let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
            assert_eq!((recovery.damaged, recovery.lost_segments), (vec![], vec![]), "{what}");
            assert!(disk.list().unwrap().iter().all(|name| !name.ends_with(".tmp")), "{what}");
            match assert_consistent(&log, &records, dead(90), &what) {
                0 => old += 1,
                _ => new += 1,
            }
            if whole.is_ok() {
                assert!(assert_consistent(&log, &records, dead(90), &what) > 0, "{what}");
                break;
            }
            // And the next try does it.
            reclaim_all(&log, dead(90));
            assert!(assert_consistent(&log, &records, dead(90), &what) > 20, "{what}");
        }
    }
    assert!(old > 20 && new > 5, "the cuts fell on both sides of the rename: {old}, {new}");
}

#[test]
fn each_operation_fails() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        for op in [SimOp::Read, SimOp::Write, SimOp::SyncData, SimOp::SyncDir, SimOp::Names] {
            for nth in 0.. {
                let what = format!("{op:?} {nth}: {kind}");
                let (disk, log, mut records) = sample(1);
                disk.fail(op, nth, kind);
                let done = log.reclaim(Position(0), dead(90));
                if done.is_ok() && nth > 8 {
                    break;
                }
                if let Err(Error::Damaged { .. }) = done {
                    assert_eq!(op, SimOp::Read, "{what}: what cannot be read looks damaged");
                }
                drop(disk.restart());
                let (log, _) = open(&disk.restart(), small(SEGMENT_BYTES));
                assert_consistent(&log, &records, dead(90), &what);
                records.extend(fill(&log, &mut Random(9), 2, 20, 900));
                assert_eq!(log.flush(), Ok(log.end()), "{what}: the log goes on");
                reclaim_all(&log, dead(90));
                assert!(assert_consistent(&log, &records, dead(90), &what) > 20, "{what}");
            }
        }
    }
}

/// Reclaim, appends and power cuts in turn, by seed.
#[test]
fn lives_and_deaths_by_seed() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut disk = SimDisk::new(seed);
        let mut records: Vec<Record> = Vec::new();
        let mut percent = 40;
        for life in 0..6 {
            let what = format!("seed {seed}, life {life}");
            let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
            assert_eq!(recovery.damaged, [], "{what}");
            records.truncate(log.end().0 as usize);
            assert_consistent(&log, &records, dead(percent), &what);
            records.extend(fill(&log, &mut random, 3, 40, 900));
            let _ = log.flush();
            disk.cut_power_after(random.below(120));
            percent += 10;
            let mut synced = log.synced().0;
            for one in log.reclaimable(dead(percent)) {
                let _ = log.reclaim(one.segment, dead(percent));
                records.extend(try_fill(&log, &mut random));
                synced = log.flush().map_or(synced, |end| end.0);
            }
            disk = if random.below(4) == 0 { disk.restart() } else { disk.crash() };
            let (log, _) = open(&disk, small(SEGMENT_BYTES));
            assert!(log.end().0 >= synced, "{what}");
            records.truncate(log.end().0 as usize);
            assert_consistent(&log, &records, dead(percent), &what);
            disk = disk.restart();
        }
    }
}

/// As [`fill`], as far as the log takes it.
fn try_fill(log: &Log<SimDisk>, random: &mut Random) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..5 {
        let writer = writer(random.below(3));
        let length = random.below(900) as usize;
        let record = body(writer, log.count(writer), random.bytes(length));
        if log.append(&record).is_ok() {
            records.push(record);
        }
    }
    records
}
