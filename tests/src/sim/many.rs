//! Many seeds, on all processors.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Counts, Failure, Options, run};

/// Runs every seed of the range, until one fails. `progress` hears of seeds done, now and then.
///
/// # Errors
/// The failure of the lowest seed that failed.
pub fn run_all(
    seeds: Range<u64>,
    options: &Options,
    progress: impl Fn(u64) + Sync,
) -> Result<Counts, Failure> {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicBool::new(false);
    let total = Mutex::new(Counts::default());
    let failure = Mutex::new(None::<Failure>);
    let work = || {
        let mut counts = Counts::default();
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            match run(seed, options) {
                Ok(more) => counts += more,
                Err(found) => {
                    failed.store(true, Ordering::Relaxed);
                    let mut failure = failure.lock().expect("no holder panics");
                    if failure.as_ref().is_none_or(|known| known.seed > found.seed) {
                        *failure = Some(found);
                    }
                }
            }
            if (seed - seeds.start) % 1000 == 999 {
                progress(seed - seeds.start + 1);
            }
        }
        *total.lock().expect("no holder panics") += counts;
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match failure.into_inner().expect("no holder panics") {
        Some(failure) => Err(failure),
        None => Ok(total.into_inner().expect("no holder panics")),
    }
}
