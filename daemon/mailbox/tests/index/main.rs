//! The index from outside: behaviour in rows of data, equality over orders, the redb file under faults.

mod behaviour;
mod disk;
mod history;
mod names;
mod orders;
mod script;
