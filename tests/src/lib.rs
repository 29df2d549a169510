//! Everything that needs more than one crate: the simulator here, and below `tests/` what runs real
//! programs.
//!
//! [`sim`] is the main test of replication: two whole boxes without sockets or threads, a seed in, a
//! verdict out. `cargo sim --seeds N [--from S]` explores, `cargo sim --seed S` replays one story.

pub mod sim;
