//! Real pairs of `maild` under torture: `cargo torture kill --rounds 100`. Nothing of this is part of `tests/run`; the
//! same promises are kept by the simulator in a thousand times as many stories, and here with real processes, real
//! disks and real clients.
//!
//! | file | holds |
//! |---|---|
//! | `books` | what clients were told, and the judge: lost, doubled, UIDs, UIDNEXT, flags |
//! | `clients` | senders at port 25, and IMAP clients that append, flag, move and expunge |
//! | `look` | reads all mailboxes of a box |
//! | `rounds` | fault, recovery, look, again and again: `kill`, `power`, `pause`, `net` |
//! | `stand` | the pair under torture with its clients |
//! | `split` | both boxes take mail while nothing passes between them |
//! | `catchup` | how a survivor's clients fare while the other box takes in what it missed |
//! | `keep` | what reclaim and scrub give back and find, and how clients fare meanwhile |
//! | `full` | a disk without room |
//! | `broken` | a disk that fails |
//! | `failover` | the scenes of [`crate::netns`], for hours |
//! | `disk` | a file system in a file, whose power can be cut |
//!
//! A message is moved, expunged or flagged at most once, by one client, so that the judge needs no guessing: what was
//! asked twice because an answer got lost may happen twice.

mod books;
mod broken;
mod catchup;
mod clients;
mod dice;
mod disk;
mod failover;
mod full;
mod keep;
mod look;
mod rounds;
mod split;
mod stand;

pub use broken::broken;
pub use catchup::catch_up;
pub use dice::Dice;
pub use disk::Disk;
pub use failover::{FailoverPlan, failover};
pub use full::full;
pub use keep::keep;
pub use rounds::{Fault, Plan, rounds};
pub use split::split;
pub use stand::Size;
