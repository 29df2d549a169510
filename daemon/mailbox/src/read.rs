//! What clients see, and what the replica asks before it places.

mod messages;
mod names;

use record::{AccountId, Entry, Flag, MailboxId, ModSeq, Uid};

pub(crate) use names::canonical_name;

use crate::rows::FlagState;

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
    pub account: AccountId,
    /// Unique within the account.
    pub name: String,
    pub uid_validity: u32,
    pub uid_next: Uid,
    /// At least 1 (RFC 7162 §3.1.1).
    pub highest_modseq: ModSeq,
    pub messages: u64,
    pub unseen: u64,
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
