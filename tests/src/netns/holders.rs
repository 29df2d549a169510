//! Who holds which service address, from moment to moment: what the kernels of both boxes say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use control::Side;
use linux::net::Netlink;

use super::station::Station;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(4);

/// Looks for as long as it lives.
pub struct Holders {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    changes: Mutex<Vec<Change>>,
}

/// A box got an address or lost it.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub at: Instant,
    pub holder: Side,
    pub address: Side,
    pub held: bool,
}

impl Holders {
    pub(super) fn watch(stations: &[Station; 2]) -> Result<Holders> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        for (holder, station) in [Side::A, Side::B].into_iter().zip(stations) {
            let (shared, lan, service) = (shared.clone(), station.lan().index, station.service());
            threads.push(station.room.spawn(move || {
                let Ok(mut netlink) = Netlink::open() else { return };
                let mut held = [false; 2];
                while !shared.stop.load(Ordering::Relaxed) {
                    let Ok(found) = netlink.addresses(lan) else { return };
                    let at = Instant::now();
                    for (address, service) in service {
                        let is = found.iter().any(|found| found.address == service);
                        if held[address as usize] != is {
                            held[address as usize] = is;
                            let change = Change { at, holder, address, held: is };
                            shared.changes.lock().expect("nobody panics").push(change);
                        }
                    }
                    std::thread::sleep(LOOK);
                }
            })?);
        }
        Ok(Holders { shared, threads })
    }

    /// Who holds the address now.
    #[must_use]
    pub fn now(&self, address: Side) -> Vec<Side> {
        let mut holders = Vec::new();
        for change in self.since(None).iter().filter(|change| change.address == address) {
            holders.retain(|side| *side != change.holder);
            if change.held {
                holders.push(change.holder);
            }
        }
        holders.sort();
        holders
    }

    /// What has changed since then, in the order of time.
    #[must_use]
    pub fn since(&self, from: Option<Instant>) -> Vec<Change> {
        let mut changes = self.shared.changes.lock().expect("nobody panics").clone();
        changes.retain(|change| from.is_none_or(|from| change.at >= from));
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// The longest time after `from` for which both boxes held the address.
    #[must_use]
    pub fn held_by_two(&self, address: Side, from: Instant) -> Duration {
        let mut held = [false; 2];
        let (mut since, mut longest) = (None, Duration::ZERO);
        let mut end = |at: Instant, since: &mut Option<Instant>| {
            if let Some(begun) = since.take() {
                longest = longest.max(at.saturating_duration_since(from.max(begun)));
            }
        };
        for change in self.since(None).iter().filter(|change| change.address == address) {
            held[change.holder as usize] = change.held;
            if held == [true; 2] {
                since = Some(change.at);
            } else {
                end(change.at, &mut since);
            }
        }
        end(Instant::now(), &mut since);
        longest
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}
