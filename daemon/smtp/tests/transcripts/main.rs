//! Conversations: what a client says, and what it hears. One file per verb.

// clippy lifts the ban by itself only within the test functions, not in what they share.
#![allow(clippy::unwrap_used)]

mod auth;
mod client;
mod data;
mod ehlo;
mod limits;
mod mail;
mod pipelining;
mod random;
mod rcpt;
mod rest;
mod starttls;
mod trace;
