//! Every system call of the box, behind names that say what it is for. The only `unsafe` of the
//! project stands here, each use under its SAFETY comment.
//!
//! Nothing here decides anything: which disk to mount, which address to take and when to reboot are
//! its callers' business. Calls that may wait on the network have an async form (tokio); everything
//! else returns at once.
//!
//! | for | look at |
//! |---|---|
//! | PID 1's start and end | [`mounts`], [`modules`], [`disk`], [`power`], [`watchdog`] |
//! | programs, signals, waiting | [`child`], [`signals`], [`poll`], [`keys`] |
//! | addresses and ports | [`net::Netlink`] (blocking), [`net::Network`] (async), [`net::ports`] |
//! | carrier | [`net::LinkWatch`] |
//! | frames on the wire | [`net::PacketSocket`], [`net::ethernet`] |
//! | who holds an address | [`net::arp`], [`net::neighbour`] |
//! | DHCP | [`net::dhcp`] |
//! | the serial console | [`terminal`] |
//! | heartbeats on a null-modem cable | [`serial`] |
//! | measuring and time | [`host`], [`clock`], [`scheduling`] |
//! | tests | [`namespace`], [`net::Tap`] |

#![allow(unsafe_code)] // here and nowhere else
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

pub mod child;
pub mod clock;
pub mod disk;
mod error;
pub mod host;
pub mod keys;
pub mod limits;
pub mod modules;
pub mod mounts;
pub mod namespace;
pub mod net;
pub mod poll;
pub mod power;
pub mod scheduling;
pub mod serial;
pub mod signals;
pub mod terminal;
pub mod watchdog;

pub use error::Error;
pub use net::{Mac, link_local};

/// What nearly everything here returns.
pub type Result<T> = std::result::Result<T, Error>;
