//! The builder: from the daemon's sources, a Debian kernel and a board's facts to one bootable disk
//! image, without root and without loop mounts.
//!
//! It runs on a workstation and never on a box, and links nothing of the daemon: what the two sides
//! share is files. Start reading at [`build`](mod@build), which calls the steps in their order:
//! [`plan`], [`compile`], [`kernel`], [`initramfs`], [`uki`], [`disk`], [`manifest`].

// The steps.
pub mod build;
pub mod compile;
pub mod disk;
pub mod initramfs;
pub mod kernel;
pub mod manifest;
pub mod plan;
pub mod uki;

// The other commands.
pub mod demo;
pub mod host;
pub mod inspect;
pub mod site;

// What they stand on.
pub mod deb;
pub mod modules;
pub mod progress;
pub mod run;
