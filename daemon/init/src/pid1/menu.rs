//! The console program on one terminal.

use std::time::Instant;

use crate::log::Log;
use crate::programs;
use crate::supervisor::{Input, Output, Supervisor};

pub struct Menu {
    /// `ttyS0`
    terminal: String,
    supervisor: Supervisor,
    pid: Option<u32>,
}

impl Menu {
    pub fn new(now: Instant, terminal: String) -> Menu {
        let mut supervisor = Supervisor::default();
        supervisor.handle(now, Input::Wanted);
        Menu { terminal, supervisor, pid: None }
    }

    pub fn turn(&mut self, now: Instant, log: &mut Log) {
        self.supervisor.handle(now, Input::Time);
        while let Some(Output::Start) = self.supervisor.poll() {
            match programs::start_console(&self.terminal) {
                Ok(running) => {
                    self.pid = Some(running.pid);
                    self.supervisor.handle(now, Input::Started);
                }
                // The board has no such terminal: it will not grow one.
                Err(linux::Error::Kernel { what, source }) if !what.starts_with("start ") => {
                    log.line("init", &format!("no menu on {}: {what}: {source}", self.terminal));
                    self.supervisor.handle(now, Input::Unwanted);
                }
                Err(error) => {
                    log.line("init", &error.to_string());
                    self.supervisor.handle(now, Input::Ended);
                }
            }
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.supervisor.deadline()
    }

    pub fn ended(&mut self, now: Instant) {
        self.pid = None;
        self.supervisor.handle(now, Input::Ended);
    }

    pub fn want_no_more(&mut self, now: Instant) {
        self.supervisor.handle(now, Input::Unwanted);
    }

    pub fn is(&self, pid: u32) -> bool {
        self.pid == Some(pid)
    }

    pub fn runs(&self) -> bool {
        self.pid.is_some()
    }
}
