//! What time it is.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::{Error, Result};

/// Since the kernel started, sleep included.
#[must_use]
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Seconds since the Unix epoch, as far as this box knows.
#[must_use]
pub fn unix_s() -> u64 {
    unix_ms() / 1000
}

/// Milliseconds since the Unix epoch, as far as this box knows.
#[must_use]
pub fn unix_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// Since the Unix epoch, as far as this box knows.
#[must_use]
pub fn since_epoch() -> Duration {
    clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default()
}

/// Sets the wall clock to `floor_unix_s` when it is behind that. True when it was.
///
/// # Errors
/// What the kernel says.
pub fn set_floor(floor_unix_s: u64) -> Result<bool> {
    if unix_s() >= floor_unix_s {
        return Ok(false);
    }
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from(Duration::from_secs(floor_unix_s)))
        .map_err(|error| Error::kernel(format!("set the clock to {floor_unix_s}"), error))?;
    Ok(true)
}

/// Sets the wall clock: a jump for everybody who looks at it.
///
/// # Errors
/// What the kernel says; [`Error::is_forbidden`] without CAP_SYS_TIME.
pub fn set(since_epoch: Duration) -> Result<()> {
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from(since_epoch))
        .map_err(|error| Error::kernel("set the clock", error))
}

/// Makes the wall clock run a little faster or slower until it has made up for `offset_us`
/// microseconds (about half a millisecond a second). A later call replaces what is left of it.
///
/// # Errors
/// As [`set`].
pub fn slew(offset_us: i32) -> Result<()> {
    // SAFETY: all fields are plain integers, for which zero is a value.
    let mut change: libc::timex = unsafe { std::mem::zeroed() };
    change.modes = libc::ADJ_OFFSET_SINGLESHOT;
    change.offset = offset_us.into();
    // SAFETY: `change` lives until the call returns.
    let done = unsafe { libc::adjtimex(&raw mut change) };
    if done < 0 { Err(Error::last("slew the clock")) } else { Ok(()) }
}

/// Writes the wall clock into the battery-backed one, in UTC.
///
/// # Errors
/// [`Error::is_absent`] on a board without one.
pub fn save_to_battery(device: &Path) -> Result<()> {
    let what = || format!("set the clock {}", device.display());
    let clock =
        OpenOptions::new().read(true).open(device).map_err(|error| Error::kernel(what(), error))?;
    let time = RtcTime::from(calendar(unix_s()));
    // SAFETY: the request takes a pointer to a `struct rtc_time`, which lives until it returns.
    let done = unsafe { libc::ioctl(clock.as_raw_fd(), RTC_SET_TIME, &raw const time) };
    if done < 0 { Err(Error::last(what())) } else { Ok(()) }
}

/// `struct rtc_time`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RtcTime {
    second: libc::c_int,
    minute: libc::c_int,
    hour: libc::c_int,
    day: libc::c_int,
    /// From 0.
    month: libc::c_int,
    /// From 1900.
    year: libc::c_int,
    /// The kernel works these out itself.
    unused: [libc::c_int; 3],
}

/// `_IOW('p', 0x0a, struct rtc_time)`
const RTC_SET_TIME: libc::Ioctl = 0x4024_700a;

impl From<[i32; 6]> for RtcTime {
    fn from([year, month, day, hour, minute, second]: [i32; 6]) -> RtcTime {
        RtcTime { second, minute, hour, day, month: month - 1, year: year - 1900, unused: [0; 3] }
    }
}

/// Year, month, day, hour, minute, second in UTC. The era arithmetic is Howard Hinnant's
/// `civil_from_days`.
fn calendar(unix_s: u64) -> [i32; 6] {
    let (days, of_day) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    [year, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60]
        .map(|number| i32::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_battery_backed_clock() {
        assert_eq!(calendar(0), [1970, 1, 1, 0, 0, 0]);
        assert_eq!(calendar(951_782_399), [2000, 2, 28, 23, 59, 59]);
        assert_eq!(calendar(951_782_400), [2000, 2, 29, 0, 0, 0]);
        assert_eq!(calendar(1_735_689_599), [2024, 12, 31, 23, 59, 59]);
        assert_eq!(calendar(4_107_542_400), [2100, 3, 1, 0, 0, 0]);
        let time = RtcTime::from(calendar(1_735_689_599));
        assert_eq!((time.year, time.month, time.day), (124, 11, 31));
        assert_eq!(size_of::<RtcTime>(), 0x24, "as the request's number says");
        assert!(save_to_battery(Path::new("/dev/no such clock")).unwrap_err().is_absent());
    }

    #[test]
    fn clocks_run() {
        assert!(since_boot() > Duration::ZERO);
        assert!(unix_s() > 1_700_000_000);
        assert!(!set_floor(1_700_000_000).unwrap(), "a floor in the past changes nothing");
    }
}
