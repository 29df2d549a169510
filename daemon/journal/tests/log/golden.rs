//! Golden bytes of segment format versions 1 and 2 (a rewritten segment): a box in the field holds files
//! like these.
//! `UPDATE_EXPECT=1` writes them, for a new version.

use std::path::Path;
use std::sync::Arc;

use journal::{Config, Error, Log, Position, SimDisk};
use record::Record;

use crate::support::{assert_holds, body, open, small, writer};

const NAMES: [&str; 3] =
    ["00000000000000000000.log", "00000000000000000000.idx", "00000000000000000003.log"];

fn config() -> Config {
    Config { segment_bytes: 9000, ..small(9000) }
}

fn sample() -> (SimDisk, Arc<Log<SimDisk>>, Vec<Record>) {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, config());
    let records =
        (0..6).map(|i| body(writer(i % 2), i / 2, vec![i as u8; 150])).collect::<Vec<_>>();
    for record in &records {
        log.append(record).unwrap();
    }
    log.flush().unwrap();
    (disk, log, records)
}

/// What is there is what that version wrote; returns a disk with the golden files.
fn golden(disk: &SimDisk, version: &str) -> SimDisk {
    let golden = SimDisk::new(2);
    for name in NAMES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        let path = folder.join(format!("{version}-{name}"));
        let written = disk.contents(name).unwrap_or_else(|| panic!("{name}"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let expected = std::fs::read(&path).unwrap();
        assert!(written == expected, "{name} is not what {version} wrote");
        golden.put(name, &expected);
    }
    golden
}

#[test]
fn version_1_is_read_for_ever() {
    let (disk, _, records) = sample();
    let (log, recovery) = open(&golden(&disk, "v1"), config());
    assert_eq!(recovery.end, Position(6));
    assert_holds(&log, &records, "golden");
}

#[test]
fn version_2_is_read_for_ever() {
    let (disk, log, records) = sample();
    log.reclaim(Position(0), |_| true).unwrap().unwrap();
    let (log, recovery) = open(&golden(&disk, "v2"), config());
    assert_eq!((recovery.end, recovery.damaged), (Position(6), vec![]));
    for (at, record) in records.iter().enumerate() {
        match log.read(record.address()) {
            Ok(read) => assert!(at >= 3 && &read == record),
            Err(Error::Reclaimed { position, .. }) => {
                assert_eq!(position, Position(if record.writer == writer(0) { 2 } else { 1 }));
            }
            Err(other) => panic!("{other}"),
        }
    }
}
