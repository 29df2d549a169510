//! The hardware watchdog: it restarts the box unless it is fed in time.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use nix::libc::c_int;

use crate::{Error, Result};

/// An armed watchdog. Dropping it leaves it armed: only [`Watchdog::disarm`] stops it.
#[derive(Debug)]
pub struct Watchdog {
    device: File,
}

impl Watchdog {
    /// Opens and thereby arms the watchdog.
    ///
    /// # Errors
    /// [`Error::is_absent`] when the board has none.
    pub fn open(path: &Path) -> Result<Watchdog> {
        let device = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(|error| Error::kernel(format!("open {}", path.display()), error))?;
        Ok(Watchdog { device })
    }

    /// Sets how long it waits for food and returns what the hardware made of that.
    ///
    /// # Errors
    /// What the driver says; some have a fixed time.
    pub fn set_timeout(&self, timeout: Duration) -> Result<Duration> {
        let mut seconds = c_int::try_from(timeout.as_secs()).unwrap_or(c_int::MAX);
        // SAFETY: the ioctl reads and writes one int, which `seconds` is; the device is open.
        unsafe { calls::set_timeout(self.device.as_raw_fd(), &raw mut seconds) }
            .map_err(|error| Error::kernel("set the watchdog's time", error))?;
        Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Feeds it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn feed(&self) -> Result<()> {
        // SAFETY: the ioctl takes no data from us.
        unsafe { calls::keep_alive(self.device.as_raw_fd(), std::ptr::null_mut()) }
            .map(drop)
            .map_err(|error| Error::kernel("feed the watchdog", error))
    }

    /// Stops it, where the driver lets us ("magic close").
    ///
    /// # Errors
    /// What the driver says.
    pub fn disarm(mut self) -> Result<()> {
        self.device.write_all(b"V").map_err(|error| Error::kernel("disarm the watchdog", error))
    }
}

/// `linux/watchdog.h`
mod calls {
    use nix::libc::c_int;

    nix::ioctl_read!(keep_alive, b'W', 5, c_int);
    nix::ioctl_readwrite!(set_timeout, b'W', 6, c_int);
}
