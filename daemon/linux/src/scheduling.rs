//! Being on time on a busy box.

use nix::libc;

use crate::{Error, Result};

/// Makes the calling thread run before all ordinary ones (SCHED_FIFO). Priorities go from 1 to 99;
/// a program without privileges gets as far as its `RLIMIT_RTPRIO`, which init sets for maild.
///
/// # Errors
/// [`Error::is_forbidden`] without that limit.
pub fn run_in_real_time(priority: u8) -> Result<()> {
    // SAFETY: all fields are plain integers, for which zero is a value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = i32::from(priority);
    // SAFETY: 0 names the calling thread; `parameters` lives until the call returns.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if done == 0 { Ok(()) } else { Err(Error::last("become a real-time thread")) }
}

/// Keeps all memory of this process, now and later, from being pushed out.
///
/// # Errors
/// [`Error::is_forbidden`] when `RLIMIT_MEMLOCK` does not allow it.
pub fn lock_memory() -> Result<()> {
    // SAFETY: takes only flags.
    let done = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    if done == 0 { Ok(()) } else { Err(Error::last("lock memory")) }
}
