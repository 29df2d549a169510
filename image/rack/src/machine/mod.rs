//! A box: one QEMU process with two network ports in the rack, a disk and a serial console.

mod command;
mod console;
mod monitor;
mod process;
mod qemu;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use self::command::DiskCache;
use self::command::Files;
pub use self::console::Console;
use self::monitor::Request;
use self::process::Process;
pub use self::qemu::{Acceleration, Firmware, Qemu};
use crate::limits::MONITOR_TIMEOUT;
use crate::names::Side;
use crate::{Error, Rack, Result};

/// What hardware a box has.
#[derive(Debug, Clone)]
pub struct MachineConfig {
    /// Its disk, a raw image that it writes to.
    pub disk: Option<PathBuf>,
    /// Its memory.
    pub memory_mib: u32,
    /// Its processors.
    pub processors: u32,
    /// Whether it has a hardware watchdog (i6300esb), which resets it.
    pub watchdog: bool,
    /// What it starts.
    pub boot: Boot,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self { disk: None, memory_mib: 512, processors: 1, watchdog: true, boot: Boot::Disk }
    }
}

/// What a box starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// UEFI, then what it finds on the disk.
    Disk,
    /// A kernel, at once: for tests that are not about booting.
    Kernel {
        /// The kernel.
        kernel: PathBuf,
        /// Its initramfs.
        initrd: Option<PathBuf>,
        /// Its command line.
        command_line: String,
    },
}

/// One box's place in the rack. It is off at first; dropping it cuts its power.
#[derive(Debug)]
pub struct Machine {
    side: Side,
    config: MachineConfig,
    qemu: Qemu,
    files: Files,
    arguments: Vec<OsString>,
    process: Option<Process>,
}

impl Machine {
    /// Prepares a box. Its UEFI variables live as long as the rack, over any number of power cuts.
    pub fn new(rack: &Rack, side: Side, config: MachineConfig) -> Result<Machine> {
        let qemu = Qemu::find()?;
        let folder = rack.folder().join(format!("box-{side}"));
        fs::create_dir_all(&folder).map_err(|error| Error::io("make", &folder, error))?;
        let files = Files::in_folder(&folder);
        if config.boot == Boot::Disk {
            let firmware = qemu
                .firmware
                .as_ref()
                .ok_or(Error::Missing { what: "UEFI for QEMU (OVMF)".into(), package: "ovmf" })?;
            copy_variables(&firmware.variables, &files.variables)?;
        }
        let arguments = command::arguments(&qemu, side, &config, &files, |nic| rack.socket(nic));
        Ok(Machine { side, config, qemu, files, arguments, process: None })
    }

    /// Which side it is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// What runs it.
    pub fn qemu(&self) -> &Qemu {
        &self.qemu
    }

    /// How the host caches its disk.
    pub fn disk_cache(&self) -> Option<DiskCache> {
        self.config.disk.as_deref().map(DiskCache::for_disk)
    }

    /// Turns it on. Gives the moment it got power.
    pub fn power_on(&mut self) -> Result<Instant> {
        if self.is_on() {
            return Err(Error::On(self.side));
        }
        // Left by a killed QEMU; a new one waits for nobody.
        _ = fs::remove_file(&self.files.monitor_socket);
        _ = fs::remove_file(&self.files.console_socket);
        let moment = Instant::now();
        let arguments = self.arguments.clone();
        let process = Process::start(&self.qemu.program, arguments, &self.files.qemu_log)
            .map_err(|error| Error::io("start", &self.qemu.program, error))?;
        self.process = Some(process);
        self.wait_for_monitor()?;
        Ok(moment)
    }

    /// Cuts its power: SIGKILL. Gives the moment it happened.
    pub fn power_cut(&mut self) -> Result<Instant> {
        let process = self.process.take().ok_or(Error::Off(self.side))?;
        process.kill().map_err(|error| Error::io("kill", &self.qemu.program, error))
    }

    /// Whether it runs: it may also have turned itself off, or been killed by somebody else.
    pub fn is_on(&mut self) -> bool {
        let ended = match &mut self.process {
            None => return false,
            Some(process) => !matches!(process.ended(), Ok(None)),
        };
        if ended {
            self.process = None;
        }
        !ended
    }

    /// The number of its QEMU process.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// What its QEMU takes of this workstation's memory: at least what the box has ever touched.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Where everything that its serial console has said is written.
    pub fn console_log(&self) -> &Path {
        &self.files.console_log
    }

    /// Connects to its serial console.
    pub fn console(&self) -> Result<Console> {
        Console::connect(&self.files.console_socket)
    }

    /// Pulls or plugs its LAN cable: unlike with [`Rack::cut`] the box sees its carrier go.
    pub fn set_lan_carrier(&self, up: bool) -> Result<()> {
        self.ask(Request::SetLink { nic: "nic-lan", up })
    }

    /// Pulls or plugs its end of the crossover.
    pub fn set_crossover_carrier(&self, up: bool) -> Result<()> {
        self.ask(Request::SetLink { nic: "nic-crossover", up })
    }

    /// Stops it in the middle of whatever it does, while time goes on outside.
    pub fn pause(&self) -> Result<()> {
        self.ask(Request::Stop)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.ask(Request::Continue)
    }

    /// Presses its power button.
    pub fn press_power_button(&self) -> Result<()> {
        self.ask(Request::PowerButton)
    }

    fn ask(&self, request: Request) -> Result<()> {
        if self.process.is_none() {
            return Err(Error::Off(self.side));
        }
        monitor::execute(&self.files.monitor_socket, request)
    }

    /// A QEMU that dislikes its command line ends at once, and its last words say why.
    fn wait_for_monitor(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.files.monitor_socket.exists() {
            if !self.is_on() {
                let log = fs::read_to_string(&self.files.qemu_log).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default().to_owned();
                return Err(Error::Qemu { expected: "it to start", got: last });
            }
            if start.elapsed() > MONITOR_TIMEOUT {
                let what = format!("QEMU of box {} to start", self.side);
                return Err(Error::Late { what, waited: MONITOR_TIMEOUT });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn copy_variables(empty: &Path, own: &Path) -> Result<()> {
    if own.exists() {
        return Ok(());
    }
    // Not `fs::copy`: the package's file is read-only, and so would be the copy.
    let bytes = fs::read(empty).map_err(|error| Error::io("read", empty, error))?;
    fs::write(own, bytes).map_err(|error| Error::io("write", own, error))
}
