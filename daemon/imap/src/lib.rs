//! IMAP sessions: bytes of a client and answers of the box in; bytes for the client and questions to
//! the box out (IMAP4rev1, RFC 3501, in the clearer words of RFC 9051 where they agree, and the
//! extensions that mail clients use).
//!
//! A [`Session`] does no I/O, has no clock and keeps no message: one message at a time passes through it
//! on its way to the client. It knows mailboxes and messages only by the numbers it is given. What it
//! told its client about the selected mailbox is its own copy; it changes that copy only when the
//! protocol lets it tell the client so.
//!
//! Start reading at [`session`], then [`ask`], then the verb you are after in `session/` and, for its
//! syntax, in `parse/`.

pub mod ask;
pub mod facts;
pub mod limits;
mod parse;
mod reader;
pub mod session;
mod utf7;
mod write;

pub use ask::{
    Answer, Ask, Change, Copied, Delta, Failure, Mailbox, Password, Read, Row, Snapshot,
    SpecialUse, Status,
};
pub use facts::Facts;
pub use limits::Limits;
pub use session::{Config, Input, Output, Session};
