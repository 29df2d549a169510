//! Golden bytes of segment format version 1: a box in the field holds files like these.
//! `UPDATE_EXPECT=1` writes them, for a new version.

use std::path::Path;

use journal::{Config, Position, SimDisk};

use crate::support::{assert_holds, body, open, small, writer};

#[test]
fn version_1_is_read_for_ever() {
    let config = Config { segment_bytes: 9000, ..small(9000) };
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, config);
    let records =
        (0..6).map(|i| body(writer(i % 2), i / 2, vec![i as u8; 150])).collect::<Vec<_>>();
    for record in &records {
        log.append(record).unwrap();
    }
    log.flush().unwrap();
    let names =
        ["00000000000000000000.log", "00000000000000000000.idx", "00000000000000000003.log"];
    let golden = SimDisk::new(2);
    for name in names {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("v1-{name}"));
        let written = disk.contents(name).unwrap_or_else(|| panic!("{name}"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let expected = std::fs::read(&path).unwrap();
        assert!(written == expected, "{name} is not what version 1 wrote");
        golden.put(name, &expected);
    }
    let (log, recovery) = open(&golden, config);
    assert_eq!(recovery.end, Position(6));
    assert_holds(&log, &records, "golden");
}
