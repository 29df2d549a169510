//! Conversations: what a client says, and what it hears. One file per group of verbs.

// clippy lifts the ban by itself only within the test functions, not in what they share.
#![allow(clippy::unwrap_used)]

mod capa;
mod client;
mod delete;
mod limits;
mod list;
mod login;
mod pipelining;
mod random;
mod retrieve;
mod stls;
