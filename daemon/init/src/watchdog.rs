//! The hardware watchdog, where the board has one.

use std::path::Path;
use std::time::Instant;

use linux::watchdog::Watchdog as Device;

use crate::limits::{WATCHDOG_FEED_EVERY, WATCHDOG_START_TIMEOUT, WATCHDOG_TIMEOUT};
use crate::log::Log;

/// A watchdog that may be absent.
#[derive(Debug)]
pub struct Watchdog {
    device: Option<Device>,
    feed_at: Instant,
}

impl Watchdog {
    /// Arms it with the time that a start may take.
    pub fn arm(now: Instant, log: &mut Log) -> Watchdog {
        let device = match Device::open(Path::new("/dev/watchdog")) {
            Ok(device) => Some(device),
            Err(error) if error.is_absent() => None,
            Err(error) => {
                log.line("init", &error.to_string());
                None
            }
        };
        if let Some(device) = &device {
            let _ = device.set_timeout(WATCHDOG_START_TIMEOUT);
            let _ = device.feed();
        }
        Watchdog { device, feed_at: now }
    }

    /// From here on the box runs: a shorter time.
    pub fn started(&mut self, log: &mut Log) {
        let Some(device) = &self.device else {
            return log.line("init", "no hardware watchdog: a hung kernel would stay hung");
        };
        match device.set_timeout(WATCHDOG_TIMEOUT) {
            Ok(timeout) => {
                log.line("init", &format!("hardware watchdog armed, {} s", timeout.as_secs()));
            }
            Err(error) => log.line("init", &format!("hardware watchdog armed; {error}")),
        }
    }

    /// Feeds it when it is time, if `in_order`.
    pub fn turn(&mut self, now: Instant, in_order: bool) {
        if now < self.feed_at {
            return;
        }
        self.feed_at = now + WATCHDOG_FEED_EVERY;
        if in_order && let Some(device) = &self.device {
            // When the driver refuses, the reset that follows is what the watchdog is for.
            let _ = device.feed();
        }
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.device.as_ref().map(|_| self.feed_at)
    }

    /// Before power off: it must not start the box again.
    pub fn disarm(&mut self) {
        if let Some(device) = self.device.take() {
            let _ = device.disarm();
        }
    }
}
