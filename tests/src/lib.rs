//! Everything that needs more than one crate: the simulator here, and below `tests/` what runs real
//! programs.
//!
//! [`sim`] is the main test of replication: two whole boxes without sockets or threads, a seed in, a
//! verdict out. `cargo sim --seeds N [--from S]` explores, `cargo sim --seed S` replays one story.
//!
//! [`native`] runs a pair of real `maild` processes on loopback, [`netns`] on ports of their own; [`torture`] lets them
//! suffer.

pub mod native;
pub mod netns;
pub mod sim;
pub mod torture;
