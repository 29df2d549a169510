//! What rots is found by the scrub, and mended from the peer.

use std::sync::Arc;

use journal::{Damaged, Error, Log, Position, SimDisk};
use record::{Address, Record};

use crate::reclaim::{SEGMENT_BYTES, assert_consistent, dead};
use crate::support::{Random, assert_holds, body, fill, open, small, writer};

/// A whole round of the scrub in small steps.
fn scrub(log: &Arc<Log<SimDisk>>) -> Vec<Damaged> {
    let mut damaged = Vec::new();
    for _ in 0..10_000 {
        let step = log.scrub_step(5000).unwrap();
        damaged.extend(step.damaged);
        if step.done {
            return damaged;
        }
    }
    panic!("the scrub does not end");
}

fn newest(log: &Log<SimDisk>) -> u64 {
    log.segments().last().unwrap().first.0
}

/// This box's disk and log, the peer's log, the records.
type Pair = (SimDisk, Arc<Log<SimDisk>>, Arc<Log<SimDisk>>, Vec<Record>);

/// Two boxes with the same records in other segments and another order of writers.
fn pair(seed: u64, records: usize) -> Pair {
    let disk = SimDisk::new(seed);
    let (log, _) = open(&disk, small(SEGMENT_BYTES));
    let least = records;
    let mut records = Vec::new();
    let mut random = Random(seed);
    while records.len() < least || newest(&log) + 15 != records.len() as u64 {
        records.extend(fill(&log, &mut random, 3, 1, 900));
        log.flush().unwrap();
    }
    let (peer, _) = open(&SimDisk::new(seed + 100), small(13_000));
    for number in 0..3 {
        records.iter().filter(|r| r.writer == writer(number)).for_each(|record| {
            peer.append(record).unwrap();
        });
    }
    peer.flush().unwrap();
    (disk, log, peer, records)
}

fn place(log: &Log<SimDisk>, records: &[Record], at: u64) -> (String, u64) {
    let first = log.segments().iter().rev().find(|s| s.first.0 <= at).unwrap().first.0;
    let before = records[first as usize..at as usize].iter().map(|r| 20 + r.encode().len());
    (format!("{first:020}.log"), 8192 + before.sum::<usize>() as u64)
}

/// What one run of the program has checked, the next need not check again in the same round.
#[test]
fn a_round_goes_on_after_a_restart() {
    let (disk, log, _, _) = pair(3, 60);
    let all = log.scrub_step(u64::MAX).unwrap();
    assert!(all.done && all.next == Position(0), "a new round");
    let part = log.scrub_step(all.bytes / 2).unwrap();
    let rest = all.bytes - part.bytes;
    drop(log);
    let (log, _) = open(&disk.restart(), small(SEGMENT_BYTES));
    log.scrub_from(part.next);
    let step = log.scrub_step(u64::MAX).unwrap();
    assert_eq!((step.bytes, step.done), (rest, true));
    log.scrub_from(Position(u64::MAX));
    assert_eq!(log.scrub_step(u64::MAX).unwrap().bytes, all.bytes, "of another log");
}

/// Asks the peer for what was lost, as the node does.
fn mend_from(log: &Log<SimDisk>, peer: &Log<SimDisk>, damaged: &Damaged) -> Result<(), Error> {
    let Address { writer, index } = damaged.address.unwrap();
    let (mut frames, mut next) = (Vec::new(), index);
    while next < index + damaged.records {
        let frame = peer.frame_of(Address { writer, index: next }).unwrap();
        let record = record::decode(&frame).unwrap();
        next = record.index + record.op.count();
        frames.push(frame);
    }
    log.mend(damaged, &frames)
}

#[test]
fn rot_anywhere_in_a_record_is_found_and_mended() {
    for in_newest in [false, true] {
        let (disk, log, peer, records) = pair(1, 60);
        let at = if in_newest { newest(&log) + 3 } else { 3 };
        let (name, offset) = place(&log, &records, at);
        assert_eq!(scrub(&log), []);
        for within in (0..20 + records[at as usize].encode().len()).step_by(7) {
            disk.flip(&name, offset + within as u64, 0x10);
            let address = Some(records[at as usize].address());
            let rotten = Damaged { position: Position(at), address, records: 1 };
            assert_eq!(scrub(&log), [rotten], "{within}");
            mend_from(&log, &peer, &rotten).unwrap();
            assert_eq!(scrub(&log), [], "{within}");
            assert_holds(&log, &records, "mended");
        }
        // Found by an opening, in the newest segment, or by a reader that builds the index anew.
        disk.flip(&name, offset + 5, 0x10);
        disk.put(&format!("{}.idx", &name[..20]), b"");
        let disk = disk.restart();
        let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
        let found = scrub(&log);
        assert_eq!((found.len(), recovery.damaged.len()), (1, usize::from(in_newest)));
        mend_from(&log, &peer, &found[0]).unwrap();
        mend_from(&log, &peer, &found[0]).unwrap();
        assert_holds(&log, &records, "mended after an opening");
        let (log, recovery) = open(&disk.crash(), small(SEGMENT_BYTES));
        assert_eq!((recovery.damaged, scrub(&log)), (vec![], vec![]));
        assert_holds(&log, &records, "for good");
    }
}

/// The side index is not synced: after a power cut it may say that there is a hole where a record was mended.
#[test]
fn a_side_index_of_before_a_mend_does_no_harm() {
    let (disk, log, peer, mut records) = pair(9, 60);
    let at = newest(&log) + 3;
    let (name, offset) = place(&log, &records, at);
    disk.flip(&name, offset + 30, 0x10);
    drop(log);
    let disk = disk.restart();
    let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
    let damaged = recovery.damaged[0];
    let first = newest(&log);
    while newest(&log) == first {
        records.extend(fill(&log, &mut Random(7), 9, 1, 900));
        log.flush().unwrap();
    }
    let side = format!("{}.idx", &name[..20]);
    let before = disk.contents(&side).unwrap();
    mend_from(&log, &peer, &damaged).unwrap();
    assert_ne!(disk.contents(&side).unwrap(), before);
    drop(log);
    disk.put(&side, &before);
    let (log, _) = open(&disk.restart(), small(SEGMENT_BYTES));
    assert_eq!(scrub(&log), []);
    assert_holds(&log, &records, "mended for good");
}

/// Neighbours, of which nobody knows how long each was: their segment is rewritten, the newest too.
#[test]
fn neighbours_are_mended_in_order() {
    for in_newest in [false, true] {
        let (disk, log, peer, records) = pair(2, 60);
        // Of the last record of a writer in the newest segment nobody knows whose it was.
        let known = |at: &u64| {
            records[*at as usize..][..3].iter().all(|lost| {
                records[*at as usize + 3..].iter().any(|later| later.writer == lost.writer)
            })
        };
        let least = if in_newest { newest(&log) + 1 } else { 4 };
        let first = (least..).find(known).unwrap();
        for at in first..first + 3 {
            let (name, offset) = place(&log, &records, at);
            disk.flip(&name, offset + 2, 1);
            disk.put(&format!("{}.idx", &name[..20]), b"");
        }
        let disk = disk.restart();
        let (log, _) = open(&disk, small(SEGMENT_BYTES));
        let mut found = scrub(&log);
        assert_eq!(found.len(), 3);
        found.sort_by_key(|damaged| damaged.address);
        // The later one of a writer does not go before the earlier.
        let late = found
            .windows(2)
            .find(|two| two[0].address.map(|a| a.writer) == two[1].address.map(|a| a.writer));
        if let Some([_, late]) = late {
            assert!(matches!(mend_from(&log, &peer, late), Err(Error::Unfit { .. })));
        }
        for damaged in &found {
            mend_from(&log, &peer, damaged).unwrap();
        }
        assert_eq!(scrub(&log), []);
        let reopened = open(&disk.crash(), small(SEGMENT_BYTES)).0;
        assert_eq!(scrub(&reopened), []);
        for record in &records {
            assert_eq!(reopened.read(record.address()).as_ref(), Ok(record));
        }
    }
}

#[test]
fn a_sector_that_cannot_be_read_is_written_anew() {
    let (disk, log, peer, records) = pair(3, 60);
    let (name, offset) = place(&log, &records, 6);
    disk.break_sector(&name, offset + 40);
    let found = scrub(&log);
    assert!((1..4).contains(&found.len()), "{found:?}");
    assert!(found.iter().all(|damaged| (4..9).contains(&damaged.position.0)));
    for damaged in &found {
        mend_from(&log, &peer, damaged).unwrap();
    }
    assert_eq!(scrub(&log), [], "the segment has another place on the disk now");
    assert_holds(&log, &records, "mended");
}

#[test]
fn only_the_record_itself_mends() {
    let (disk, log, peer, records) = pair(4, 60);
    let (name, offset) = place(&log, &records, 5);
    disk.flip(&name, offset + 70, 1);
    let found = scrub(&log)[0];
    let lost = &records[5];
    let mut other = lost.clone();
    other.payload.push(7);
    let mut same_length = lost.clone();
    same_length.clock.0 += 1;
    let unfit = [
        other.encode(),
        same_length.encode(),
        records[6].encode(),
        body(writer(9), lost.index, vec![]).encode(),
        lost.encode()[..60].to_vec(),
        vec![],
    ];
    for frame in unfit {
        assert!(matches!(log.mend(&found, &[frame]), Err(Error::Unfit { .. })));
    }
    assert!(matches!(log.mend(&found, &[] as &[&[u8]]), Err(Error::Unfit { .. })));
    assert_eq!(scrub(&log), [found]);
    mend_from(&log, &peer, &found).unwrap();
    assert_holds(&log, &records, "mended");
}

/// The peer has reclaimed it: what it has is a gap that covers it. And a gap rots here that the peer has
/// the records of still.
#[test]
fn gaps_mend_records_and_records_mend_gaps() {
    let (disk, log, peer, records) = pair(5, 60);
    for segment in peer.segments() {
        peer.reclaim(segment.first, |_| true).unwrap();
    }
    let lost = records
        .iter()
        .position(|r| r.index > 2 && r.writer == writer(0) && peer.read(r.address()).is_err());
    let at = lost.unwrap() as u64;
    let (name, offset) = place(&log, &records, at);
    disk.flip(&name, offset + 60, 1);
    let found = scrub(&log);
    assert_eq!(found.len(), 1);
    mend_from(&log, &peer, &found[0]).unwrap();
    assert_eq!(scrub(&log), []);
    let is_it = |address| address == records[at as usize].address();
    assert_eq!(assert_consistent(&log, &records, is_it, "a gap of one"), 1);

    let (disk, log, peer, records) = pair(6, 60);
    log.reclaim(Position(0), dead(80)).unwrap().unwrap();
    let gap = (0..).map(Position).find(|at| log.read_at(*at).is_ok_and(|r| r.op.count() > 1));
    let gap = gap.unwrap();
    let frame = log.frame(gap).unwrap();
    let segment = disk.contents("00000000000000000000.log").unwrap();
    let offset = segment.windows(frame.len()).position(|bytes| bytes == &frame[..]).unwrap();
    disk.flip("00000000000000000000.log", offset as u64 + 60, 1);
    for rebuild in [false, true] {
        let disk = disk.restart();
        if rebuild {
            disk.put("00000000000000000000.idx", b"");
        }
        let (log, _) = open(&disk, small(SEGMENT_BYTES));
        let found = scrub(&log);
        let records_lost = record::decode(&frame).unwrap().op.count();
        assert_eq!((found.len(), found[0].records), (1, records_lost));
        mend_from(&log, &peer, &found[0]).unwrap();
        assert_eq!(scrub(&log), []);
        assert_consistent(&log, &records, dead(80), "the gap is back");
        assert_eq!(log.frame(gap).unwrap(), frame);
        disk.flip("00000000000000000000.log", offset as u64 + 60, 1);
    }
}

#[test]
fn the_power_goes_at_each_operation_of_a_mend() {
    for neighbours in [false, true] {
        for in_newest in [false, true] {
            for operation in 0.. {
                let what = format!("{in_newest}, neighbours {neighbours}, operation {operation}");
                let (disk, log, peer, records) = pair(7, 60);
                let at = if in_newest { newest(&log) + 3 } else { 5 };
                for at in at..at + 1 + u64::from(neighbours) {
                    let (name, offset) = place(&log, &records, at);
                    disk.flip(&name, offset + 3, 1);
                    disk.put(&format!("{}.idx", &name[..20]), b"");
                }
                let disk = disk.restart();
                let (log, _) = open(&disk, small(SEGMENT_BYTES));
                let mut found = scrub(&log);
                found.sort_by_key(|damaged| damaged.address);
                disk.cut_power_after(operation);
                let done = found.iter().try_for_each(|one| mend_from(&log, &peer, one));
                let disk = disk.crash();
                let (log, recovery) = open(&disk, small(SEGMENT_BYTES));
                assert_eq!(recovery.lost_segments, [], "{what}");
                assert_eq!(log.end(), Position(records.len() as u64), "{what}");
                let mut left = scrub(&log);
                left.sort_by_key(|damaged| damaged.address);
                assert!(left.len() <= found.len(), "{what}");
                assert!(done.is_err() || left.is_empty(), "{what}");
                left.iter().for_each(|one| mend_from(&log, &peer, one).unwrap());
                assert_eq!(scrub(&log), [], "{what}");
                records.iter().for_each(|record| {
                    assert_eq!(log.read(record.address()).as_ref(), Ok(record), "{what}");
                });
                if done.is_ok() {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_bad_copy_of_a_header_is_put_right() {
    let (disk, log, _, records) = pair(8, 60);
    let newest = format!("{:020}.log", newest(&log));
    for name in ["00000000000000000000.log", &newest] {
        for copy in [20, 4096 + 20] {
            disk.flip(name, copy, 1);
            assert_eq!(scrub(&log), []);
        }
    }
    let (log, recovery) = open(&disk.restart(), small(SEGMENT_BYTES));
    assert_eq!(recovery.lost_segments, []);
    assert_holds(&log, &records, "headers");
}
