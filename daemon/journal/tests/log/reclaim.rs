//! Dead records go, everything else stays where it is, and two boxes still agree.

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::{Disk, Error, Log, Position, SimDisk};
use record::{Address, Op, Record, Vector, Writer};

use crate::support::{LOG_ID, Random, body, fill, open, small, writer};

pub const SEGMENT_BYTES: u64 = 20_000;

/// So many percent are dead, by the address.
pub fn dead(percent: u64) -> impl Fn(Address) -> bool + Copy {
    move |address| {
        let side = address.writer.incarnation as u64 ^ (address.writer.incarnation >> 96) as u64;
        // In stretches, as the parts of a body are.
        Random(side.wrapping_mul(1000) + address.index / 3).below(100) < percent
    }
}

pub fn reclaim_all(log: &Log<SimDisk>, is_dead: impl Fn(Address) -> bool + Copy) -> usize {
    let worth = log.reclaimable(is_dead);
    let done = worth.iter().filter(|one| log.reclaim(one.segment, is_dead).unwrap().is_some());
    done.count()
}

fn append_all(log: &Log<SimDisk>, records: &[Record]) {
    for record in records {
        log.append(record).unwrap();
    }
}

/// The running hash of each writer at each count, from the records alone.
fn hashes(records: &[Record]) -> BTreeMap<(Writer, u64), u64> {
    let (log, _) = open(&SimDisk::new(77), small(1 << 24));
    let mut hashes = BTreeMap::new();
    for record in records {
        log.append(record).unwrap();
        let count = record.index + 1;
        hashes.insert((record.writer, count), log.running_hash(record.writer, count).unwrap());
    }
    hashes
}

/// Everything that is alive is there, at its position; what is dead is there or reclaimed; whoever gets
/// the frames agrees on every running hash. Returns how many were reclaimed.
pub fn assert_consistent(
    log: &Arc<Log<SimDisk>>,
    records: &[Record],
    is_dead: impl Fn(Address) -> bool,
    what: &str,
) -> usize {
    assert_eq!(log.end(), Position(records.len() as u64), "{what}");
    let mut gone = 0;
    for (at, record) in (0..).map(Position).zip(records) {
        let address = record.address();
        match log.read(address) {
            Ok(read) => {
                assert_eq!(&read, record, "{what}: {address:?}");
                assert_eq!(log.position_of(address), Ok(Some(at)), "{what}");
            }
            Err(Error::Reclaimed { position, .. }) => {
                assert!(is_dead(address), "{what}: {address:?} at {at} was alive");
                let gap = log.read_at(position).unwrap();
                let last = gap.index + gap.op.count();
                assert!((gap.index..last).contains(&address.index), "{what}: {address:?}");
                assert!(position >= at, "{what}: a gap is where the last of its records was");
                gone += 1;
            }
            Err(other) => panic!("{what}: {address:?}: {other}"),
        }
    }
    assert_streams(log, records, what);
    gone
}

/// Another box that gets all frames has the same.
fn assert_streams(log: &Arc<Log<SimDisk>>, records: &[Record], what: &str) {
    let (other, _) = open(&SimDisk::new(5), small(1 << 24));
    let mut scan = log.scan(Position(0));
    while let Some(frame) = scan.next_frame() {
        let (position, frame) = frame.unwrap_or_else(|error| panic!("{what}: {error}"));
        let got = record::decode(&frame).unwrap();
        match got.op {
            Op::Gap { .. } => assert!(got.seen.values().all(|index| *index < u64::MAX)),
            _ => assert_eq!(got, records[position.0 as usize], "{what}: {position}"),
        }
        other.append_frame(&frame).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    assert_eq!(other.vector(), log.vector(), "{what}");
    for ((writer, count), hash) in hashes(records) {
        assert_eq!(log.running_hash(writer, count), Ok(hash), "{what}: {writer:?} {count}");
        assert_eq!(other.running_hash(writer, count), Ok(hash), "{what}: {writer:?} {count}");
    }
    other.flush().unwrap();
    assert_eq!(log.first_missing(&other.vector()), Ok(log.end()), "{what}");
}

#[test]
fn dead_records_go_and_the_others_stay() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let disk = SimDisk::new(seed);
        let (log, _) = open(&disk, small(SEGMENT_BYTES));
        let mut records = fill(&log, &mut random, 1 + seed % 4, 300, 900);
        log.flush().unwrap();
        let before = log.bytes();
        assert_eq!(log.reclaimable(dead(10)), [], "too much is alive");
        assert!(reclaim_all(&log, dead(70)) > 3, "seed {seed}");
        assert_eq!(reclaim_all(&log, dead(70)), 0, "once is enough");
        let after = log.bytes();
        assert!(after < before * 8 / 10, "{after} of {before}");
        let gone = assert_consistent(&log, &records, dead(70), "reclaimed");
        assert!(gone > 100);

        // More is appended, more dies, and neighbouring gaps become one.
        records.extend(fill(&log, &mut random, 4, 100, 900));
        log.flush().unwrap();
        let (log, recovery) = open(&disk.crash(), small(SEGMENT_BYTES));
        assert_eq!(recovery.damaged, []);
        assert_eq!(assert_consistent(&log, &records, dead(70), "opened again"), gone);
        assert!(reclaim_all(&log, dead(95)) > 3, "seed {seed}");
        assert!(assert_consistent(&log, &records, dead(95), "reclaimed again") > gone + 20);
        let disk = disk.restart();
        for name in disk.list().unwrap().iter().filter(|name| name.ends_with(".idx")) {
            disk.remove(name).unwrap();
        }
        let (log, _) = open(&disk, small(SEGMENT_BYTES));
        assert_consistent(&log, &records, dead(95), "without side indexes");
        for segment in log.segments() {
            let (mut scan, mut last) = (log.scan(segment.first), Option::<Record>::None);
            while scan.position().0 < segment.first.0 + segment.records {
                let Some(Ok((_, record))) = scan.next() else { break };
                let joined = last.as_ref().is_some_and(|last| {
                    let gaps = last.op.count() > 1 && record.op.count() > 1;
                    gaps && last.writer == record.writer
                });
                assert!(!joined, "two gaps of one writer side by side");
                last = Some(record);
            }
        }
    }
}

#[test]
fn nothing_is_read_where_nothing_is() {
    let (log, _) = open(&SimDisk::new(1), small(SEGMENT_BYTES));
    let records = fill(&log, &mut Random(1), 1, 100, 900);
    log.flush().unwrap();
    assert!(log.reclaim(Position(0), |_| true).unwrap().is_some());
    let sealed = log.segments()[0];
    let last = Position(sealed.records - 1);
    let gap = log.read_at(last).unwrap();
    assert_eq!(gap.op.count(), sealed.records);
    assert_eq!(gap.clock, records[last.0 as usize].clock);
    assert_eq!(gap.seen, records[last.0 as usize].seen);
    let gone = |address| Err(Error::Reclaimed { position: last, address: Some(address) });
    for index in [0, 1, last.0] {
        let address = Address { writer: writer(0), index };
        assert_eq!(log.read(address), gone(address));
        assert_eq!(record::decode(&log.frame_of(address).unwrap()), Ok(gap.clone()));
    }
    let here = Error::Reclaimed { position: Position(3), address: None };
    assert_eq!(log.read_at(Position(3)), Err(here));
    let (at, frame) = log.frame_from(Position(3)).unwrap().unwrap();
    assert_eq!((at, record::decode(&frame)), (last, Ok(gap)));
    assert_eq!(log.frame_from(log.end()), None);
    let newest = log.segments().last().unwrap().first;
    assert_eq!(log.reclaim(newest, |_| true), Ok(None), "never the newest");
    assert_eq!(log.reclaim(Position(1), |_| true), Ok(None), "no segment begins there");
    let vector = Vector::from([(writer(0), 5)]);
    assert_eq!(log.first_missing(&vector), Ok(last), "a gap holds what the other lacks");
}

/// A gap from the sender's log, all of whose records the receiver may hold a part of.
#[test]
fn a_gap_is_taken_in_when_what_is_held_is_its_beginning() {
    let (sender, _) = open(&SimDisk::new(1), small(SEGMENT_BYTES));
    let records = fill(&sender, &mut Random(1), 1, 100, 900);
    sender.flush().unwrap();
    sender.reclaim(Position(0), |address| address.index > 1).unwrap().unwrap();
    let gap = sender.frame_of(Address { writer: writer(0), index: 2 }).unwrap();
    let count = 2 + record::decode(&gap).unwrap().op.count();
    let hash = sender.running_hash(writer(0), count);
    for held in 0..=count + 1 {
        let disk = SimDisk::new(2);
        let (log, _) = open(&disk, small(SEGMENT_BYTES));
        append_all(&log, &records[..held as usize]);
        let address = Address { writer: writer(0), index: 2 };
        if held < 2 || held >= count {
            assert_eq!(log.append_frame(&gap), Err(Error::OutOfTurn { address, expected: held }));
            continue;
        }
        if held % 2 == 0 {
            log.flush().unwrap();
        }
        assert_eq!(log.append_frame(&gap), Ok(Position(held)), "{held}");
        let next = &records[count as usize];
        assert_eq!(log.append(next), Ok(Position(held + 1)));
        log.flush().unwrap();
        let mut log = log;
        for _ in 0..2 {
            assert_eq!(log.vector(), [(writer(0), count + 1)].into());
            assert_eq!(log.running_hash(writer(0), count), hash);
            for record in &records[..held as usize] {
                assert_eq!(log.read(record.address()).as_ref(), Ok(record));
            }
            for record in &records[held as usize..count as usize] {
                let gone = log.read(record.address());
                assert!(matches!(gone, Err(Error::Reclaimed { .. })), "{gone:?}");
            }
            assert_eq!(log.read(next.address()).as_ref(), Ok(next));
            log = open(&disk.crash(), small(SEGMENT_BYTES)).0;
        }
    }
    // Records that only look like the beginning.
    let (log, _) = open(&SimDisk::new(3), small(SEGMENT_BYTES));
    append_all(&log, &records[..4]);
    log.append(&body(writer(0), 4, b"another".to_vec())).unwrap();
    let address = Address { writer: writer(0), index: 2 };
    assert_eq!(log.append_frame(&gap), Err(Error::Diverged { address, held: 5 }));
    assert_eq!((log.end(), log.count(writer(0))), (Position(5), 5), "nothing was taken in");
}

/// A gap that was received in part is kept through a rewrite of this box's own.
#[test]
fn a_received_gap_is_joined_with_what_dies_here() {
    let (sender, _) = open(&SimDisk::new(1), small(SEGMENT_BYTES));
    let records = fill(&sender, &mut Random(4), 1, 120, 900);
    sender.flush().unwrap();
    sender.reclaim(Position(0), |address| address.index > 3).unwrap().unwrap();
    let disk = SimDisk::new(2);
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    append_all(&log, &records[..10]);
    for at in 0.. {
        let Some(frame) = sender.frame_from(Position(at)) else { break };
        let (position, frame) = frame.unwrap();
        let record = record::decode(&frame).unwrap();
        if position.0 == at && record.index + record.op.count() > log.count(writer(0)) {
            log.append_frame(&frame).unwrap();
        }
    }
    log.flush().unwrap();
    assert_eq!(log.vector(), sender.vector());
    let is_dead = |address: Address| address.index > 5 && address.index < 60;
    assert!(reclaim_all(&log, is_dead) > 0);
    let mut log = log;
    for _ in 0..2 {
        for record in &records {
            match log.read(record.address()) {
                Ok(read) => assert_eq!(&read, record),
                Err(Error::Reclaimed { .. }) => assert!((6..60).contains(&record.index)),
                Err(other) => panic!("{other}"),
            }
        }
        for count in 0..=records.len() as u64 {
            assert_eq!(log.running_hash(writer(0), count), sender.running_hash(writer(0), count));
        }
        log = open(&disk.crash(), small(SEGMENT_BYTES)).0;
    }
}

/// A scan, and whoever streams from it, goes on while segments are rewritten under it.
#[test]
fn a_scan_and_a_reader_while_segments_are_rewritten() {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    let records = fill(&log, &mut Random(1), 3, 400, 900);
    log.flush().unwrap();
    let (other, _) = open(&SimDisk::new(2), small(SEGMENT_BYTES));
    let mut scan = log.scan(Position(0));
    let mut random = Random(2);
    let mut percent = 50;
    while let Some(frame) = scan.next_frame() {
        let (_, frame) = frame.unwrap();
        let record = record::decode(&frame).unwrap();
        if record.index + record.op.count() > other.count(record.writer) {
            other.append_frame(&frame).unwrap();
        }
        if random.below(15) == 0 {
            percent = 95.min(percent + 5);
            reclaim_all(&log, dead(percent));
        }
    }
    assert_eq!(other.vector(), log.vector());
    for record in &records {
        match other.read(record.address()) {
            Ok(read) => assert_eq!(&read, record),
            Err(Error::Reclaimed { .. }) => assert!(dead(percent)(record.address())),
            Err(other) => panic!("{other}"),
        }
    }
    assert_consistent(&log, &records, dead(percent), "afterwards");
}

#[test]
fn damage_is_mended_before_a_segment_is_rewritten() {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    let records = fill(&log, &mut Random(1), 2, 100, 900);
    log.flush().unwrap();
    let offset = 8192 + 20 + records[0].encode().len() as u64 + 20 + 70;
    disk.flip("00000000000000000000.log", offset, 4);
    let refused = log.reclaim(Position(0), dead(90));
    let address = Some(records[1].address());
    assert!(matches!(refused, Err(Error::Damaged { address: at, .. }) if at == address));
    disk.flip("00000000000000000000.log", offset, 4);
    assert!(log.reclaim(Position(0), dead(90)).unwrap().is_some());
    assert_eq!(log.id(), LOG_ID);
}
