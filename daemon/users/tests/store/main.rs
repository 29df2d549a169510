//! The store from outside: behaviour in rows of data, equality over orders, the sled folder under faults.

#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

mod behaviour;
mod disk;
mod orders;
mod writing;
