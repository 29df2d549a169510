//! How much the machine itself stood still: a box that was starved by it, or whose disk was, is no witness against the
//! program.

use std::fs::File;
use std::io::Write;
use std::path::Path;
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
    threads: Vec<JoinHandle<()>>,
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
    /// # Errors
    /// When the folder takes no file.
    pub fn watch(folder: &Path) -> Result<Weather> {
        let shared = Arc::new(Shared::default());
        let mut file = File::create(folder.join("weather"))?;
        let (napping, syncing) = (shared.clone(), shared.clone());
        let threads = vec![
            thread::spawn(move || {
                while !napping.stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    thread::sleep(NAP);
                    note(&napping.late_us, begun.elapsed().saturating_sub(NAP));
                }
            }),
            thread::spawn(move || {
                while !syncing.stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    // A disk that refuses is the boxes' trouble, not the weather.
                    let _ = file.write_all(b"weather").and_then(|()| file.sync_data());
                    note(&syncing.sync_us, begun.elapsed());
                    thread::sleep(SYNC_EVERY);
                }
            }),
        ];
        Ok(Weather { shared, threads })
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

    #[must_use]
    pub fn and(self, other: Worst) -> Worst {
        Worst { late: self.late.max(other.late), sync: self.sync.max(other.sync) }
    }
}

impl Drop for Weather {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn note(worst: &AtomicU64, took: Duration) {
    worst.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
}
