//! Maild as PID 1 holds it: its process, its output, its life.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use linux::signals::{self, Exit, Signal};

use crate::life::{self, Life};
use crate::limits::OUTPUT_READ_BYTES;
use crate::log::{Lines, Log};
use crate::programs;
use crate::supervisor::{self, Supervisor};

pub struct Maild {
    supervisor: Supervisor,
    life: Life,
    pid: Option<u32>,
    output: Option<File>,
    lines: Lines,
    log_filter: Option<String>,
    last_end: Option<Exit>,
}

impl Maild {
    pub fn new(now: Instant, can_serve: bool, log_filter: Option<String>) -> Maild {
        let mut maild = Maild {
            supervisor: Supervisor::default(),
            life: Life::new(now),
            pid: None,
            output: None,
            lines: Lines::default(),
            log_filter,
            last_end: None,
        };
        maild.want(now, can_serve);
        maild
    }

    pub fn want(&mut self, now: Instant, wanted: bool) {
        let input = if wanted { supervisor::Input::Wanted } else { supervisor::Input::Unwanted };
        self.supervisor.handle(now, input);
    }

    /// What maild itself says of its life.
    pub fn hear(&mut self, now: Instant, word: life::Input) {
        self.life.handle(now, word);
    }

    /// Starts and ends it as the state machines say.
    pub fn turn(&mut self, now: Instant, log: &mut Log) {
        self.supervisor.handle(now, supervisor::Input::Time);
        while let Some(supervisor::Output::Start) = self.supervisor.poll() {
            self.start(now, log);
        }
        self.life.handle(now, life::Input::Time);
        while let Some(life::Output::Kill) = self.life.poll() {
            log.line("init", "maild hangs; killing it");
            self.kill();
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        [self.supervisor.deadline(), self.life.deadline()].into_iter().flatten().min()
    }

    /// Its process has ended.
    pub fn ended(&mut self, now: Instant, exit: Exit, log: &mut Log) {
        self.read_output(log);
        if let Some(line) = self.lines.finish() {
            log.line("maild", &line);
        }
        self.output = None;
        self.pid = None;
        self.last_end = Some(exit);
        self.life.handle(now, life::Input::Ended);
        self.supervisor.handle(now, supervisor::Input::Ended);
        log.line("init", &format!("maild {exit}; {}", self.supervisor.describe(now)));
    }

    /// Copies what it has written into the log, a bounded piece at a time.
    pub fn read_output(&mut self, log: &mut Log) {
        let Some(output) = &mut self.output else { return };
        let mut bytes = [0; OUTPUT_READ_BYTES];
        match output.read(&mut bytes) {
            Ok(0) => self.output = None,
            Ok(length) => {
                for line in self.lines.push(&bytes[..length]) {
                    log.line("maild", &line);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.output = None,
        }
    }

    pub fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    pub fn is(&self, pid: u32) -> bool {
        self.pid == Some(pid)
    }

    pub fn runs(&self) -> bool {
        self.pid.is_some()
    }

    pub fn in_order(&self, now: Instant) -> bool {
        self.life.in_order(now)
    }

    pub fn kill(&self) {
        self.send(Signal::Kill);
    }

    pub fn terminate(&self) {
        self.send(Signal::Terminate);
    }

    /// For the owner: what it does now, and how it ended last.
    pub fn describe(&self, now: Instant) -> String {
        let state = self.supervisor.describe(now);
        match self.last_end {
            Some(exit) => format!("{state} (last time it {exit})"),
            None => state,
        }
    }

    fn start(&mut self, now: Instant, log: &mut Log) {
        match programs::start_maild(self.log_filter.as_deref()) {
            Ok(running) => {
                self.pid = Some(running.pid);
                self.output = running.output.map(File::from);
                self.supervisor.handle(now, supervisor::Input::Started);
                self.life.handle(now, life::Input::Started);
                log.line("init", &format!("maild started, process {}", running.pid));
            }
            Err(error) => {
                self.supervisor.handle(now, supervisor::Input::Ended);
                log.line("init", &format!("{error}; {}", self.supervisor.describe(now)));
            }
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // It may have ended just now: then there is nothing to be done.
            let _ = signals::send(pid, signal);
        }
    }
}
