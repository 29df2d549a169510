//! One box's service: accept, deliver, commit, apply, serve.
//!
//! [`core::Core`] is the whole box without threads or sockets: log, replication, index, users and the
//! sending side of the link, behind one `handle` and one `poll`. The simulator drives it directly.
//! [`shell`] runs a core on its own thread with a committer and an applier beside it; [`Handle`] is
//! what sessions and the panel hold. [`serve`] answers what SMTP, IMAP and POP3 sessions ask.
//!
//! The path of a message: `serve::smtp` → [`Handle::deliver`] → [`body`] cuts and compresses →
//! [`core::Core`] appends body and placement → log and link sync on both boxes → `replica` says committed
//! → the answer goes out, the applier brings the index up.
//!
//! **Architecture invariant:** a client's success answer is sent after commit, in one place
//! ([`core::Core`], `Output::Done`).

mod applier;
pub mod body;
pub mod core;
pub mod end;
mod facts;
mod handle;
pub mod limits;
mod link;
pub mod serve;
pub mod shell;
pub mod upkeep;
mod work;

pub use applier::Comparison;
pub use handle::{AppendTo, Error, Handle, Position, Progress};
