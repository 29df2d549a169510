//! The start of the box, one step after the other, as far as it goes.
//!
//! No step's failure stops the others: a box without a disk still shows on its console what it
//! lacks, and can be restarted from there.

use std::os::unix::fs::chown;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use control::paths;
use control::site::{Serial, Site};
use linux::signals::{Signal, Signals};

use crate::command_line::{self, CommandLine};
use crate::limits::PROBLEMS_MAX;
use crate::log::Log;
use crate::network::ServiceAddresses;
use crate::socket::Socket;
use crate::watchdog::Watchdog;
use crate::{clock, modules, mounts, network, settings, storage};

/// What the loop goes on with.
#[derive(Debug)]
pub struct Started {
    pub log: Log,
    pub command_line: CommandLine,
    pub version: String,
    pub signals: Option<Signals>,
    pub watchdog: Watchdog,
    pub socket: Option<Socket>,
    pub site: Option<Site>,
    pub addresses: ServiceAddresses,
    /// Maild can be started: there is a site and a disk.
    pub can_serve: bool,
    /// For the owner.
    pub problems: Vec<String>,
}

/// Everything up to the first program.
#[must_use]
pub fn start() -> Started {
    // Before there is a second thread: the kernel would hand it the signals, and they would be
    // lost.
    let wanted = [Signal::Child, Signal::Terminate, Signal::Interrupt, Signal::Power];
    let signals = Signals::block(&wanted);
    // The log's writer opens the console when it starts: not before there is a /dev.
    let mut before = Log::in_memory();
    mounts::mount_early(&mut before);
    let mut log = Log::to_console();
    for line in before.ring().newest(usize::MAX) {
        log.line("init", line);
    }
    let version = settings::version(Path::new(paths::VERSION_FILE));
    log.line("init", &format!("twinpost {version}"));
    let mut problems = Problems::default();
    let signals = problems.note(signals.map_err(anyhow::Error::from), &mut log);

    let text = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let command_line = command_line::parse(&text);
    for word in &command_line.unknown {
        log.line("init", &format!("the kernel's command line: {word} means nothing here"));
    }
    if let Err(error) = linux::power::ctrl_alt_del_asks_init() {
        log.line("init", &error.to_string());
    }
    settings::apply(&mut log);
    modules::load_all(Path::new(paths::MODULES_LIST), &mut log);
    let watchdog = Watchdog::arm(Instant::now(), &mut log);
    clock::not_before(Path::new(paths::BUILD_TIME_FILE), "image's build time", &mut log);
    problems.note(storage::make_run_folder(), &mut log);
    let socket = Socket::listen(Path::new(paths::INIT_SOCKET), Some(paths::MAILD_GID));
    let socket = problems.note(socket, &mut log);

    let (site, has_data) = start_disk(&mut problems, &mut log);
    if has_data {
        clock::not_before(Path::new(paths::DATA_CLOCK), "time of the last run", &mut log);
    }
    if let Some(serial) = site.as_ref().and_then(|site| site.serial.as_ref()) {
        problems.note(give_serial(serial, &command_line), &mut log);
    }
    let mut addresses = ServiceAddresses::default();
    if let Some(site) = &site {
        if let Err(error) = linux::host::set_hostname(&site.hostname) {
            log.line("init", &error.to_string());
        }
        let complaints;
        (addresses, complaints) = network::set_up(site, &mut log);
        for complaint in complaints {
            problems.add(complaint, &mut log);
        }
    }
    let can_serve = site.is_some() && has_data;
    let problems = problems.list;
    Started {
        log,
        command_line,
        version,
        signals,
        watchdog,
        socket,
        site,
        addresses,
        can_serve,
        problems,
    }
}

/// Lets maild use the port of the null-modem cable.
fn give_serial(serial: &Serial, command_line: &CommandLine) -> anyhow::Result<()> {
    let name = serial.device.trim_start_matches("/dev/");
    anyhow::ensure!(
        !command_line::terminals(command_line).iter().any(|terminal| terminal == name),
        "{name} is a console and cannot carry heartbeats: the site file's serial.device"
    );
    chown(&serial.device, Some(paths::MAILD_UID), Some(paths::MAILD_GID))
        .with_context(|| format!("the serial port {}", serial.device))
}

/// The site file, if it could be read, and whether the data disk is mounted.
fn start_disk(problems: &mut Problems, log: &mut Log) -> (Option<Site>, bool) {
    let found = storage::find(log);
    let Some(partitions) = problems.note(found, log) else { return (None, false) };
    log.line("init", &format!("disk {}", partitions.data.disk.display()));
    let site = problems.note(storage::read_site(&partitions.esp), log);
    let grown = storage::grow_partition(&partitions.data, log);
    let length = match grown {
        Ok(length) => Some(length),
        Err(error) => {
            log.line("init", &format!("the data partition stays as it is: {error:#}"));
            None
        }
    };
    let mounted = storage::mount_data(&partitions.data, length, log);
    (site, problems.note(mounted, log).is_some())
}

/// What the owner must know, in the order it came up.
#[derive(Debug, Default)]
struct Problems {
    list: Vec<String>,
}

impl Problems {
    fn note<T>(&mut self, result: anyhow::Result<T>, log: &mut Log) -> Option<T> {
        result.map_err(|error| self.add(format!("{error:#}"), log)).ok()
    }

    fn add(&mut self, problem: String, log: &mut Log) {
        log.line("init", &format!("problem: {problem}"));
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(problem);
        }
    }
}
