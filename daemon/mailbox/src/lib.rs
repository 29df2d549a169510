//! The mailbox index: which messages stand in which mailbox, under which UID, with which flags; and which
//! of them wait to be sent to other hosts.
//!
//! It is derived from the log: [`Index::apply`] takes committed records in log order, and everything
//! here can be deleted and built again from position 0. Two indexes that have applied the same set of
//! records are equal, whatever the order they came in, as long as each order is causally closed (a
//! record comes after everything its writer held). [`Index::digest`] compares them.
//!
//! One logic stands over a small ordered key-value trait (`tables`), with two backends: a redb file on
//! a box, a `BTreeMap` in the simulator.
//!
//! What is never here: message bytes, passwords, the choice of a UID, waiting for a disk on the way to
//! an acknowledgement.
//!
//! Start reading at [`Index`]; then `apply` (what each operation does), `apply::place` (overtaken
//! placements, the heart), `naming` (two mailboxes of one name), `read` (what clients see, and what is
//! left to do for an account's home).

mod apply;
mod digest;
mod error;
mod facts;
mod index;
mod keys;
pub mod limits;
mod naming;
mod read;
mod recent;
mod rows;
mod tables;

pub use error::Error;
pub use index::Index;
pub use read::{
    Attempt, BodyState, Counts, Delta, EntryState, Incarnation, Join, Mailbox, Queued, Stale,
};
pub use rows::{FlagState, Lane, Row};
