//! Growth on image files with a real table, power cuts included.

use std::fs::OpenOptions;
use std::path::PathBuf;

use gpt::partition_types;

use super::*;

const MIB: u64 = 1024 * 1024;
const LABEL: &str = control::paths::DATA_LABEL;

/// An image with an ESP and a data partition, as the builder makes it, on a disk of any size.
struct Image {
    path: PathBuf,
    file: File,
}

impl Image {
    fn new(name: &str, image_bytes: u64, disk_bytes: u64) -> Image {
        let path = std::env::temp_dir().join(format!("twinpost-{}-{name}", std::process::id()));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.unwrap();
        file.set_len(image_bytes).unwrap();
        let mut front = ProtectiveMBR::with_lb_size((image_bytes / 512 - 1) as u32);
        front.set_bootcode([0xeb; 440]);
        front.overwrite_lba0(&mut &file).unwrap();
        let mut table = GptConfig::new()
            .writable(true)
            .create_from_device(file.try_clone().unwrap(), None)
            .unwrap();
        table.add_partition("twinpost-esp", 4 * MIB, partition_types::EFI, 0, Some(2048)).unwrap();
        table.add_partition(LABEL, 8 * MIB, partition_types::LINUX_FS, 0, Some(2048)).unwrap();
        table.write().unwrap();
        file.set_len(disk_bytes).unwrap();
        Image { path, file }
    }

    fn plan(&self) -> Growth {
        plan(&self.file, 512, LABEL).unwrap()
    }

    /// The data partition as the front or the backup table has it; `None` when that is damaged.
    fn partition(&self, front: bool) -> Option<Partition> {
        let table = GptConfig::new().open_from_device(self.file.try_clone().unwrap()).ok()?;
        let header = if front { table.primary_header() } else { table.backup_header() };
        header.ok()?;
        table.partitions().values().find(|partition| partition.name == LABEL).cloned()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn the_partition_takes_the_disk() {
    let image = Image::new("grow", 16 * MIB, 200 * MIB);
    let before = image.partition(true).unwrap();
    let growth = image.plan();
    assert!(!growth.is_done() && !growth.front_damaged);
    assert_eq!(growth.number, 2);
    growth.apply(&image.file).unwrap();

    let (front, back) = (image.partition(true).unwrap(), image.partition(false).unwrap());
    assert_eq!(front, back);
    assert_eq!(front.part_guid, before.part_guid);
    assert_eq!(front.first_lba * 512, growth.start_bytes);
    assert_eq!((front.last_lba + 1) * 512, 199 * MIB, "up to the last whole MiB before the backup");
    assert_eq!(growth.start_bytes + growth.length_bytes, 199 * MIB);
    let sector = ProtectiveMBR::from_disk(&mut &image.file, LogicalBlockSize::Lb512).unwrap();
    assert_eq!(sector.bootcode(), &[0xeb; 440], "a BIOS can still boot");
    assert_eq!(u64::from(sector.partition(0).unwrap().lb_size), 200 * MIB / 512 - 1);

    let again = image.plan();
    assert!(again.is_done(), "twice changes nothing");
    assert_eq!(again.length_bytes, growth.length_bytes);
}

#[test]
fn a_disk_as_large_as_the_image_is_left_alone() {
    let image = Image::new("same", 16 * MIB, 16 * MIB);
    image.plan().apply(&image.file).unwrap();
    assert!(image.plan().is_done());
    assert!(image.partition(true).unwrap().last_lba * 512 < 16 * MIB);
}

/// A cut between any two writes, and in the middle of each of them, sector by sector.
#[test]
fn a_power_cut_at_any_moment_leaves_a_table() {
    let image = Image::new("cut", 16 * MIB, 64 * MIB);
    let growth = image.plan();
    let order: Vec<_> = growth.writes.iter().rev().cloned().collect();
    assert!(order.len() >= 2 && order.last().unwrap().0 == 0, "the front comes last");
    let mut mended = 0;
    for (place, bytes) in &order {
        let original = read(&image.file, *place, bytes.len());
        for sector in 0..bytes.len() / 512 {
            // The cut tears this write: only one sector of it, or all but that one, came through.
            let only = mix(&original, bytes, |at| at == sector);
            let all_but = mix(&original, bytes, |at| at != sector);
            for torn in [only, all_but] {
                image.file.write_all_at(&torn, *place).unwrap();
                let again = image.plan();
                mended += usize::from(again.front_damaged);
                assert_eq!(again.length_bytes, growth.length_bytes);
            }
        }
        image.file.write_all_at(bytes, *place).unwrap();
    }
    assert!(mended > 0, "some cuts tore the front");
    assert!(image.plan().is_done());
}

#[test]
fn a_damaged_front_is_mended_from_the_backup() {
    let image = Image::new("mend", 16 * MIB, 64 * MIB);
    image.plan().apply(&image.file).unwrap();
    let whole = image.partition(true).unwrap();
    image.file.write_all_at(&[0; 512], 512).unwrap();
    assert_eq!(image.partition(true), None);
    let growth = image.plan();
    assert!(growth.front_damaged);
    growth.apply(&image.file).unwrap();
    assert_eq!(image.partition(true), Some(whole));
}

#[test]
fn what_is_not_ours_is_an_error() {
    let image = Image::new("other", 16 * MIB, 64 * MIB);
    let refused = |label: &str| plan(&image.file, 512, label).unwrap_err().to_string();
    assert!(refused("somebody-else").contains("not exactly one"));
    assert!(refused("twinpost-esp").contains("stands behind"));
    // A valid header of another shape: the size of an entry doubled, checksum or not.
    image.file.write_all_at(&256_u32.to_le_bytes(), 512 + 84).unwrap();
    assert!(refused(LABEL).contains("256 bytes"));
    image.file.write_all_at(&[0; 4096], 0).unwrap();
    assert!(plan(&image.file, 512, LABEL).is_err(), "no table at all");
    for length in [1024, 512, 100, 0] {
        image.file.set_len(length).unwrap();
        assert!(plan(&image.file, 512, LABEL).is_err(), "{length} bytes");
    }
    assert!(plan(&image.file, 513, LABEL).is_err());
}

fn read(file: &File, place: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, place).unwrap();
    bytes
}

fn mix(old: &[u8], new: &[u8], take_new: impl Fn(usize) -> bool) -> Vec<u8> {
    let sectors = old.chunks(512).zip(new.chunks(512)).enumerate();
    sectors.flat_map(|(at, (old, new))| if take_new(at) { new } else { old }.to_vec()).collect()
}
