//! The guard: a thread of its own, before all ordinary ones, that takes the service addresses off the
//! LAN port when the failover loop has not turned for ⅔ of `dead_after` (a hung disk, a starved
//! processor). So this box stops answering for them before its peer takes them. When the loop turns
//! again it asks [`Pulse::took_off`]: `failover` measures the pause by itself, but from another moment on, and must not
//! believe that it holds what is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use linux::net::{Address, Netlink};

/// Above every ordinary thread, below the kernel's own.
const PRIORITY: u8 = 10;
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// What the watched loop holds: it says that it turned.
#[derive(Clone, Default)]
pub struct Pulse(Arc<Shared>);

#[derive(Default)]
struct Shared {
    turned_ms: AtomicU64,
    took_off: AtomicBool,
}

impl Pulse {
    pub fn beat(&self) {
        self.0.turned_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// The guard has taken the addresses off the port since this was last asked.
    #[must_use]
    pub fn took_off(&self) -> bool {
        self.0.took_off.swap(false, Ordering::AcqRel)
    }

    fn take_off(&self) {
        self.0.took_off.store(true, Ordering::Release);
    }

    fn silent_ms(&self) -> u64 {
        now_ms().saturating_sub(self.0.turned_ms.load(Ordering::Relaxed))
    }
}

/// A loop that has not turned for this long answers for no address any more.
#[must_use]
pub fn patience(dead_after: Duration) -> Duration {
    dead_after * 2 / 3
}

/// Watches until the program ends.
///
/// # Errors
/// When the thread cannot be started or cannot talk to the kernel.
pub fn start(
    pulse: Pulse,
    port: u32,
    addresses: Vec<Address>,
    dead_after: Duration,
) -> anyhow::Result<()> {
    let mut netlink = Netlink::open()?;
    let limit_ms = patience(dead_after).as_millis() as u64;
    pulse.beat();
    std::thread::Builder::new().name("guard".into()).spawn(move || {
        if let Err(error) = linux::scheduling::run_in_real_time(PRIORITY) {
            tracing::warn!(%error, "the guard runs as an ordinary thread");
        }
        let mut taken_off = false;
        loop {
            std::thread::sleep(LOOK);
            let silent_ms = pulse.silent_ms();
            if silent_ms < limit_ms {
                taken_off = false;
            } else if !taken_off {
                for address in &addresses {
                    // Not there is what is wanted.
                    let _ = netlink.remove_address(port, *address);
                }
                // Behind the last removal: what the loop puts there after it asked stays there.
                pulse.take_off();
                taken_off = true;
                tracing::error!(silent_ms, "the failover loop stands still: addresses taken off");
            }
        }
    })?;
    Ok(())
}

fn now_ms() -> u64 {
    linux::clock::since_boot().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_counted_from_the_last_beat() {
        let pulse = Pulse::default();
        assert!(pulse.silent_ms() > 0);
        pulse.beat();
        assert!(pulse.silent_ms() < 60_000);
    }

    #[test]
    fn that_addresses_were_taken_off_is_told_once() {
        let (pulse, guard) = (Pulse::default(), Pulse::default());
        assert!(!pulse.took_off());
        let same = pulse.clone();
        same.take_off();
        assert!(pulse.took_off() && !pulse.took_off() && !guard.took_off());
    }
}
