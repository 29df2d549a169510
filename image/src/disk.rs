//! Step 6, the disk: a partition table, the ESP and the data partition, in one sparse file.
//!
//! No root and no loop device: mtools and mke2fs write at an offset. Everything that such tools
//! draw at random or take from the clock is fixed, so the same contents give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gpt::disk::LogicalBlockSize;
use gpt::partition::Partition;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::run;

/// The GPT names that the box finds its partitions by.
pub const ESP_NAME: &str = "twinpost-esp";
pub const DATA_NAME: &str = "twinpost-data";
/// The site file's place inside the ESP.
pub const SITE_FILE: &str = "twinpost/site.toml";
/// The manifest's place inside the ESP.
pub const MANIFEST_FILE: &str = "twinpost/manifest.json";

const MIB: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// The partition table's own place, at either end.
const EDGE: u64 = MIB;
/// FAT32 needs 65 525 clusters; with 2 KiB each that is 128 MiB.
const ESP_MIB_MIN: u64 = 129;
const ESP_CLUSTER_SECTORS: u64 = 4;
/// Room for the file system's journal, and something besides.
const DATA_MIB_MIN: u64 = 64;

/// What a disk is made of.
#[derive(Debug, Clone)]
pub struct Contents {
    pub esp_mib: u64,
    pub data_mib: u64,
    /// Files of the ESP by their path in it.
    pub esp: BTreeMap<String, Vec<u8>>,
    /// Unix seconds: the date of every file.
    pub build_time: u64,
}

/// One partition of a disk image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    pub name: String,
    /// In bytes from the start of the image.
    pub start: u64,
    pub bytes: u64,
}

/// Writes the image, replacing what is there only when it is whole.
pub fn write(path: &Path, contents: &Contents) -> Result<()> {
    ensure!(contents.esp_mib >= ESP_MIB_MIN, "an ESP needs {ESP_MIB_MIN} MiB for FAT32");
    ensure!(contents.data_mib >= DATA_MIB_MIN, "the data partition needs {DATA_MIB_MIN} MiB");
    let folder = path.parent().context("the image needs a folder")?;
    let scratch = tempfile::tempdir_in(folder)?;
    let image = scratch.path().join("image");
    File::create(&image)?.set_len(contents.bytes())?;
    write_table(&image, contents)?;
    let extents = extents(&image)?;
    write_esp(&image, &find(&extents, ESP_NAME)?, contents, scratch.path())?;
    write_data(&image, &find(&extents, DATA_NAME)?, contents.build_time, scratch.path())?;
    std::fs::rename(&image, path)?;
    Ok(())
}

/// The partitions of an image, in the order of their numbers.
pub fn extents(image: &Path) -> Result<Vec<Extent>> {
    let disk = gpt::GptConfig::new()
        .writable(false)
        .open(image)
        .with_context(|| format!("{} has no GPT", image.display()))?;
    disk.partitions()
        .values()
        .map(|partition| {
            Ok(Extent {
                name: partition.name.clone(),
                start: partition.bytes_start(LogicalBlockSize::Lb512)?,
                bytes: partition.bytes_len(LogicalBlockSize::Lb512)?,
            })
        })
        .collect()
}

/// The partition of a name.
pub fn find(extents: &[Extent], name: &str) -> Result<Extent> {
    let found = extents.iter().find(|extent| extent.name == name);
    found.cloned().with_context(|| format!("there is no partition {name}"))
}

/// Copies a partition out of an image, for tools that know no offset.
pub fn extract(image: &Path, extent: &Extent, to: &Path) -> Result<()> {
    let mut from = File::open(image)?;
    from.seek(SeekFrom::Start(extent.start))?;
    std::io::copy(&mut from.take(extent.bytes), &mut File::create(to)?)?;
    Ok(())
}

/// Puts a file into the ESP of an image, replacing one that is there.
pub fn put_in_esp(image: &Path, esp: &Extent, inside: &str, from: &Path, time: u64) -> Result<()> {
    let mut mcopy = mtools("mcopy", time)?;
    mcopy.arg("-o").arg("-i").arg(at(image, esp)).arg(from).arg(format!("::/{inside}"));
    run::quiet(&mut mcopy)
}

/// A file of the ESP of an image.
pub fn read_from_esp(image: &Path, esp: &Extent, inside: &str) -> Result<Vec<u8>> {
    let mut mtype = mtools("mtype", 0)?;
    run::bytes(mtype.arg("-i").arg(at(image, esp)).arg(format!("::/{inside}")))
}

/// The paths of all files in the ESP of an image.
pub fn list_esp(image: &Path, esp: &Extent) -> Result<Vec<String>> {
    let mut mdir = mtools("mdir", 0)?;
    let text = run::capture(mdir.args(["-/", "-b", "-i"]).arg(at(image, esp)).arg("::/"))?;
    let paths = text.lines().filter_map(|line| line.strip_prefix("::/"));
    Ok(paths.filter(|path| !path.ends_with('/')).map(str::to_owned).collect())
}

impl Contents {
    /// The size of the image.
    fn bytes(&self) -> u64 {
        EDGE + (self.esp_mib + self.data_mib) * MIB + EDGE
    }
}

fn write_table(image: &Path, contents: &Contents) -> Result<()> {
    let esp_end = EDGE + contents.esp_mib * MIB;
    let data_end = esp_end + contents.data_mib * MIB;
    let partition = |name: &str, kind, start: u64, end: u64| Partition {
        part_type_guid: kind,
        part_guid: fixed_uuid(name),
        first_lba: start / SECTOR,
        last_lba: end / SECTOR - 1,
        flags: 0,
        name: name.to_owned(),
    };
    let partitions = BTreeMap::from([
        (1, partition(ESP_NAME, gpt::partition_types::EFI, EDGE, esp_end)),
        (2, partition(DATA_NAME, gpt::partition_types::LINUX_FS, esp_end, data_end)),
    ]);
    let mut file = File::options().read(true).write(true).open(image)?;
    let sectors = u32::try_from(contents.bytes() / SECTOR).unwrap_or(u32::MAX);
    gpt::mbr::ProtectiveMBR::with_lb_size(sectors - 1).overwrite_lba0(&mut file)?;
    let mut disk = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(file, Some(fixed_uuid("twinpost-disk")))?;
    disk.update_partitions(partitions)?;
    disk.write()?;
    Ok(())
}

fn write_esp(image: &Path, esp: &Extent, contents: &Contents, scratch: &Path) -> Result<()> {
    let time = contents.build_time;
    let mut mformat = mtools("mformat", time)?;
    mformat.args(["-F", "-v", "TWINPOST", "-N", "7719057A", "-h", "255", "-s", "63"]);
    mformat.args(["-c", &ESP_CLUSTER_SECTORS.to_string()]);
    mformat.args([
        "-T",
        &(esp.bytes / SECTOR).to_string(),
        "-H",
        &(esp.start / SECTOR).to_string(),
    ]);
    run::quiet(mformat.arg("-i").arg(at(image, esp)).arg("::"))?;
    for folder in folders(contents.esp.keys()) {
        let mut mmd = mtools("mmd", time)?;
        run::quiet(mmd.arg("-i").arg(at(image, esp)).arg(format!("::/{folder}")))?;
    }
    let staged = scratch.join("staged");
    for (inside, bytes) in &contents.esp {
        std::fs::write(&staged, bytes)?;
        put_in_esp(image, esp, inside, &staged, time)
            .with_context(|| format!("cannot put {inside} into the ESP"))?;
    }
    Ok(())
}

/// An empty file system that can grow while it is mounted.
fn write_data(image: &Path, data: &Extent, build_time: u64, scratch: &Path) -> Result<()> {
    let uuid = fixed_uuid("twinpost-data-fs").to_string();
    let config = scratch.join("mke2fs.conf");
    std::fs::write(&config, MKE2FS_CONF)?;
    let mut mke2fs = run::program("mke2fs")?;
    mke2fs
        .env("E2FSPROGS_FAKE_TIME", build_time.to_string())
        .env("MKE2FS_CONFIG", &config)
        .env("TZ", "UTC")
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-J", "size=8"])
        .args(["-L", "twinpost-data", "-U", &uuid, "-E"])
        .arg(format!("offset={},hash_seed={uuid},root_owner=0:0,lazy_itable_init=1", data.start))
        .arg(image)
        .arg(format!("{}k", data.bytes / 1024));
    run::quiet(&mut mke2fs)
}

/// What a host's own configuration prefers, and what another version of mke2fs would choose, stays
/// out of the image. Every kernel since 4.4 can mount these features.
const MKE2FS_CONF: &str = "\
[defaults]
base_features = none
default_mntopts = acl,user_xattr
inode_size = 256
inode_ratio = 16384

[fs_types]
ext4 = {
    features = has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
large_file,huge_file,dir_nlink,extra_isize,metadata_csum
}
small = {
}
";

/// One of mtools, deaf to the host's configuration, clock and time zone.
fn mtools(name: &str, time: u64) -> Result<Command> {
    let mut command = run::program(name)?;
    command.env("MTOOLSRC", "/dev/null").env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command.env("SOURCE_DATE_EPOCH", time.to_string());
    Ok(command)
}

/// mtools' way to name a file system inside a file.
fn at(image: &Path, extent: &Extent) -> String {
    format!("{}@@{}", image.display(), extent.start)
}

/// Every folder of these paths, parents first.
fn folders<'a>(paths: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut folders: Vec<String> = paths
        .flat_map(|path| path.match_indices('/').map(|(end, _)| path[..end].to_owned()))
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

/// A UUID that is the same each time: of the kind that RFC 9562 §5.8 leaves to applications.
fn fixed_uuid(what: &str) -> Uuid {
    let hash = Sha256::digest(format!("twinpost image: {what}"));
    let mut bytes: [u8; 16] = hash[..16].try_into().expect("a SHA-256 has 32 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn contents() -> Contents {
        Contents {
            esp_mib: 130,
            data_mib: 64,
            esp: BTreeMap::from([
                ("EFI/BOOT/BOOTX64.EFI".to_owned(), b"MZ loader".to_vec()),
                ("EFI/Linux/twinpost_0.1.0.efi".to_owned(), vec![7; 300_000]),
                ("loader/loader.conf".to_owned(), b"timeout 0\n".to_vec()),
            ]),
            build_time: 1_700_000_000,
        }
    }

    /// The tools that write partitions may be missing where only the code is checked.
    fn tools_are_here() -> bool {
        ["mformat", "mke2fs"].iter().all(|name| run::find_program(name).is_some())
    }

    #[test]
    fn what_goes_in_comes_out_and_the_reference_tools_find_nothing_wrong() {
        if !tools_are_here() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("disk.img");
        write(&image, &contents()).unwrap();
        let extents = extents(&image).unwrap();
        assert_eq!(
            extents,
            [
                Extent { name: ESP_NAME.into(), start: MIB, bytes: 130 * MIB },
                Extent { name: DATA_NAME.into(), start: 131 * MIB, bytes: 64 * MIB },
            ]
        );
        let esp = find(&extents, ESP_NAME).unwrap();
        assert_eq!(
            list_esp(&image, &esp).unwrap(),
            ["EFI/BOOT/BOOTX64.EFI", "EFI/Linux/twinpost_0.1.0.efi", "loader/loader.conf"]
        );
        let loader = read_from_esp(&image, &esp, "loader/loader.conf").unwrap();
        assert_eq!(loader, b"timeout 0\n");
        let on_disk = std::fs::metadata(&image).unwrap().blocks() * 512;
        assert!(on_disk < 32 * MIB, "{on_disk} bytes are not sparse");
        for (name, checker, flags) in [(ESP_NAME, "fsck.fat", "-n"), (DATA_NAME, "e2fsck", "-fn")] {
            let part = folder.path().join(name);
            extract(&image, &find(&extents, name).unwrap(), &part).unwrap();
            if let Ok(mut checker) = run::program(checker) {
                run::quiet(checker.arg(flags).arg(&part)).unwrap();
            }
        }
    }

    #[test]
    fn the_same_contents_give_the_same_bytes() {
        if !tools_are_here() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        write(&one, &contents()).unwrap();
        // FAT counts in steps of two seconds, ext4 in one: let the clock move past both.
        std::thread::sleep(std::time::Duration::from_millis(2100));
        write(&two, &contents()).unwrap();
        assert!(std::fs::read(one).unwrap() == std::fs::read(two).unwrap());
    }

    #[test]
    fn sizes_that_cannot_hold_a_file_system_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let small = Contents { esp_mib: 64, ..contents() };
        assert!(write(&folder.path().join("x"), &small).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let paths = ["EFI/Linux/x", "EFI/BOOT/y", "loader/z", "w"].map(str::to_owned);
        assert_eq!(folders(paths.iter()), ["EFI", "EFI/BOOT", "EFI/Linux", "loader"]);
    }
}
