//! Two whole boxes ([`node::core::Core`]) on simulated disks and cables, tormented by a seed.
//!
//! | file | holds |
//! |---|---|
//! | `world` | the boxes, the cable, what may happen next |
//! | `boxes` | one box: its disk and, while it is up, its core and stores |
//! | `clients` | what clients ask and what they were told |
//! | `checks/` | one file for each promise of the design |
//!
//! A run: both boxes join, accounts are made, faults and clients take turns, then the faults stop and
//! within a bounded number of rounds all must be well.

mod boxes;
mod checks;
mod clients;
mod random;
mod world;

pub use world::{Counts, World};

/// Runs one seed.
///
/// # Errors
/// The promise that was broken, and the story that led to it.
pub fn run(seed: u64) -> Result<Counts, Failure> {
    let mut world = World::new(seed);
    let result = world.run();
    result.map(|()| world.counts).map_err(|what| Failure { seed, what, story: world.story })
}

/// A broken promise.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub what: String,
    pub story: Vec<String>,
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
