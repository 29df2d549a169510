//! What a peer that is behind is sent.

use std::collections::BTreeMap;

use journal::{Position, SimDisk};
use record::Vector;

use crate::support::{Random, fill, open, small, writer};

#[test]
fn first_missing_is_the_lowest_that_the_other_lacks() {
    let mut random = Random(1);
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, small(20_000));
    let mut records = fill(&log, &mut random, 4, 200, 900);
    log.flush().unwrap();
    let (log, _) = open(&disk.crash(), small(20_000));
    // Some wait in memory.
    records.extend(fill(&log, &mut random, 6, 20, 900));
    let ours = log.vector();
    assert_eq!(log.first_missing(&ours), Ok(log.end()));
    assert_eq!(log.first_missing(&Vector::new()), Ok(Position(0)));
    for _ in 0..300 {
        let mut theirs = Vector::new();
        for (writer, count) in &ours {
            match random.below(4) {
                0 => drop(theirs.insert(*writer, *count)),
                1 => {}
                // They may hold more than we do.
                _ => drop(theirs.insert(*writer, random.below(count + 5))),
            }
        }
        theirs.insert(writer(77), 3);
        let lacks = |at: &usize| {
            let record = &records[*at];
            record.index >= theirs.get(&record.writer).copied().unwrap_or(0)
        };
        let expected = (0..records.len()).find(lacks).unwrap_or(records.len());
        assert_eq!(log.first_missing(&theirs), Ok(Position(expected as u64)), "{theirs:?}");
    }
}

#[test]
fn a_scan_gives_the_other_everything_while_appends_go_on() {
    let mut random = Random(2);
    let (log, _) = open(&SimDisk::new(2), small(20_000));
    let mut records = fill(&log, &mut random, 3, 100, 900);
    let from = Position(37);
    let mut scan = log.scan(from);
    let mut held = BTreeMap::new();
    let mut got = Vec::new();
    loop {
        for (position, record) in scan.by_ref().take(7).map(Result::unwrap) {
            assert_eq!(position.0, from.0 + got.len() as u64);
            held.insert(record.writer, record.index + 1);
            got.push(record);
        }
        if records.len() >= 400 && got.len() + 37 == records.len() {
            break;
        }
        if records.len() < 400 {
            records.extend(fill(&log, &mut random, 3, 5, 900));
        }
        if random.below(3) == 0 {
            log.flush().unwrap();
        }
    }
    assert_eq!(got, records[37..]);
    assert_eq!(held, log.vector());
    assert_eq!(scan.position(), log.end());
    log.append(&crate::support::body(writer(9), 0, vec![])).unwrap();
    assert!(scan.next().is_some(), "the end was only for now");
}
