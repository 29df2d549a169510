//! The log's upkeep: dead bytes are given back, rotten ones found and mended from the peer.
//!
//! | file | duty |
//! |---|---|
//! | `agree` | which kills do both boxes know for good? What the two say to each other about it |
//! | `dead` | is the record at an address dead, by such an agreement? Rewrites the segments worth it |
//! | `spent` | mail of accounts that are removed for good is expunged |
//! | `mender` | which records are damaged here, which of them the peer was asked for |
//! | `thread` | the background thread of a running box: scrub, reclaim and mending, at idle pace |
//!
//! `agree`, `spent` and `mender` live in [`crate::core::Core`]; `exchange` joins them to log and link. The
//! simulator calls what the thread calls.

pub(crate) mod agree;
pub mod dead;
pub(crate) mod exchange;
pub(crate) mod mender;
pub(crate) mod spent;
pub(crate) mod thread;

use std::time::Duration;

pub use agree::Agreed;
pub use mender::Damage;
pub use thread::{Done, Work};

use journal::limits::{RECLAIM_INTERVAL_S, SCRUB_ROUND_S};

/// How often. The defaults are what a box does; tests and measurements are in more of a hurry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Every record is read and checked once in this time.
    pub scrub_round: Duration,
    /// Dead bytes are looked for this often.
    pub reclaim_interval: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            scrub_round: Duration::from_secs(SCRUB_ROUND_S),
            reclaim_interval: Duration::from_secs(RECLAIM_INTERVAL_S),
        }
    }
}
