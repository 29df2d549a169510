//! What clients see, and what the replica asks before it places.

mod bodies;
mod messages;
mod names;
mod past;
mod queue;
mod work;

use record::{
    AccountId, AttemptId, BodyRef, Entry, EntryId, Flag, MailboxId, ModSeq, QueueId, Sent, Side,
    Uid, Vector,
};

pub use past::Incarnation;

use crate::rows::{FlagState, Row};

/// A mailbox as clients see it.
///
/// # UIDNEXT
/// It is one above the highest placement that was ever applied here, shown, hidden or expunged. Then no
/// client sees a new message below the UIDNEXT it was told (P4): say it was told `q.uid + 1`, and `p` is
/// shown for the first time later, at `p.uid <= q.uid`.
/// - `p` was applied after `q`. Had it been applied before, it was hidden then; a place that was once
///   overtaken stays so, and an entry's later places are applied later, so read them as `p`.
/// - Orders are causally closed, so `q`'s writer had not seen `p`. If `p`'s writer had seen `q`, it would
///   have placed above it. So the two are concurrent, and `p` is overtaken by `q` and not shown; or they
///   are one entry, and `q` is its place and `p` a tombstone.
///
/// Floors stay out of it. A placement under a floor of which its writer did not know is not overtaken by
/// anything, so it may be shown, and UIDNEXT must not have said otherwise. ([`crate::Index::top`] has
/// them in: the next placement goes above.) HIGHESTMODSEQ likewise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    pub id: MailboxId,
    /// The account that it was created for: its home orders what happens in it, for ever. Every wish about
    /// it names this account; two homes in one mailbox would give one UID twice.
    pub account: AccountId,
    /// Who sees it: the lowest id of that account's address.
    pub owner: AccountId,
    /// Unique within the owner's.
    pub name: String,
    pub uid_validity: u32,
    pub uid_next: Uid,
    /// At least 1 (RFC 7162 §3.1.1).
    pub highest_modseq: ModSeq,
    pub messages: u64,
    pub unseen: u64,
    /// Messages with `\Deleted`.
    pub deleted: u64,
    /// Of all messages.
    pub size_bytes: u64,
    pub subscribed: bool,
}

/// An entry as it stands, also when it is expunged or hidden.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryState {
    pub entry: Entry,
    /// Of its highest placement.
    pub uid: Uid,
    pub modseq: ModSeq,
    /// The flags in force.
    pub flags: Vec<Flag>,
    /// The latest change of each flag that was ever changed, sorted by lower-case name.
    pub changes: Vec<FlagState>,
    pub expunged: bool,
    /// Its highest placement is overtaken: nobody sees it until it is placed again.
    pub hidden: bool,
}

/// How much is in the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub mailboxes: u64,
    /// Messages that clients can see.
    pub messages: u64,
    /// Messages that wait to be placed again.
    pub hidden: u64,
}

/// What changed in a mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    pub version: u64,
    /// New ones and those that look different, sorted by UID.
    pub rows: Vec<Row>,
    /// UIDs under which there is nothing now.
    pub gone: Vec<Uid>,
}

/// A mailbox that has to go on in another of its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Join {
    /// The account whose home writes it all: that of `to`.
    pub orderer: AccountId,
    pub from: MailboxId,
    pub to: MailboxId,
    /// Entries, and what each becomes.
    pub moves: Vec<(EntryId, Entry)>,
    /// No entry is left: the mailbox is to be given this name, and with it is done.
    pub rename: Option<String>,
}

/// Entries that must be stamped again, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stale {
    /// The account whose home writes it all.
    pub orderer: AccountId,
    pub entries: Vec<(MailboxId, EntryId)>,
}

/// A message for other hosts, and how far it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queued {
    pub message: QueueId,
    pub owner: Side,
    pub sender: String,
    /// With the best that was heard of each.
    pub recipients: Vec<(String, Option<Sent>)>,
    pub body: BodyRef,
    pub attempts: Vec<Attempt>,
    /// Nobody is left who may yet get it.
    pub settled: bool,
}

/// One attempt to send it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub id: AttemptId,
    pub side: Side,
    /// Its outcome is known.
    pub over: bool,
}

/// Does anybody need these bytes of a message?
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyState {
    /// No entry has them, as far as is known here.
    Unknown,
    Living,
    /// All entries are expunged, by these records.
    Dead {
        ended: Vector,
    },
}
