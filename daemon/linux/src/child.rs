//! Starting programs with exactly the rights they need.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::libc;

use crate::{Error, Result};

/// A program to be started.
#[derive(Debug)]
pub struct Program<'a> {
    pub path: &'a str,
    pub arguments: &'a [&'a str],
    /// The whole environment.
    pub environment: &'a [(&'a str, &'a str)],
    /// `None`: as this process.
    pub identity: Option<Identity<'a>>,
    pub limits: Limits,
    pub output: Output,
}

/// Who a program runs as: one user and group, no other groups, these capabilities and no way to get
/// more.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub uid: u32,
    pub gid: u32,
    pub capabilities: &'a [Capability],
}

/// `linux/capability.h`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    NetBindService = 10,
    NetAdmin = 12,
    NetRaw = 13,
}

/// Resource limits; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub open_files: Option<u64>,
    /// The highest real-time priority that it may give its threads.
    pub realtime_priority: Option<u64>,
    pub locked_bytes: Option<u64>,
}

/// Where its input comes from and its output goes.
#[derive(Debug)]
pub enum Output {
    /// No input; output and errors into a pipe that the caller reads.
    Pipe,
    /// All three are this terminal, which becomes its controlling terminal.
    Terminal(File),
}

/// A program that runs. Its end is told by [`crate::signals::reap`].
#[derive(Debug)]
pub struct Running {
    pub pid: u32,
    /// The end to read from, for [`Output::Pipe`]; non-blocking.
    pub output: Option<OwnedFd>,
}

/// Starts a program in a session of its own, with no signal blocked and no core dumps.
///
/// # Errors
/// That it cannot be executed, or that a right could not be set: then it does not run at all.
pub fn spawn(program: Program<'_>) -> Result<Running> {
    let what = format!("start {}", program.path);
    let failed = |error: io::Error| Error::kernel(what.clone(), error);
    let mut command = Command::new(program.path);
    command.args(program.arguments).env_clear();
    command.envs(program.environment.iter().map(|(k, v)| (OsStr::new(k), OsStr::new(v))));
    command.current_dir("/");
    let mut output = None;
    let is_terminal = matches!(program.output, Output::Terminal(_));
    match program.output {
        Output::Pipe => {
            let (reader, writer) = io::pipe().map_err(failed)?;
            command.stdin(Stdio::null());
            command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
            let reader = OwnedFd::from(reader);
            set_non_blocking(&reader).map_err(failed)?;
            output = Some(reader);
        }
        Output::Terminal(terminal) => {
            command.stdin(terminal.try_clone().map_err(failed)?);
            command.stdout(terminal.try_clone().map_err(failed)?).stderr(terminal);
        }
    }
    let rights = Rights::new(program.identity, program.limits, is_terminal);
    // SAFETY: between fork and exec the closure makes plain system calls on data prepared above; it
    // neither allocates nor takes a lock.
    unsafe { command.pre_exec(move || rights.take()) };
    let child = command.spawn().map_err(failed)?;
    Ok(Running { pid: child.id(), output })
}

fn set_non_blocking(descriptor: &OwnedFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_truncate(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Everything that happens between fork and exec, prepared so that nothing is allocated there.
#[derive(Clone, Copy)]
struct Rights {
    identity: Option<(libc::uid_t, libc::gid_t)>,
    /// One bit for each capability that is kept.
    capabilities: u64,
    limits: Limits,
    is_terminal: bool,
}

impl Rights {
    fn new(identity: Option<Identity<'_>>, limits: Limits, is_terminal: bool) -> Rights {
        let capabilities = identity
            .iter()
            .flat_map(|identity| identity.capabilities)
            .fold(0, |set, &capability| set | 1 << capability as u8);
        Rights {
            identity: identity.map(|identity| (identity.uid, identity.gid)),
            capabilities,
            limits,
            is_terminal,
        }
    }

    /// Runs in the child.
    fn take(&self) -> io::Result<()> {
        unblock_signals()?;
        // SAFETY: no arguments.
        check(unsafe { libc::setsid() }.into())?;
        if self.is_terminal {
            // SAFETY: standard input is the terminal; the argument is a plain number.
            check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 1) }.into())?;
        }
        limit(libc::RLIMIT_CORE, Some(0))?;
        limit(libc::RLIMIT_NOFILE, self.limits.open_files)?;
        limit(libc::RLIMIT_RTPRIO, self.limits.realtime_priority)?;
        limit(libc::RLIMIT_MEMLOCK, self.limits.locked_bytes)?;
        if let Some((uid, gid)) = self.identity {
            self.become_user(uid, gid)?;
        }
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
    }

    /// The order matters: the bounding set is cut while we may, the permitted set is carried over
    /// the change of user, and only then made ambient so that it survives exec.
    fn become_user(&self, uid: libc::uid_t, gid: libc::gid_t) -> io::Result<()> {
        for capability in 0..u64::BITS {
            if self.capabilities & 1 << capability == 0
                && prctl(libc::PR_CAPBSET_DROP, capability.into(), 0).is_err()
            {
                break; // past the last one that this kernel knows
            }
        }
        prctl(libc::PR_SET_KEEPCAPS, 1, 0)?;
        // The raw calls: the C library's versions also signal threads, which a forked child has
        // not. SAFETY: plain numbers, and an empty list that is not read.
        check(unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) })?;
        // SAFETY: plain numbers.
        check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
        // SAFETY: plain numbers.
        check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })?;
        self.set_capabilities()?;
        for capability in 0..u64::BITS {
            if self.capabilities & 1 << capability != 0 {
                prctl(libc::PR_CAP_AMBIENT, AMBIENT_RAISE, capability.into())?;
            }
        }
        Ok(())
    }

    fn set_capabilities(&self) -> io::Result<()> {
        /// `_LINUX_CAPABILITY_VERSION_3`
        const VERSION: u32 = 0x2008_0522;
        #[repr(C)]
        struct Header {
            version: u32,
            pid: libc::c_int,
        }
        #[repr(C)]
        struct Half {
            effective: u32,
            permitted: u32,
            inheritable: u32,
        }
        let header = Header { version: VERSION, pid: 0 };
        let half = |bits: u32| Half { effective: bits, permitted: bits, inheritable: bits };
        let low = u32::try_from(self.capabilities & u64::from(u32::MAX)).unwrap_or(0);
        let high = u32::try_from(self.capabilities >> 32).unwrap_or(0);
        let data = [half(low), half(high)];
        // SAFETY: header and data are laid out as version 3 asks and live until the call returns.
        check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })
    }
}

const AMBIENT_RAISE: u64 = libc::PR_CAP_AMBIENT_RAISE as u64;

fn prctl(option: libc::c_int, first: u64, second: u64) -> io::Result<()> {
    // SAFETY: the options used here take plain numbers.
    check(unsafe { libc::prctl(option, first, second, 0, 0) }.into())
}

/// A blocked signal stays blocked across exec, and few programs expect that.
fn unblock_signals() -> io::Result<()> {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call fills the set, the second reads it.
    unsafe {
        check(libc::sigemptyset(none.as_mut_ptr()).into())?;
        check(libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()).into())
    }
}

fn limit(resource: libc::__rlimit_resource_t, value: Option<u64>) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `limit` lives until the call returns.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }.into())
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
