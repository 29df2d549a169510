//! The user store: accounts, their addresses, homes and passwords, domains, settings of the pair.
//!
//! It is derived from the log: [`Users::apply`] takes committed records in log order, and everything here
//! can be moved away and built again from position 0. Two stores that have applied the same set of
//! records are equal, whatever the order they came in: accounts begin with the first of their creations,
//! each field is its latest stamp, a removal holds until a later creation. [`Users::digest`] compares them.
//!
//! One logic stands over a small key-value trait (`tables`), with two backends: a sled tree on a box, a
//! `BTreeMap` in the simulator.
//!
//! What is never here: mailboxes, the choice of a home or an id, a clear-text password, randomness.
//!
//! Start reading at [`Users`]; then `apply` (what each operation does), `read` (what is asked).

mod apply;
mod error;
pub mod limits;
mod password;
mod read;
mod rows;
mod tables;
mod users;

pub use error::Error;
pub use password::{hash_password, verify_password};
pub use read::{Account, Removed, SETTING_DOMAINS};
pub use users::Users;
