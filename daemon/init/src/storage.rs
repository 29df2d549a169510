//! The disk: find it, read the site file from the ESP, grow and mount the data partition.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use control::paths;
use control::site::Site;
use linux::disk::{self, Partition};
use linux::mounts::{mount, unmount};

use crate::limits::{DEVICE_LOOK_EVERY, DISK_MEND_AFTER, DISK_WAIT};
use crate::log::Log;
use crate::{growth, mounts};

/// Our two partitions, on one disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    pub esp: Partition,
    pub data: Partition,
}

/// Waits for a disk with both our partitions. Disks may take their time to appear.
///
/// # Errors
/// When none has come in [`DISK_WAIT`].
pub fn find(log: &mut Log) -> Result<Partitions> {
    let started = Instant::now();
    let mut mended = false;
    loop {
        let known = disk::partitions();
        if let Some((found, others)) = choose(&known) {
            if others > 0 {
                let disk = found.data.disk.display();
                log.line("init", &format!("{others} more disks are twinpost disks; using {disk}"));
            }
            return Ok(found);
        }
        if started.elapsed() >= DISK_MEND_AFTER && !mended {
            mended = true;
            mend(log);
        }
        if started.elapsed() >= DISK_WAIT {
            let seen: Vec<_> =
                disk::disks().iter().map(|disk| disk.display().to_string()).collect();
            anyhow::bail!(
                "no disk with partitions {} and {} was found in {} s (disks: {}); check the disk \
                 and its cable",
                paths::ESP_LABEL,
                paths::DATA_LABEL,
                DISK_WAIT.as_secs(),
                if seen.is_empty() { "none".into() } else { seen.join(", ") },
            );
        }
        std::thread::sleep(DEVICE_LOOK_EVERY);
    }
}

/// The first disk that has both partitions, built-in ones first; and how many more have them too.
fn choose(known: &[Partition]) -> Option<(Partitions, usize)> {
    let named = |label: &'static str| known.iter().filter(move |found| found.label == label);
    let mut pairs: Vec<Partitions> = named(paths::DATA_LABEL)
        .filter_map(|data| {
            let esp = named(paths::ESP_LABEL).find(|esp| esp.disk == data.disk)?;
            Some(Partitions { esp: esp.clone(), data: data.clone() })
        })
        .collect();
    pairs.sort_by_key(|pair| (pair.data.removable, pair.data.device.clone()));
    let more = pairs.len().saturating_sub(1);
    pairs.into_iter().next().map(|first| (first, more))
}

/// Looks for a disk of ours whose front partition table was torn by a power cut: the kernel reads
/// only that one.
fn mend(log: &mut Log) {
    for path in disk::disks() {
        let Ok(device) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        let Ok(sector) = disk::sector_bytes(&device) else { continue };
        let Ok(growth) = growth::plan(&device, sector, paths::DATA_LABEL) else { continue };
        if !growth.front_damaged {
            continue;
        }
        log.line("init", &format!("mending the partition table of {}", path.display()));
        let done = growth.apply(&device).map_err(anyhow::Error::from);
        if let Err(error) =
            done.and_then(|()| disk::reread_partitions(&device).map_err(anyhow::Error::from))
        {
            log.line("init", &format!("mending failed: {error:#}"));
        }
    }
}

/// Copies the site file from the ESP, which is mounted only for that, and reads it. The copy is
/// made even when it cannot be understood, so that it can be looked at.
///
/// # Errors
/// What the owner has to mend: no ESP, no file, or the line that is wrong in it.
pub fn read_site(esp: &Partition) -> Result<Site> {
    let mounted = esp.device.to_string_lossy().into_owned();
    let entry = mounts::esp(&mounted);
    mount(&entry).context("the ESP cannot be read")?;
    let source = Path::new(entry.target).join(paths::SITE_FILE_ON_ESP);
    let text = fs::read_to_string(&source);
    let unmounted = unmount(Path::new(entry.target));
    let text = text.with_context(|| {
        format!("the site file {} on the ESP cannot be read", paths::SITE_FILE_ON_ESP)
    })?;
    write_for_maild(Path::new(paths::SITE_FILE), &text).context("copy the site file")?;
    unmounted?;
    Ok(Site::parse(&text)?)
}

/// Grows the data partition to its disk.
///
/// # Errors
/// What went wrong; the partition can be mounted as it is.
pub fn grow_partition(data: &Partition, log: &mut Log) -> Result<u64> {
    let disk = OpenOptions::new().read(true).write(true).open(&data.disk)?;
    let sector = disk::sector_bytes(&disk)?;
    let growth = growth::plan(&disk, sector, paths::DATA_LABEL)?;
    if !growth.is_done() {
        growth.apply(&disk).context("write the partition table")?;
        let mebibytes = growth.length_bytes >> 20;
        log.line("init", &format!("the data partition is {mebibytes} MiB now"));
    }
    // Also when the table was right already: the kernel may have read it before it was.
    disk::resize_partition(&disk, growth.number, growth.start_bytes, growth.length_bytes)?;
    Ok(growth.length_bytes)
}

/// Mounts the data partition, lets its file system take the room there is, and makes maild's
/// folders. The journal of ext4 is replayed by the mount; nothing else checks it.
///
/// # Errors
/// When it cannot be mounted. That it cannot grow is only logged.
pub fn mount_data(data: &Partition, length_bytes: Option<u64>, log: &mut Log) -> Result<()> {
    mount(&mounts::data(&data.device.to_string_lossy())).context("the data disk cannot be used")?;
    if let Some(length) = length_bytes
        && let Err(error) = linux::disk::grow_ext4(Path::new(paths::DATA), length)
    {
        log.line("init", &error.to_string());
    }
    for folder in [paths::DATA, paths::DATA_MAIL, paths::DATA_IDENTITY] {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o750))?;
        chown(folder, Some(paths::MAILD_UID), Some(paths::MAILD_GID))?;
    }
    Ok(())
}

/// The folder of the sockets and the site file. Maild may put its socket there; the sticky bit
/// keeps it from replacing what is init's.
///
/// # Errors
/// What the kernel says.
pub fn make_run_folder() -> Result<()> {
    let folder = Path::new(paths::SITE_FILE).parent().context("it stands in a folder")?;
    fs::create_dir_all(folder)?;
    chown(folder, Some(0), Some(paths::MAILD_GID))?;
    fs::set_permissions(folder, Permissions::from_mode(0o1770))?;
    Ok(())
}

fn write_for_maild(path: &Path, text: &str) -> Result<()> {
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)?;
    file.write_all(text.as_bytes())?;
    chown(path, Some(0), Some(paths::MAILD_GID))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(disk: &str, number: u32, label: &str, removable: bool) -> Partition {
        Partition {
            device: format!("/dev/{disk}{number}").into(),
            disk: format!("/dev/{disk}").into(),
            number,
            label: label.into(),
            removable,
        }
    }

    fn pair(disk: &str, removable: bool) -> [Partition; 2] {
        [
            partition(disk, 1, paths::ESP_LABEL, removable),
            partition(disk, 2, paths::DATA_LABEL, removable),
        ]
    }

    #[test]
    fn both_partitions_must_be_on_one_disk() {
        let found = |known: &[Partition]| {
            choose(known).map(|(pair, more)| (pair.data.device.display().to_string(), more))
        };
        let stick = pair("sda", true);
        let built_in = pair("vdb", false);
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[stick[0].clone(), built_in[1].clone()]), None);
        assert_eq!(found(&stick), Some(("/dev/sda2".into(), 0)));
        assert_eq!(found(&[stick, built_in].concat()), Some(("/dev/vdb2".into(), 1)));
        assert_eq!(found(&[partition("vda", 1, "swap", false)]), None);
    }
}
