//! What this workstation's QEMU is and can do.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::limits::KVM_PROBE_TIMEOUT;
use crate::{Error, Result};

/// The program and the firmware that boxes run on.
#[derive(Debug, Clone)]
pub struct Qemu {
    /// The program, found in `PATH`.
    pub program: PathBuf,
    /// Major and minor version.
    pub version: (u32, u32),
    /// How it runs a box's instructions.
    pub acceleration: Acceleration,
    /// UEFI for direct kernel boot is not needed, so it may be missing.
    pub firmware: Option<Firmware>,
}

/// How QEMU runs a box's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceleration {
    /// By the processor.
    Kvm,
    /// By translation: slow, and works everywhere.
    Tcg,
}

/// UEFI: the code, and an empty store for its variables.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// Mapped read-only.
    pub code: PathBuf,
    /// Copied for each box.
    pub variables: PathBuf,
}

impl std::fmt::Display for Qemu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.acceleration {
            Acceleration::Kvm => "KVM",
            Acceleration::Tcg => "TCG",
        };
        write!(f, "QEMU {}.{}, {how}", self.version.0, self.version.1)
    }
}

const PROGRAM: &str = "qemu-system-x86_64";
/// The first version whose network ports can be stream sockets.
const VERSION_MIN: (u32, u32) = (7, 2);
const FIRMWARE_FOLDERS: [&str; 2] = ["/usr/share/OVMF", "/usr/share/edk2/x64"];
const FIRMWARE_PAIRS: [(&str, &str); 3] = [
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
    ("OVMF_CODE.fd", "OVMF_VARS.fd"),
];

impl Qemu {
    /// Looks at this workstation, once per process.
    pub fn find() -> Result<Qemu> {
        static FOUND: OnceLock<Qemu> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.clone());
        }
        let found = Self::look()?;
        Ok(FOUND.get_or_init(|| found).clone())
    }

    fn look() -> Result<Qemu> {
        let program = find_program(PROGRAM)
            .ok_or(Error::Missing { what: PROGRAM.into(), package: "qemu-system-x86" })?;
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .map_err(|error| Error::io("run", &program, error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = parse_version(&text)
            .filter(|version| *version >= VERSION_MIN)
            .ok_or(Error::Qemu { expected: "version 7.2 or newer", got: text })?;
        let kvm = kvm_is_loaded() && kvm_works(&program);
        let acceleration = if kvm { Acceleration::Kvm } else { Acceleration::Tcg };
        Ok(Qemu { program, version, acceleration, firmware: find_firmware() })
    }
}

/// Where a program is, after `PATH` and the folders that a user's `PATH` may lack.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/sbin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// `QEMU emulator version 7.2.19 (Debian …)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (_, rest) = text.split_once("version ")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn find_firmware() -> Option<Firmware> {
    FIRMWARE_FOLDERS.iter().map(Path::new).find_map(|folder| {
        FIRMWARE_PAIRS
            .iter()
            .map(|(code, variables)| Firmware {
                code: folder.join(code),
                variables: folder.join(variables),
            })
            .find(|firmware| firmware.code.exists() && firmware.variables.exists())
    })
}

/// `/dev/kvm` alone proves nothing: nested machines have one that hangs.
fn kvm_is_loaded() -> bool {
    let loaded = ["kvm_intel", "kvm_amd"]
        .iter()
        .any(|module| Path::new("/sys/module").join(module).exists());
    loaded && OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

/// Lets the processor run QEMU's BIOS until its first line on the debug port.
fn kvm_works(program: &Path) -> bool {
    let child = Command::new(program)
        .args(["-machine", "q35,accel=kvm", "-cpu", "host", "-m", "64", "-nodefaults"])
        .args(["-display", "none", "-chardev", "stdio,id=debug"])
        .args(["-device", "isa-debugcon,iobase=0x402,chardev=debug"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let works = says_something(&mut child, KVM_PROBE_TIMEOUT);
    // It has done its duty or never will.
    _ = child.kill();
    _ = child.wait();
    works
}

fn says_something(child: &mut Child, limit: Duration) -> bool {
    let Some(mut output) = child.stdout.take() else { return false };
    let (sender, receiver) = std::sync::mpsc::channel();
    let start = Instant::now();
    std::thread::spawn(move || {
        let mut byte = [0];
        // Nobody waits any more when this fails.
        _ = sender.send(matches!(output.read(&mut byte), Ok(1)));
    });
    receiver.recv_timeout(limit.saturating_sub(start.elapsed())).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_debian_prints_them() {
        for (text, expect) in [
            (
                "QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u16)\nCopyright",
                Some((7, 2)),
            ),
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)", Some((10, 0))),
            ("qemu: not found", None),
        ] {
            assert_eq!(parse_version(text), expect);
        }
    }
}
