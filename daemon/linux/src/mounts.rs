//! Mounting and unmounting.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};

use crate::{Error, Result};

/// One line of a mount table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount<'a> {
    /// A device, or for file systems without one the name shown in `/proc/mounts`.
    pub source: &'a str,
    pub target: &'a str,
    /// The file system's name: "ext4".
    pub kind: &'a str,
    /// As in fstab: "ro,nosuid,mode=0755".
    pub options: &'a str,
}

/// Mounts it, making the target folder when it is missing.
///
/// # Errors
/// What the kernel says; [`Error::is_present`] is not told apart from a busy device.
pub fn mount(mount: &Mount<'_>) -> Result<()> {
    let what = || format!("mount {} ({}) on {}", mount.source, mount.kind, mount.target);
    fs::create_dir_all(mount.target).map_err(|error| Error::kernel(what(), error))?;
    let (flags, data) = parse_options(mount.options);
    nix::mount::mount(
        Some(mount.source),
        mount.target,
        Some(mount.kind),
        flags,
        (!data.is_empty()).then_some(data.as_str()),
    )
    .map_err(|error| Error::kernel(what(), error))
}

/// Changes the options of what is mounted at `target`.
///
/// # Errors
/// What the kernel says.
pub fn remount(target: &Path, options: &str) -> Result<()> {
    let (flags, data) = parse_options(options);
    nix::mount::mount(
        None::<&str>,
        target,
        None::<&str>,
        flags | MsFlags::MS_REMOUNT,
        (!data.is_empty()).then_some(data.as_str()),
    )
    .map_err(|error| Error::kernel(format!("remount {} {options}", target.display()), error))
}

/// Unmounts `target`; it must not be in use.
///
/// # Errors
/// What the kernel says, for instance that it is busy.
pub fn unmount(target: &Path) -> Result<()> {
    nix::mount::umount(target)
        .map_err(|error| Error::kernel(format!("unmount {}", target.display()), error))
}

/// Takes `target` out of the tree at once; the file system ends when its last user does.
///
/// # Errors
/// What the kernel says.
pub fn detach(target: &Path) -> Result<()> {
    nix::mount::umount2(target, MntFlags::MNT_DETACH)
        .map_err(|error| Error::kernel(format!("detach {}", target.display()), error))
}

/// Whether something is mounted at `target`.
#[must_use]
pub fn is_mounted(target: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    targets(&table).any(|mounted| mounted == target)
}

/// Writes everything that is waiting to all disks.
pub fn sync_all() {
    nix::unistd::sync();
}

fn targets(table: &str) -> impl Iterator<Item = PathBuf> {
    table.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from)
}

/// Splits fstab's options into the kernel's flags and what is left for the file system.
fn parse_options(options: &str) -> (MsFlags, String) {
    let mut flags = MsFlags::empty();
    let mut data = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match FLAGS.iter().find(|(name, _)| *name == option) {
            Some((_, flag)) => flags |= *flag,
            None => data.push(option),
        }
    }
    (flags, data.join(","))
}

const FLAGS: [(&str, MsFlags); 8] = [
    ("ro", MsFlags::MS_RDONLY),
    ("rw", MsFlags::empty()),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("noatime", MsFlags::MS_NOATIME),
    ("sync", MsFlags::MS_SYNCHRONOUS),
    ("bind", MsFlags::MS_BIND),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_flags_or_data() {
        let cases = [
            ("", MsFlags::empty(), ""),
            ("ro", MsFlags::MS_RDONLY, ""),
            ("rw,noatime,data=ordered", MsFlags::MS_NOATIME, "data=ordered"),
            (
                "nosuid,mode=0755,nodev,size=1m",
                MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
                "mode=0755,size=1m",
            ),
        ];
        for (options, flags, data) in cases {
            assert_eq!(parse_options(options), (flags, data.to_owned()), "{options}");
        }
    }

    #[test]
    fn proc_is_mounted_where_tests_run() {
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(Path::new("/proc/self/no such place")));
    }
}
