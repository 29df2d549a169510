//! Are the checkers awake? Each rule is broken on purpose, and the checker meant for it must fire.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Break, Failure, Options, run};

/// One broken rule and what came of it.
pub struct Proof {
    pub rule: Break,
    /// The first seed at which the checker meant for it fired.
    pub caught: Option<Failure>,
    /// Seeds before that at which only others fired.
    pub by_others: u64,
}

/// Breaks every rule in turn, or only the one of this name, each with up to so many seeds.
#[must_use]
pub fn all(seeds: u64, only: Option<&str>) -> Vec<Proof> {
    let next = AtomicUsize::new(0);
    let proofs = Mutex::new(Vec::new());
    let work = || {
        while let Some(rule) = Break::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            if only.is_some_and(|name| rule.to_string() != name) {
                continue;
            }
            let proof = one(*rule, seeds);
            proofs.lock().expect("no holder panics").push(proof);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut proofs = proofs.into_inner().expect("no holder panics");
    proofs.sort_by_key(|proof| Break::ALL.iter().position(|rule| *rule == proof.rule));
    proofs
}

fn one(rule: Break, seeds: u64) -> Proof {
    let options = Options::breaking(rule);
    let mut proof = Proof { rule, caught: None, by_others: 0 };
    for seed in 0..seeds {
        match run(seed, &options) {
            Err(failure) if failure.is_of(rule.promise()) => {
                proof.caught = Some(failure);
                break;
            }
            Err(_) => proof.by_others += 1,
            Ok(_) => {}
        }
    }
    proof
}
