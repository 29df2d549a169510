//! The file systems that a box has before it has a disk, and the options of those on its disk.

use linux::mounts::{Mount, mount};

use crate::log::Log;

/// In this order, before anything else.
const EARLY: [Mount<'static>; 4] = [
    Mount { source: "proc", target: "/proc", kind: "proc", options: "nosuid,nodev,noexec" },
    Mount { source: "sysfs", target: "/sys", kind: "sysfs", options: "nosuid,nodev,noexec" },
    Mount { source: "devtmpfs", target: "/dev", kind: "devtmpfs", options: "nosuid,mode=0755" },
    Mount {
        source: "run",
        target: "/run",
        kind: "tmpfs",
        options: "nosuid,nodev,noexec,mode=0755,size=16m",
    },
];

/// The data partition: mail is durable when `fdatasync` returns, and a disk that lies about its
/// health must not be written any further.
#[must_use]
pub fn data(device: &str) -> Mount<'_> {
    Mount {
        source: device,
        target: control::paths::DATA,
        kind: "ext4",
        options: "nosuid,nodev,noexec,noatime,data=ordered,errors=remount-ro",
    }
}

/// The ESP, only to read the site file.
#[must_use]
pub fn esp(device: &str) -> Mount<'_> {
    Mount {
        source: device,
        target: "/run/esp",
        kind: "vfat",
        options: "ro,nosuid,nodev,noexec,codepage=437,iocharset=ascii",
    }
}

/// Mounts [`EARLY`]. What fails is logged: a box with half of it may still say what is wrong.
pub fn mount_early(log: &mut Log) {
    for entry in &EARLY {
        if let Err(error) = mount(entry) {
            log.line("init", &error.to_string());
        }
    }
}
