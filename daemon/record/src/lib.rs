//! The one format: a record has the same bytes on disk and on the cable.
//!
//! A [`Record`] is one immutable entry of one writer's journal: an operation ([`Op`]) and, for message
//! bodies, payload bytes. [`Record::encode`] makes a frame of it, [`decode`] reads one back and says
//! exactly what is wrong with bytes that are none. Nothing here does I/O, assigns an index or knows
//! what a record means to a mailbox.
//!
//! Two programs of one pair may know different formats: [`Formats`] says what they write then.
//!
//! Start reading at [`Record`], then [`op::Op`], then [`frame`].

mod format;
pub mod frame;
#[cfg(test)]
mod golden;
pub mod id;
pub mod limits;
pub mod op;

pub use format::{FORMAT_FIRST, Formats, Refused};
pub use frame::{
    Codec, FrameError, Record, check, decode, decode_checked_head, decode_head, frame_length,
};
pub use id::{
    AccountId, Address, AttemptId, Clock, EntryId, Incarnation, MailboxId, ModSeq, QueueId,
    RequestId, Side, Uid, Vector, Writer,
};
pub use op::{BodyPart, BodyRef, Entry, Flag, FlagChange, Op, Outbound, Sent, View};
