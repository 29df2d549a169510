//! The box itself: its name, its memory, its room, its kernel settings.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::{Error, Result};

/// Gives the box its name.
///
/// # Errors
/// What the kernel says.
pub fn set_hostname(name: &str) -> Result<()> {
    nix::unistd::sethostname(name)
        .map_err(|error| Error::kernel(format!("set the host name {name:?}"), error))
}

/// Resident memory of this process in bytes.
#[must_use]
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kilobytes(&status, "VmRSS").unwrap_or(0) * 1024
}

/// Memory of the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub total_bytes: u64,
    /// What programs could still get without anything being pushed out.
    pub available_bytes: u64,
}

/// Memory of the box, zero where the kernel does not say.
#[must_use]
pub fn memory() -> Memory {
    let table = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Memory {
        total_bytes: kilobytes(&table, "MemTotal").unwrap_or(0) * 1024,
        available_bytes: kilobytes(&table, "MemAvailable").unwrap_or(0) * 1024,
    }
}

/// Room of a file system in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    pub total_bytes: u64,
    /// For programs that are not root.
    pub free_bytes: u64,
}

/// Room on the file system that holds `path`.
///
/// # Errors
/// What the kernel says.
pub fn room(path: &Path) -> Result<Room> {
    let found = statvfs(path)
        .map_err(|error| Error::kernel(format!("statvfs {}", path.display()), error))?;
    let unit = found.fragment_size();
    Ok(Room { total_bytes: found.blocks() * unit, free_bytes: found.blocks_available() * unit })
}

/// Sets a kernel setting: `write_setting("net/ipv4/conf/all/arp_ignore", "1")`.
///
/// # Errors
/// [`Error::is_absent`] when this kernel does not have it.
pub fn write_setting(name: &str, value: &str) -> Result<()> {
    fs::write(Path::new("/proc/sys").join(name), format!("{value}\n"))
        .map_err(|error| Error::kernel(format!("set {name} to {value}"), error))
}

fn kilobytes(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobyte_tables() {
        let table = "MemTotal:       24576 kB\nMemFree: 1 kB\nVmRSS:\t  33 kB\nEmpty:\n";
        assert_eq!(kilobytes(table, "MemTotal"), Some(24576));
        assert_eq!(kilobytes(table, "VmRSS"), Some(33));
        assert_eq!(kilobytes(table, "Mem"), None);
        assert_eq!(kilobytes(table, "Empty"), None);
    }

    #[test]
    fn this_machine_has_memory_and_room() {
        assert!(resident_bytes() > 0);
        assert!(memory().total_bytes >= memory().available_bytes);
        assert!(room(Path::new("/")).unwrap().total_bytes > 0);
    }
}
