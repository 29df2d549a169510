//! How much the machine itself stood still: a box that was starved by it, or whose disk was, is no witness against the
//! program.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

const NAP: Duration = Duration::from_millis(10);
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// Watches for as long as it lives.
pub struct Weather {
    shared: Arc<Shared>,
    napping: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    late_us: AtomicU64,
    sync_us: AtomicU64,
}

/// The worst since the last look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worst {
    /// An ordinary thread woke so much later than it had asked for.
    pub late: Duration,
    /// An `fdatasync` of a few bytes took so long.
    pub sync: Duration,
}

impl Weather {
    /// On these disks.
    ///
    /// # Errors
    /// When one takes no file.
    pub fn watch(disks: [PathBuf; 2]) -> Result<Weather> {
        let shared = Arc::new(Shared::default());
        for disk in disks {
            let mut file = File::create(disk.join("weather"))?;
            let syncing = shared.clone();
            // Not waited for in the end: its disk may be frozen.
            thread::spawn(move || {
                while !syncing.stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    // A disk that refuses is the boxes' trouble, not the weather.
                    let _ = file.write_all(b"weather").and_then(|()| file.sync_data());
                    note(&syncing.sync_us, begun.elapsed());
                    thread::sleep(SYNC_EVERY);
                }
            });
        }
        let napping = shared.clone();
        let napping = thread::spawn(move || {
            while !napping.stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                thread::sleep(NAP);
                note(&napping.late_us, begun.elapsed().saturating_sub(NAP));
            }
        });
        Ok(Weather { shared, napping: Some(napping) })
    }

    /// Begins anew from here.
    #[must_use]
    pub fn take(&self) -> Worst {
        let take = |worst: &AtomicU64| Duration::from_micros(worst.swap(0, Ordering::Relaxed));
        Worst { late: take(&self.shared.late_us), sync: take(&self.shared.sync_us) }
    }
}

impl Worst {
    /// Whether it explains silences of this length.
    #[must_use]
    pub fn explains(&self, silence: Duration) -> bool {
        self.late > silence / 4 || self.sync > silence / 2
    }

    /// Whether it explains that a box was late to let an address go.
    #[must_use]
    pub fn delays(&self, time: Duration) -> bool {
        self.late > time / 4
    }

    #[must_use]
    pub fn and(self, other: Worst) -> Worst {
        Worst { late: self.late.max(other.late), sync: self.sync.max(other.sync) }
    }
}

impl Drop for Weather {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(napping) = self.napping.take() {
            // One that panicked has said so already.
            let _ = napping.join();
        }
    }
}

fn note(worst: &AtomicU64, took: Duration) {
    worst.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
}
