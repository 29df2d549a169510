//! The shortest story: which steps of a failing run can be left out, and it still breaks that promise.

use std::collections::BTreeSet;

use super::{Failure, Options, World, run};

/// Replays with fewer and fewer steps. The result tells its story.
#[must_use]
pub fn shortest(failure: &Failure, options: &Options) -> Failure {
    let steps = match &options.only {
        Some(only) => only.iter().copied().collect(),
        None => (1..=World::length(failure.seed)).collect(),
    };
    let mut kept: Vec<u64> = steps;
    let mut chunk = kept.len().div_ceil(2);
    loop {
        let mut shorter = false;
        let mut from = kept.len();
        // From the end: most of what comes late is not needed.
        while from > 0 {
            let start = from.saturating_sub(chunk);
            let without: Vec<u64> = [&kept[..start], &kept[from..]].concat();
            if fails_likewise(failure, options, &without).is_some() {
                kept = without;
                shorter = true;
            }
            from = start;
        }
        match (shorter, chunk) {
            (false, 1) => break,
            (true, 1) => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
    fails_likewise(failure, &options.telling(), &kept).unwrap_or_else(|| failure.clone())
}

fn fails_likewise(failure: &Failure, options: &Options, steps: &[u64]) -> Option<Failure> {
    let only: BTreeSet<u64> = steps.iter().copied().collect();
    let options = Options { only: Some(only), ..options.clone() };
    run(failure.seed, &options).err().filter(|found| found.is_of(failure.promise()))
}
