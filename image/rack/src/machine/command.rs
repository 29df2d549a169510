//! The command line of a box: what hardware it has.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::qemu::{Acceleration, Qemu};
use super::{Boot, MachineConfig};
use crate::names::{Nic, Side};

/// The files of one box, all in its folder.
#[derive(Debug, Clone)]
pub struct Files {
    /// Its serial console, to drive.
    pub console_socket: PathBuf,
    /// Everything its serial console has said, over all its lives.
    pub console_log: PathBuf,
    /// QEMU's monitor.
    pub monitor_socket: PathBuf,
    /// Its own UEFI variables.
    pub variables: PathBuf,
    /// What QEMU itself has to say.
    pub qemu_log: PathBuf,
}

impl Files {
    /// Their names in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            console_socket: folder.join("console.sock"),
            console_log: folder.join("console.log"),
            monitor_socket: folder.join("monitor.sock"),
            variables: folder.join("uefi-variables.fd"),
            qemu_log: folder.join("qemu.log"),
        }
    }
}

/// How the host caches a box's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskCache {
    /// Not at all (`O_DIRECT`).
    None,
    /// In its page cache: a file system without `O_DIRECT`. A killed QEMU loses nothing by it.
    Writeback,
}

impl DiskCache {
    /// What the disk's file system allows.
    pub fn for_disk(disk: &Path) -> Self {
        // The same number on every architecture that QEMU's x86 boxes are run on.
        const O_DIRECT: i32 = 0x4000;
        match OpenOptions::new().read(true).custom_flags(O_DIRECT).open(disk) {
            Ok(_) => DiskCache::None,
            Err(_) => DiskCache::Writeback,
        }
    }

    /// QEMU's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            DiskCache::None => "none",
            DiskCache::Writeback => "writeback",
        }
    }
}

/// All arguments for one box. Whatever is not named here it does not have.
pub fn arguments(
    qemu: &Qemu,
    side: Side,
    config: &MachineConfig,
    files: &Files,
    socket: impl Fn(Nic) -> PathBuf,
) -> Vec<OsString> {
    let mut line = Line::default();
    line.pair("-name", format!("twinpost-{side}"));
    line.add("-nodefaults");
    line.pair("-display", "none");
    let (acceleration, processor) = match qemu.acceleration {
        Acceleration::Kvm => ("kvm", "host"),
        Acceleration::Tcg => ("tcg", "max"),
    };
    line.pair("-machine", format!("q35,accel={acceleration}"));
    line.pair("-cpu", processor);
    line.pair("-smp", config.processors.to_string());
    line.pair("-m", config.memory_mib.to_string());
    boot(&mut line, qemu, config, files);
    disk(&mut line, config);
    network(&mut line, "lan", Nic::lan(side), &socket);
    network(&mut line, "crossover", Nic::crossover(side), &socket);
    serial(&mut line, files);
    line.pair("-device", "virtio-rng-pci");
    if config.watchdog {
        line.pair("-device", "i6300esb");
        line.pair("-action", "watchdog=reset");
    }
    line.pair("-qmp", path_option("unix:", &files.monitor_socket, ",server=on,wait=off"));
    line.0
}

fn boot(line: &mut Line, qemu: &Qemu, config: &MachineConfig, files: &Files) {
    match (&config.boot, &qemu.firmware) {
        (Boot::Kernel { kernel, initrd, command_line }, _) => {
            line.pair("-kernel", kernel);
            if let Some(initrd) = initrd {
                line.pair("-initrd", initrd);
            }
            line.pair("-append", command_line);
        }
        (Boot::Disk, Some(firmware)) => {
            let flash = "if=pflash,format=raw,unit=";
            line.pair("-drive", file_option(&format!("{flash}0,readonly=on"), &firmware.code));
            line.pair("-drive", file_option(&format!("{flash}1"), &files.variables));
        }
        // Without firmware `Machine::new` has refused to boot from disk.
        (Boot::Disk, None) => {}
    }
}

fn disk(line: &mut Line, config: &MachineConfig) {
    let Some(disk) = &config.disk else { return };
    let cache = DiskCache::for_disk(disk).as_str();
    line.pair("-drive", file_option(&format!("if=none,id=disk,format=raw,cache={cache}"), disk));
    line.pair("-device", "virtio-blk-pci,drive=disk,bootindex=0");
}

/// One syntax for all versions since 7.2: what differs among them is only how to connect again, and
/// a box's socket never needs that, because the rack outlives it.
fn network(line: &mut Line, id: &str, nic: Nic, socket: &impl Fn(Nic) -> PathBuf) {
    let stream = format!("stream,id={id},server=off,addr.type=unix,addr.path=");
    line.pair("-netdev", path_option(&stream, &socket(nic), ""));
    // No option ROM: nobody boots from here, and looking for a server takes time.
    line.pair(
        "-device",
        format!("virtio-net-pci,netdev={id},id=nic-{id},mac={},romfile=", nic.mac()),
    );
}

fn serial(line: &mut Line, files: &Files) {
    let chardev = path_option(
        "socket,id=console,server=on,wait=off,logappend=on,path=",
        &files.console_socket,
        ",logfile=",
    );
    line.pair("-chardev", joined(chardev, &files.console_log));
    line.pair("-serial", "chardev:console");
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn add(&mut self, word: impl Into<OsString>) {
        self.0.push(word.into());
    }

    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.add(option);
        self.add(value);
    }
}

fn file_option(options: &str, path: &Path) -> OsString {
    path_option(&format!("{options},file="), path, "")
}

fn path_option(before: &str, path: &Path, after: &str) -> OsString {
    let mut option = joined(before.into(), path);
    option.push(after);
    option
}

/// A comma in a QEMU option is doubled to mean itself.
fn joined(before: OsString, path: &Path) -> OsString {
    let mut option = before;
    option.push(path.to_string_lossy().replace(',', ",,"));
    option
}

#[cfg(test)]
mod tests {
    use super::super::qemu::Firmware;
    use super::*;

    fn line(config: &MachineConfig) -> String {
        let qemu = Qemu {
            program: "qemu".into(),
            version: (7, 2),
            acceleration: Acceleration::Tcg,
            firmware: Some(Firmware { code: "/code".into(), variables: "/vars".into() }),
        };
        let files = Files::in_folder(Path::new("/rack/a"));
        arguments(&qemu, Side::A, config, &files, |nic| Path::new("/rack").join(nic.socket_name()))
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_box_has_its_two_ports_with_their_addresses() {
        let line = line(&MachineConfig::default());
        for part in [
            "-netdev stream,id=lan,server=off,addr.type=unix,addr.path=/rack/lan-a.sock",
            "virtio-net-pci,netdev=lan,id=nic-lan,mac=52:54:00:77:01:0a,romfile=",
            "-netdev stream,id=crossover,server=off,addr.type=unix,addr.path=/rack/crossover-a.sock",
            "-machine q35,accel=tcg -cpu max",
            "-m 512",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("no-reboot"), "a reboot must reboot");
    }

    #[test]
    fn direct_boot_takes_no_firmware_and_disk_boot_no_kernel() {
        let direct = MachineConfig {
            boot: Boot::Kernel {
                kernel: "/vmlinuz".into(),
                initrd: Some("/initrd".into()),
                command_line: "console=ttyS0".into(),
            },
            ..MachineConfig::default()
        };
        assert!(line(&direct).contains("-kernel /vmlinuz -initrd /initrd -append console=ttyS0"));
        assert!(!line(&direct).contains("pflash"));
        let disk = MachineConfig { disk: Some("/a,b.img".into()), ..MachineConfig::default() };
        assert!(line(&disk).contains("if=pflash,format=raw,unit=0,readonly=on,file=/code"));
        assert!(line(&disk).contains("file=/a,,b.img"));
        assert!(!line(&disk).contains("-kernel"));
    }
}
