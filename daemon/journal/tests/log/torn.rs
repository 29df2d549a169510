//! The end of the log after a power cut.

use journal::{Config, Position, SimDisk};
use record::Record;

use crate::support::{LOG_ID, Random, assert_holds, body, fill, open, small, writer};

const SEGMENT: &str = "00000000000000000000.log";

/// A log of a few records in batches of `batch`, and where each entry ends in its only segment.
fn sample(batch: usize, new_log_id: u128) -> (Vec<u8>, Vec<Record>, Vec<usize>) {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, Config { new_log_id, ..small(1 << 20) });
    let mut random = Random(1);
    let mut records = Vec::new();
    let mut ends = vec![log.segments()[0].bytes as usize];
    for _ in 0..6 / batch {
        for record in fill(&log, &mut random, 2, batch, 150) {
            ends.push(ends[ends.len() - 1] + 20 + record.encode().len());
            records.push(record);
        }
        log.flush().unwrap();
    }
    (disk.contents(SEGMENT).unwrap(), records, ends)
}

#[test]
fn cut_at_every_byte() {
    for batch in [1, 2, 6] {
        let (whole, records, ends) = sample(batch, LOG_ID);
        for cut in ends[0]..=whole.len() {
            let held = ends.iter().filter(|end| **end <= cut).count() - 1;
            // The file ends there, or zeros follow, or garbage.
            let mut zeros = whole.clone();
            zeros[cut..].fill(0);
            let mut garbage = whole.clone();
            garbage[cut..].iter_mut().for_each(|byte| *byte ^= 0x55);
            for (what, bytes) in [("end", &whole[..cut]), ("zeros", &zeros), ("garbage", &garbage)]
            {
                let disk = SimDisk::new(2);
                disk.put(SEGMENT, bytes);
                let (log, recovery) = open(&disk, small(1 << 20));
                let what = format!("batches of {batch}, cut at {cut}, then {what}");
                assert_holds(&log, &records[..held], &what);
                assert_eq!(recovery.damaged, [], "{what}");
                drop(log);
                let (log, recovery) = open(&disk.restart(), small(1 << 20));
                assert_holds(&log, &records[..held], &what);
                assert_eq!(recovery.torn_tail_bytes, 0, "{what}: gone after the first opening");
            }
        }
    }
}

/// Any part of a torn batch may be on the disk. A late record without an early one is not a log.
#[test]
fn a_late_entry_of_a_torn_batch_does_not_count() {
    let (whole, records, ends) = sample(2, LOG_ID);
    for lost in 4..6 {
        let mut bytes = whole.clone();
        bytes[ends[lost]..ends[lost + 1]].fill(0);
        let disk = SimDisk::new(3);
        disk.put(SEGMENT, &bytes);
        let (log, recovery) = open(&disk, small(1 << 20));
        assert_holds(&log, &records[..lost], "the batch is cut before what is lost");
        assert_eq!(recovery.damaged, []);
    }
}

/// The new record is exactly as long as the torn one before an old whole one.
#[test]
fn nothing_behind_a_torn_tail_comes_back() {
    let disk = SimDisk::new(4);
    let (log, _) = open(&disk, small(1 << 20));
    let start = log.segments()[0].bytes as usize;
    let old = [0, 1].map(|i| body(writer(i), 0, vec![7; 64]));
    for record in &old {
        log.append(record).unwrap();
    }
    log.flush().unwrap();
    let mut bytes = disk.contents(SEGMENT).unwrap();
    bytes[start + 30] ^= 1;
    disk.put(SEGMENT, &bytes);
    let disk = disk.restart();
    let (log, recovery) = open(&disk, small(1 << 20));
    assert!(recovery.torn_tail_bytes > 200);
    assert_eq!(recovery.end, Position(0));
    let new = body(writer(0), 0, vec![8; 64]);
    log.append(&new).unwrap();
    log.flush().unwrap();
    assert_holds(&open(&disk.crash(), small(1 << 20)).0, &[new], "only the new one");
}

/// A message can carry bytes that look like records: also whole segments of this very format.
#[test]
fn a_payload_does_not_pass_for_records() {
    let (other_log, _, ends) = sample(1, LOG_ID + 1);
    let disk = SimDisk::new(5);
    let (log, _) = open(&disk, small(1 << 20));
    let start = log.segments()[0].bytes as usize;
    let mut inner = body(writer(1), 0, vec![1; 40]).encode();
    inner.extend_from_slice(&other_log[ends[0]..]);
    let carrier = body(writer(0), 0, inner);
    log.append(&carrier).unwrap();
    log.append(&body(writer(0), 1, vec![2; 10])).unwrap();
    log.flush().unwrap();
    let mut bytes = disk.contents(SEGMENT).unwrap();
    bytes[start] ^= 1;
    disk.put(SEGMENT, &bytes);
    let (log, recovery) = open(&disk.restart(), small(1 << 20));
    assert_eq!(recovery.end, Position(0));
    assert_holds(&log, &[], "nothing of the payload");
}
