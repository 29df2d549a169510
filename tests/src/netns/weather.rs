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
const SYNC_EVERY: Duration = Duration::from_millis(50);

/// Watches for as long as it lives.
pub struct Weather {
    shared: Arc<Shared>,
    napping: Option<JoinHandle<()>>,
}

struct Shared {
    began: Instant,
    stop: AtomicBool,
    late_us: AtomicU64,
    sync_us: AtomicU64,
    /// Since when the sync of each disk is under way, after `began`; 0: it is not.
    under_way_us: [AtomicU64; 2],
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
        let shared = Arc::new(Shared {
            began: Instant::now(),
            stop: AtomicBool::new(false),
            late_us: AtomicU64::new(0),
            sync_us: AtomicU64::new(0),
            under_way_us: Default::default(),
        });
        for (which, disk) in disks.into_iter().enumerate() {
            let path = disk.join("weather");
            let mut file = Some(File::create(&path)?);
            let syncing = shared.clone();
            // Not waited for in the end: its disk may be frozen.
            thread::spawn(move || {
                while !syncing.stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let under_way = &syncing.under_way_us[which];
                    under_way.store(syncing.now_us(), Ordering::Relaxed);
                    let written = file.as_mut().map_or(Ok(()), |file| {
                        file.write_all(b"weather").and_then(|()| file.sync_data())
                    });
                    // A disk that refuses is the boxes' trouble, not the weather. Nor is it held on to.
                    file = file.filter(|_| written.is_ok()).or_else(|| File::create(&path).ok());
                    note(&syncing.sync_us, begun.elapsed());
                    under_way.store(0, Ordering::Relaxed);
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
        let shared = &self.shared;
        let mut worst = Worst { late: take(&shared.late_us), sync: take(&shared.sync_us) };
        for under_way in &shared.under_way_us {
            let since_us = under_way.load(Ordering::Relaxed);
            if since_us > 0 {
                let so_far = Duration::from_micros(shared.now_us().saturating_sub(since_us));
                worst.sync = worst.sync.max(so_far);
            }
        }
        worst
    }
}

impl Shared {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
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
