//! The builder: from the daemon's sources, a Debian kernel and a board's facts to one bootable disk image,
//! without root and without loop mounts.
//!
//! It runs on a workstation and never on a box. The modules are the steps of a build.

pub mod demo;
pub mod host;
pub mod progress;
pub mod run;
