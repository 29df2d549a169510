//! Block devices: finding partitions, and making them and their file systems larger.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::libc::{self, c_int, c_longlong, c_void};

use crate::{Error, Result};

/// One partition, as the kernel found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// `/dev/vda2`
    pub device: PathBuf,
    /// The whole disk's device: `/dev/vda`.
    pub disk: PathBuf,
    /// Counted from 1, as the partition table does.
    pub number: u32,
    /// The label in the GPT; empty where the table has none.
    pub label: String,
    /// Whether the disk is of the kind that is pulled out (a USB stick).
    pub removable: bool,
}

/// All partitions that the kernel knows now, sorted by device name.
#[must_use]
pub fn partitions() -> Vec<Partition> {
    partitions_below(Path::new("/sys/class/block"))
}

/// All whole disks that the kernel knows now: `/dev/vda`.
#[must_use]
pub fn disks() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = folders(Path::new("/sys/class/block"))
        .into_iter()
        .filter(|folder| folder.join("device").exists())
        .filter_map(|folder| Some(Path::new("/dev").join(folder.file_name()?)))
        .collect();
    found.sort();
    found
}

fn partitions_below(class: &Path) -> Vec<Partition> {
    let mut found: Vec<Partition> =
        folders(class).iter().filter_map(|folder| partition(folder)).collect();
    found.sort_by(|a, b| a.device.cmp(&b.device));
    found
}

fn folders(class: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(class) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// A partition's folder lies inside its disk's, and its `uevent` says the rest.
fn partition(folder: &Path) -> Option<Partition> {
    let number = fs::read_to_string(folder.join("partition")).ok()?.trim().parse().ok()?;
    let name = folder.file_name()?;
    let disk_folder = fs::canonicalize(folder).ok()?.parent()?.to_owned();
    let uevent = fs::read_to_string(folder.join("uevent")).unwrap_or_default();
    let label = uevent.lines().find_map(|line| line.strip_prefix("PARTNAME=")).unwrap_or_default();
    let removable = fs::read_to_string(disk_folder.join("removable")).unwrap_or_default();
    Some(Partition {
        device: Path::new("/dev").join(name),
        disk: Path::new("/dev").join(disk_folder.file_name()?),
        number,
        label: label.to_owned(),
        removable: removable.trim() == "1",
    })
}

/// Bytes of a logical sector of a block device.
///
/// # Errors
/// What the kernel says, for instance that it is no block device.
pub fn sector_bytes(device: &File) -> Result<u64> {
    let mut bytes: c_int = 0;
    // SAFETY: the ioctl writes one int, which `bytes` is; the device is open.
    unsafe { calls::sector_bytes(device.as_raw_fd(), &raw mut bytes) }
        .map_err(|error| Error::kernel("read the sector size", error))?;
    u64::try_from(bytes).map_err(|_| Error::Unexpected {
        what: "read the sector size".into(),
        expected: "a size",
        got: bytes.to_string(),
    })
}

/// Tells the kernel that a partition of `disk`, in use or not, now has this place and length.
///
/// # Errors
/// What the kernel says, for instance that it would overlap another.
pub fn resize_partition(
    disk: &File,
    number: u32,
    start_bytes: u64,
    length_bytes: u64,
) -> Result<()> {
    let what = || format!("resize partition {number} to {length_bytes} bytes");
    let signed = |value: u64| {
        c_longlong::try_from(value).map_err(|_| Error::Unexpected {
            what: what(),
            expected: "fewer than 2^63 bytes",
            got: value.to_string(),
        })
    };
    let mut partition = calls::blkpg_partition {
        start: signed(start_bytes)?,
        length: signed(length_bytes)?,
        pno: c_int::try_from(number).unwrap_or(c_int::MAX),
        devname: [0; 64],
        volname: [0; 64],
    };
    let argument = calls::blkpg_ioctl_arg {
        op: calls::BLKPG_RESIZE_PARTITION,
        flags: 0,
        datalen: size_of::<calls::blkpg_partition>() as c_int,
        data: (&raw mut partition).cast::<c_void>(),
    };
    // SAFETY: `argument` and the partition it points to are laid out as in linux/blkpg.h and live
    // until the call returns.
    unsafe { calls::blkpg(disk.as_raw_fd(), &raw const argument) }
        .map(drop)
        .map_err(|error| Error::kernel(what(), error))
}

/// Has the kernel read a disk's partition table again; no partition of it may be in use.
///
/// # Errors
/// What the kernel says.
pub fn reread_partitions(disk: &File) -> Result<()> {
    // SAFETY: the ioctl takes no data.
    unsafe { calls::reread(disk.as_raw_fd()) }
        .map(drop)
        .map_err(|error| Error::kernel("read the partition table again", error))
}

/// Makes the mounted ext4 file system at `mounted` as large as `length_bytes` allows. Online; does
/// nothing when it is that large already. The new size in bytes.
///
/// # Errors
/// What the kernel says.
pub fn grow_ext4(mounted: &Path, length_bytes: u64) -> Result<u64> {
    let what = || format!("grow the file system at {}", mounted.display());
    let folder = File::open(mounted).map_err(|error| Error::kernel(what(), error))?;
    let block = nix::sys::statfs::fstatfs(&folder)
        .map_err(|error| Error::kernel(what(), error))?
        .block_size();
    let block = u64::try_from(block).ok().filter(|&size| size > 0).ok_or_else(|| {
        Error::Unexpected { what: what(), expected: "a block size", got: block.to_string() }
    })?;
    let blocks = length_bytes / block;
    // SAFETY: the ioctl reads one u64, which `blocks` is.
    unsafe { calls::ext4_resize(folder.as_raw_fd(), &raw const blocks) }
        .map_err(|error| Error::kernel(what(), error))?;
    Ok(blocks * block)
}

/// Stops the mounted ext4 file system at `mounted` as a power cut would: nothing more reaches its device, not even its
/// journal, and every use of it fails until it is mounted anew. For tests of what survives.
///
/// # Errors
/// What the kernel says.
pub fn shut_down(mounted: &Path) -> Result<()> {
    let what = || format!("shut the file system at {} down", mounted.display());
    let folder = File::open(mounted).map_err(|error| Error::kernel(what(), error))?;
    // SAFETY: the ioctl reads one u32, which the constant is.
    unsafe { calls::ext4_shutdown(folder.as_raw_fd(), &raw const calls::NO_LOG_FLUSH) }
        .map(drop)
        .map_err(|error| Error::kernel(what(), error))
}

/// `linux/fs.h`, `linux/blkpg.h`, `ext4.h`
#[allow(non_camel_case_types)] // the kernel's own names
mod calls {
    use super::{c_int, c_longlong, c_void, libc};

    pub const BLKPG_RESIZE_PARTITION: c_int = 3;

    #[repr(C)]
    pub struct blkpg_ioctl_arg {
        pub op: c_int,
        pub flags: c_int,
        pub datalen: c_int,
        pub data: *mut c_void,
    }

    #[repr(C)]
    pub struct blkpg_partition {
        pub start: c_longlong,
        pub length: c_longlong,
        pub pno: c_int,
        pub devname: [libc::c_char; 64],
        pub volname: [libc::c_char; 64],
    }

    nix::ioctl_none_bad!(reread, nix::request_code_none!(0x12, 95));
    nix::ioctl_read_bad!(sector_bytes, nix::request_code_none!(0x12, 104), c_int);
    nix::ioctl_write_ptr_bad!(blkpg, nix::request_code_none!(0x12, 105), blkpg_ioctl_arg);
    nix::ioctl_write_ptr!(ext4_resize, b'f', 16, u64);

    /// `EXT4_GOING_FLAGS_NOLOGFLUSH`
    pub static NO_LOG_FLUSH: u32 = 2;
    // Its number says "read", and it is the kernel that reads.
    nix::ioctl_write_ptr_bad!(ext4_shutdown, nix::request_code_read!(b'X', 125, 4), u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_read_from_the_class_folder() {
        let root = std::env::temp_dir().join(format!("twinpost-disk-{}", std::process::id()));
        let class = root.join("class");
        let disk = root.join("devices/virtio0/block/vda");
        fs::create_dir_all(disk.join("vda2")).unwrap();
        fs::create_dir_all(&class).unwrap();
        fs::write(disk.join("removable"), "0\n").unwrap();
        fs::write(disk.join("vda2/partition"), "2\n").unwrap();
        fs::write(disk.join("vda2/uevent"), "DEVNAME=vda2\nPARTN=2\nPARTNAME=twinpost-data\n")
            .unwrap();
        for (link, target) in [("vda", disk.clone()), ("vda2", disk.join("vda2"))] {
            std::os::unix::fs::symlink(target, class.join(link)).unwrap();
        }
        let expected = Partition {
            device: "/dev/vda2".into(),
            disk: "/dev/vda".into(),
            number: 2,
            label: "twinpost-data".into(),
            removable: false,
        };
        let found = partitions_below(&class);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn an_ordinary_file_is_no_disk() {
        let file = File::open("/proc/self/exe").unwrap();
        assert!(sector_bytes(&file).is_err());
        assert!(resize_partition(&file, 1, 0, 512).is_err());
    }
}
