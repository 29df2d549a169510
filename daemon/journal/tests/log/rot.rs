//! Rot is damage, never an end: what follows stays readable, and the damaged record says so.

use std::sync::Arc;

use journal::{Damage, Damaged, Disk, Error, Log, Position, SimDisk};
use record::{Address, Record, Vector};

use crate::support::{Random, body, fill, open, small, writer};

const SEGMENT_BYTES: u64 = 20_000;

/// `records` of two writers, each synced by itself, in segments of twenty or so.
fn sample(disk: &SimDisk, records: usize) -> Vec<Record> {
    let (log, _) = open(disk, small(SEGMENT_BYTES));
    let mut random = Random(1);
    let append = |_| {
        let record = fill(&log, &mut random, 2, 1, 900).remove(0);
        log.flush().unwrap();
        record
    };
    (0..records).map(append).collect()
}

/// Every record is either read whole or said to be damaged; returns the positions of those. Of damaged
/// neighbours nobody knows which is which, so their positions may change places.
fn damaged(log: &Arc<Log<SimDisk>>, records: &[Record]) -> Vec<u64> {
    let (mut scanned, mut named) = (Vec::new(), Vec::new());
    let mut scan = log.scan(Position(0));
    for (position, record) in (0..).map(Position).zip(records) {
        match scan.next().expect("damage does not end a scan") {
            Ok(got) => assert_eq!(got, (position, record.clone())),
            Err(Error::Damaged { position: Some(at), .. }) => {
                assert_eq!(at, position);
                scanned.push(at.0);
            }
            Err(other) => panic!("{other}"),
        }
        match log.read(record.address()) {
            Ok(read) => assert_eq!(&read, record),
            Err(Error::Damaged { position: Some(at), address: Some(address), .. }) => {
                assert_eq!(address, record.address());
                named.push(at.0);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(scan.next().is_none());
    named.sort_unstable();
    assert_eq!(named, scanned);
    scanned
}

fn one_damaged(at: u64, address: Option<Address>) -> Damaged {
    Damaged { position: Position(at), address, records: 1 }
}

fn flip(disk: &SimDisk, records: &[Record], segment: (u64, u64), at: u64, within: usize) {
    let name = format!("{:020}.log", segment.0);
    let before = records[segment.0 as usize..at as usize].iter().map(|r| 20 + r.encode().len());
    disk.flip(&name, segment.1 + before.sum::<usize>() as u64 + within as u64, 0x10);
}

/// The first position and the data start of the segment that holds `at`.
fn segment_of(disk: &SimDisk, at: u64) -> (u64, u64) {
    let (log, _) = open(&disk.restart(), small(SEGMENT_BYTES));
    let first = log.segments().iter().rev().find(|s| s.first.0 <= at).unwrap().first.0;
    (first, 8192)
}

#[test]
fn one_flipped_bit_anywhere_in_a_record_of_the_newest_segment() {
    let disk = SimDisk::new(1);
    let records = sample(&disk, 30);
    let newest = segment_of(&disk, 29);
    let at = newest.0 + 1;
    for within in 0..20 + records[at as usize].encode().len() {
        flip(&disk, &records, newest, at, within);
        let disk = disk.restart();
        let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
        let address = Some(records[at as usize].address());
        assert_eq!(recovery.damaged, [one_damaged(at, address)], "{within}");
        assert_eq!(recovery.end, Position(30));
        assert_eq!(damaged(&log, &records), [at]);
        flip(&disk, &records, newest, at, within);
    }
}

#[test]
fn a_sealed_segment_with_and_without_its_side_index() {
    let disk = SimDisk::new(2);
    let records = sample(&disk, 100);
    let segment = segment_of(&disk, 40);
    let rotten = [segment.0, segment.0 + 4, segment.0 + 5];
    rotten.iter().for_each(|at| flip(&disk, &records, segment, *at, 90));
    for _ in 0..2 {
        let disk = disk.restart();
        let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
        assert_eq!((recovery.damaged.len(), recovery.end), (0, Position(100)));
        assert_eq!(damaged(&log, &records), rotten);
        disk.put(&format!("{:020}.idx", segment.0), b"rotten too");
    }
}

/// Also the last records of a sealed segment, behind which nothing follows in it.
#[test]
fn the_end_of_a_sealed_segment_is_damage_too() {
    let disk = SimDisk::new(3);
    let records = sample(&disk, 60);
    let segment = segment_of(&disk, 20);
    let next = (segment.0..).find(|at| segment_of(&disk, *at).0 != segment.0).unwrap();
    for at in next - 3..next {
        flip(&disk, &records, segment, at, 25);
    }
    let disk = disk.restart();
    disk.put(&format!("{:020}.idx", segment.0), b"");
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    assert_eq!(damaged(&log, &records), [next - 3, next - 2, next - 1]);
}

/// The last record of a writer: nobody can say any more whose it was. The vector leaves it out, so the
/// peer sends it again.
#[test]
fn a_damaged_record_of_nobody_is_taken_in_again() {
    let disk = SimDisk::new(4);
    let (log, _) = open(&disk, small(1 << 20));
    let lost = body(writer(1), 0, vec![1; 50]);
    let records = [body(writer(0), 0, vec![]), lost.clone(), body(writer(0), 1, vec![])];
    for record in &records {
        log.append(record).unwrap();
        log.flush().unwrap();
    }
    flip(&disk, &records, (0, 8192), 1, 2);
    let disk = disk.restart();
    let (log, recovery) = open(&disk, small(1 << 20));
    assert_eq!(recovery.damaged, [one_damaged(1, None)]);
    assert_eq!(recovery.vector, [(writer(0), 2)].into());
    assert_eq!(log.append(&lost), Ok(Position(3)));
    log.flush().unwrap();
    for _ in 0..2 {
        let (log, recovery) = open(&disk.restart(), small(1 << 20));
        assert_eq!(recovery.vector, [(writer(0), 2), (writer(1), 1)].into());
        assert_eq!(log.read(lost.address()).as_ref(), Ok(&lost));
        let hole =
            Error::Damaged { position: Some(Position(1)), address: None, damage: Damage::Hole };
        assert_eq!(log.read_at(Position(1)), Err(hole));
    }
}

/// Damage in the newest segment stays where it is when the segment is sealed.
#[test]
fn damage_survives_sealing() {
    let disk = SimDisk::new(5);
    let mut records = sample(&disk, 30);
    let newest = segment_of(&disk, 29);
    flip(&disk, &records, newest, newest.0 + 2, 60);
    let disk = disk.restart();
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    records.extend(fill(&log, &mut Random(9), 2, 100, 900));
    log.flush().unwrap();
    assert_eq!(damaged(&log, &records), [newest.0 + 2]);
    let (log, _) = open(&disk.restart(), small(SEGMENT_BYTES));
    assert_eq!(damaged(&log, &records), [newest.0 + 2]);
}

#[test]
fn a_lost_segment_is_damage_of_its_records() {
    let disk = SimDisk::new(6);
    let records = sample(&disk, 100);
    let (lost, _) = segment_of(&disk, 50);
    let count = (lost..).take_while(|at| segment_of(&disk, *at).0 == lost).count() as u64;
    let disk = disk.restart();
    disk.remove(&format!("{lost:020}.log")).unwrap();
    let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
    assert_eq!(recovery.end, Position(100));
    assert_eq!(damaged(&log, &records), (lost..lost + count).collect::<Vec<_>>());
}

#[test]
fn a_segment_with_a_lost_header_is_lost_alone() {
    for lost in [0, 50] {
        let disk = SimDisk::new(7);
        let records = sample(&disk, 100);
        let (lost, _) = segment_of(&disk, lost);
        let name = format!("{lost:020}.log");
        disk.flip(&name, 20, 1);
        let (_, recovery) = open(&disk.restart(), small(SEGMENT_BYTES));
        assert_eq!(recovery.lost_segments, [], "one copy is enough");
        disk.flip(&name, 4096 + 20, 1);
        let (log, recovery) = open(&disk.restart(), small(SEGMENT_BYTES));
        assert_eq!(recovery.lost_segments, [Position(lost)]);
        assert_eq!(recovery.end, Position(100));
        let readable = records.iter().filter(|record| log.read(record.address()).is_ok()).count();
        let start = log.first_missing(&Vector::new()).unwrap();
        assert_eq!(start, Position(0), "what is left can be streamed");
        let vector = [(writer(0), records[50].index), (writer(1), records[50].index)].into();
        assert!(log.first_missing(&vector).unwrap() <= Position(51));
        let scanned = log.scan(Position(0)).collect::<Vec<_>>();
        assert_eq!(scanned.len(), 100);
        assert_eq!(scanned.iter().filter(|got| got.is_ok()).count(), readable);
        assert!((70..100).contains(&readable), "{readable}");
    }
}

/// What the disk cannot read is damage where it is known to have been durable. Where the log ends, it is
/// an error: cutting there could throw away what a second attempt reads.
#[test]
fn a_sector_that_cannot_be_read() {
    let disk = SimDisk::new(8);
    let (log, _) = open(&disk, small(1 << 20));
    let records = (0..10).map(|i| body(writer(i % 2), i / 2, vec![1; 1500])).collect::<Vec<_>>();
    for record in &records {
        log.append(record).unwrap();
        log.flush().unwrap();
    }
    let end = log.segments()[0].bytes;
    let name = "00000000000000000000.log";
    disk.break_sector(name, 8192 + 4000);
    let (log, recovery) = open(&disk.restart(), small(1 << 20));
    let address = Some(records[2].address());
    assert_eq!(recovery.damaged, [one_damaged(2, address)]);
    assert_eq!(recovery.end, Position(10));
    assert_eq!(log.read_at(Position(3)), Ok(records[3].clone()));
    disk.break_sector(name, end - 100);
    let again = Log::open(disk.restart(), small(1 << 20));
    assert!(matches!(again, Err(Error::Disk { .. })));
}
