//! What time it is.

use std::time::Duration;

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
    let now = clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run() {
        assert!(since_boot() > Duration::ZERO);
        assert!(unix_s() > 1_700_000_000);
        assert!(!set_floor(1_700_000_000).unwrap(), "a floor in the past changes nothing");
    }
}
