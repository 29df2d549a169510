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

/// Makes the calling thread run, and read and write the disk, only when nobody else wants to, as far as
/// the kernel goes along: it is a wish, and nothing depends on it.
pub fn stand_back() {
    const CLASS_IDLE: libc::c_long = 3;
    const CLASS_SHIFT: libc::c_long = 13;
    const WHO_PROCESS: libc::c_long = 1;
    const NICEST: libc::c_int = 19;
    // SAFETY: these take only numbers; on Linux, 0 names the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICEST);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0_i64, CLASS_IDLE << CLASS_SHIFT);
    }
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
