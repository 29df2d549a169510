//! Signals as something to read, and the ends of child processes.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as Number, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::{Error, Result};

/// The signals that PID 1 cares about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A child ended.
    Child,
    /// Stop in order.
    Terminate,
    /// Ctrl-Alt-Del, as far as PID 1 is concerned.
    Interrupt,
    /// The power fails.
    Power,
    /// End at once: sent only.
    Kill,
}

/// Signals, blocked for this process and read from here.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks `signals` for this thread and those it starts from now on; programs started by
    /// [`crate::child::spawn`] get them unblocked.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn block(signals: &[Signal]) -> Result<Signals> {
        let mut set = SigSet::empty();
        for signal in signals {
            set.add(signal.number());
        }
        set.thread_block().map_err(|error| Error::kernel("block signals", error))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let descriptor =
            SignalFd::with_flags(&set, flags).map_err(|error| Error::kernel("signalfd", error))?;
        Ok(Signals { descriptor })
    }

    /// The next signal that came, if any.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn read(&self) -> Result<Option<Signal>> {
        loop {
            let Some(info) = self
                .descriptor
                .read_signal()
                .map_err(|error| Error::kernel("read a signal", error))?
            else {
                return Ok(None);
            };
            let known = [Signal::Child, Signal::Terminate, Signal::Interrupt, Signal::Power];
            let number = i32::try_from(info.ssi_signo).unwrap_or(0);
            if let Some(signal) = known.iter().find(|signal| signal.number() as i32 == number) {
                return Ok(Some(*signal));
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// Takes the next ended child off the kernel's list; `None` when no (more) child has ended.
///
/// # Errors
/// What the kernel says.
pub fn reap() -> Result<Option<(u32, Exit)>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => {
                return Ok(Some((pid.as_raw().unsigned_abs(), Exit::Code(code))));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Ok(Some((pid.as_raw().unsigned_abs(), Exit::Signal(signal as i32))));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Error::kernel("wait for children", error)),
        }
    }
}

/// Sends a signal to one process.
///
/// # Errors
/// [`Error::is_absent`] when it is gone.
pub fn send(pid: u32, signal: Signal) -> Result<()> {
    // 0 and negative numbers mean groups: a stray one must not reach anybody.
    let raw = i32::try_from(pid).ok().filter(|&raw| raw > 1).ok_or_else(|| Error::Unexpected {
        what: format!("send {signal:?}"),
        expected: "the id of one process",
        got: pid.to_string(),
    })?;
    kill(Pid::from_raw(raw), signal.number())
        .map_err(|error| Error::kernel(format!("send {signal:?} to {pid}"), error))
}

/// Sends a signal to every process but the caller, which must be PID 1: nobody else may mean it.
///
/// # Errors
/// When the caller is not PID 1. That nobody was left is no error.
pub fn send_to_all(signal: Signal) -> Result<()> {
    if std::process::id() != 1 {
        return Err(Error::Unexpected {
            what: "send a signal to all processes".into(),
            expected: "PID 1",
            got: std::process::id().to_string(),
        });
    }
    match kill(Pid::from_raw(-1), signal.number()) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(Error::kernel(format!("send {signal:?} to all"), error)),
    }
}

impl Signal {
    fn number(self) -> Number {
        match self {
            Signal::Child => Number::SIGCHLD,
            Signal::Terminate => Number::SIGTERM,
            Signal::Interrupt => Number::SIGINT,
            Signal::Power => Number::SIGPWR,
            Signal::Kill => Number::SIGKILL,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "ended with code {code}"),
            Exit::Signal(signal) => match Number::try_from(*signal) {
                Ok(name) => write!(f, "ended by {name}"),
                Err(_) => write!(f, "ended by signal {signal}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_is_hit() {
        assert!(send(0, Signal::Terminate).is_err());
        assert!(send(1, Signal::Terminate).is_err());
        assert!(send(u32::MAX, Signal::Terminate).is_err());
        assert!(send_to_all(Signal::Terminate).is_err(), "tests are not PID 1");
    }

    #[test]
    fn exits_read_well() {
        assert_eq!(Exit::Code(3).to_string(), "ended with code 3");
        assert_eq!(Exit::Signal(9).to_string(), "ended by SIGKILL");
    }
}
