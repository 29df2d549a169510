//! What the log promises, tried from outside: on a simulated disk that loses power, and on a real one.

// Clippy's own exception for tests does not reach the functions that they share.
#![allow(clippy::unwrap_used)]

mod backup;
mod basics;
mod catch_up;
mod crash;
mod disk_trouble;
mod golden;
mod kill;
mod mend;
mod reclaim;
mod reclaim_crash;
mod rot;
mod support;
mod threads;
mod torn;
