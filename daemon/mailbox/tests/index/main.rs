//! The index from outside: behaviour in rows of data, equality over orders, the redb file under faults.

#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

mod behaviour;
mod disk;
mod history;
mod names;
mod orders;
mod queue;
mod script;
