//! Two whole boxes ([`node::core::Core`]) on simulated disks and cables, tormented by a seed.
//!
//! | file | holds |
//! |---|---|
//! | `world` | the boxes and what happens to them, step by step |
//! | `faults` | what goes wrong |
//! | `failing` | a disk that fails while its box goes on for a moment |
//! | `outbound` | each box sends messages to other hosts |
//! | `keep` | rot, scrub, mending, reclaim |
//! | `releases` | which release of the program each box has |
//! | `boxes` | one box: its disk and, while it is up, its core and stores |
//! | `cable` | the link: sessions, cuts, what is under way |
//! | `clients` | what clients ask and what they were told |
//! | `checks/` | one file for each promise of the design |
//! | `many` | many seeds on all processors |
//! | `shrink` | the shortest story that still breaks the promise |
//! | `catch_up/` | a box takes in gigabytes while clients of the other go on |
//! | `prove` | each rule broken on purpose, to see its checker fire |
//!
//! A run: both boxes join, accounts are made, faults and clients take turns, then the faults stop and
//! within a bounded number of rounds all must be well. Each step draws its random numbers from the seed
//! and its own number, so any subset of the steps is a story of its own.

mod boxes;
mod cable;
pub mod catch_up;
mod checks;
mod clients;
mod counts;
mod failing;
mod faults;
mod keep;
pub mod many;
mod options;
mod outbound;
pub mod prove;
mod random;
mod releases;
pub mod shrink;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use counts::{Counts, Fault};
pub use options::{Break, Options};
pub use world::World;

/// Runs one seed.
///
/// # Errors
/// The promises that were broken, and the story that led there, if `options` ask for one.
pub fn run(seed: u64, options: &Options) -> Result<Counts, Failure> {
    let mut world = World::new(seed, options.clone());
    // A box that gives up on itself takes the run down: that is a broken promise, too.
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
        Err(format!("a box gave up: {}", text.unwrap_or_default()))
    });
    result.map(|()| world.counts).map_err(|what| Failure { seed, what, story: world.story })
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Failure {
    pub seed: u64,
    pub what: String,
    pub story: Vec<String>,
}

impl Failure {
    /// Was it this promise (`P1` ...), among others?
    #[must_use]
    pub fn is_of(&self, promise: &str) -> bool {
        self.what.split("; ").any(|one| one.starts_with(promise))
    }

    /// The first promise that it broke.
    #[must_use]
    pub fn promise(&self) -> &str {
        self.what.split(':').next().unwrap_or(&self.what)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        for line in &self.story {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
