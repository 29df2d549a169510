//! Replication of the pair: views, homes, commit, lanes, joining and re-placing, as one pure state
//! machine ([`Replica`]).
//!
//! It decides which records this box writes, when a record counts as committed, and what the two boxes
//! tell each other. It never reads a clock, a disk or a socket: time and received messages come in
//! through [`Replica::handle`], everything to do comes out of [`Replica::poll`].
//!
//! | phase | file |
//! |---|---|
//! | what clients wish, and which side orders it | `wish.rs` |
//! | UIDs, MODSEQs, lanes | `lanes.rs` |
//! | this side's own views: which episode goes on | `episode.rs` |
//! | how long a join waits, when episodes come fast | `pace.rs` |
//! | wishes become records | `place.rs` |
//! | hello, caught up, ready, both, alone | `session.rs` |
//! | which record format the pair writes | `formats.rs` |
//! | what is committed, who gets an answer | `commit.rs` |
//! | breaking a rule on purpose, for the simulator | `sabotage.rs` |
//!
//! **Architecture invariant:** what is placed, committed or shown never depends on wall time. The clock
//! of a record only decides between concurrent values of one field.
//!
//! **Architecture invariant:** no record is refused once it is in somebody's log. Whatever must not be
//! is prevented before it is written.

mod commit;
mod episode;
mod formats;
mod lanes;
pub mod limits;
mod machine;
mod message;
mod pace;
mod place;
mod sabotage;
mod session;
mod wish;

pub use lanes::Lane;
pub use machine::{Applied, Input, Mode, Output, Recovered, Replica};
pub use message::{Hello, Message};
pub use sabotage::Sabotage;
pub use wish::{FlagWish, MoveWish, Wish};
