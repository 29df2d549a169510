//! What a record says. Postcard-encoded: variants and fields may only be added at the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{
    AccountId, AttemptId, Clock, EntryId, MailboxId, ModSeq, QueueId, Side, Uid, Vector, Writer,
};

/// Who is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum View {
    Both,
    Alone(Side),
    /// This side has stopped placing as alone, to join: its episode is over.
    Leaving(Side),
}

/// Where a message's bytes are: `parts` consecutive [`Op::Body`] records of one writer. The first holds
/// the header section (up to and including the empty line), the others the rest, in chunks of
/// [`crate::limits::CHUNK_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct BodyRef {
    pub writer: Writer,
    pub index: u64,
    pub parts: u32,
    /// Bytes of the header section, uncompressed.
    pub header_bytes: u32,
    /// Bytes of the whole message, uncompressed (RFC822.SIZE).
    pub size_bytes: u32,
}

/// What a body record holds: its payload is the record's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BodyPart {
    /// 0 is the header section.
    pub part: u32,
    /// Bytes before compression.
    pub plain_bytes: u32,
}

/// An IMAP flag or keyword (RFC 9051 §2.3.2), as the client wrote it: `\Seen`, `$Junk`, `Later`.
pub type Flag = String;

/// A new entry in a mailbox. `entry` is the identity, everything else is the same in every placement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub entry: EntryId,
    pub mailbox: MailboxId,
    pub body: BodyRef,
    /// INTERNALDATE, Unix seconds.
    pub internal_date_s: i64,
    /// Flags it is born with.
    pub flags: Vec<Flag>,
}

/// A change of flags on one entry; each flag keeps its latest stamp, so concurrent changes of different
/// flags both hold (P5).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlagChange {
    pub entry: EntryId,
    pub modseq: ModSeq,
    pub set: Vec<Flag>,
    pub clear: Vec<Flag>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Op {
    /// The first record of an incarnation. Its `seen` is the full vector; later records carry changes.
    Start,
    /// This writer changed its view. `Alone` with the number of this side's last one goes on with that
    /// episode, after a restart. `on_disk`: so many records of these writers of the other side are on
    /// that side's own disk, as it said; those that changed since this writer's last view.
    View {
        view: View,
        number: u64,
        on_disk: Vector,
    },
    /// Bytes of a message.
    Body(BodyPart),
    /// An entry gets a UID: the first time, or again when its placement was overtaken. The entry's UID
    /// is its highest placement.
    Place {
        entry: Entry,
        uid: Uid,
        modseq: ModSeq,
    },
    /// New flags on entries of one mailbox.
    /// `made`: when the client asked for it, if that is not the record's own clock. A wish that a lost
    /// session may have swallowed is written again, and must not undo what came between (P5).
    Flags {
        mailbox: MailboxId,
        changes: Vec<FlagChange>,
        made: Option<Clock>,
    },
    /// Entries are gone for ever.
    Expunge {
        mailbox: MailboxId,
        entries: Vec<EntryId>,
        modseq: ModSeq,
    },
    /// MOVE: the new entry and the end of the old in one record (RFC 6851).
    Move {
        entry: Entry,
        uid: Uid,
        modseq: ModSeq,
        from: EntryId,
        from_mailbox: MailboxId,
        from_modseq: ModSeq,
    },
    /// No UID up to this one, and no MODSEQ, is ever given again in any mailbox of the account: what only
    /// the disk `lost` knew is burnt. (A disk is named by its log's id, an old copy of one by the
    /// incarnation that it came back with.)
    Floor {
        account: AccountId,
        uid: Uid,
        modseq: ModSeq,
        lost: u128,
    },
    /// A mailbox begins. `uid_validity` never changes after.
    CreateMailbox {
        mailbox: MailboxId,
        account: AccountId,
        name: String,
        uid_validity: u32,
    },
    /// Last writer by clock wins.
    RenameMailbox {
        mailbox: MailboxId,
        name: String,
    },
    /// Expunges exactly the entries that the writer held; the mailbox stays while a concurrent one exists.
    DeleteMailbox {
        mailbox: MailboxId,
    },
    /// RFC 9051 §6.3.7. Last writer by clock wins.
    Subscribe {
        account: AccountId,
        name: String,
        subscribed: bool,
    },
    /// An account begins. `address` is `local@domain`, lower case.
    CreateAccount {
        account: AccountId,
        address: String,
        home: Side,
        password_hash: String,
    },
    /// Last writer by clock wins: by `made`, as with flags.
    SetPassword {
        account: AccountId,
        password_hash: String,
        made: Option<Clock>,
    },
    RemoveAccount {
        account: AccountId,
    },
    /// The home moves; only the old home writes this while the view is both.
    MoveHome {
        account: AccountId,
        home: Side,
    },
    /// A setting of the pair (admin password hash, certificate ...). Last writer by clock wins.
    Setting {
        key: String,
        value: Vec<u8>,
    },
    /// Stands for `count` records of its writer that were reclaimed, from its own index on. Its `seen` is
    /// what theirs added up to, its clock the highest of theirs; `running_hash` is the log's hash of this
    /// writer behind the last of them.
    Gap {
        count: u64,
        running_hash: u64,
    },
    /// From here on the pair writes records of formats up to this one: both boxes had blessed a program that
    /// reads them. Written in `both` only, and never taken back.
    Format {
        version: u16,
    },
    /// A message for other hosts is taken (RFC 5321 §4.1.1.4): the pair sends it.
    Queue(Outbound),
    /// `side` is about to connect to other hosts with the message; committed before it does.
    Attempt {
        message: QueueId,
        attempt: AttemptId,
        side: Side,
    },
    /// The attempt is over; what came of it for some recipients, by their places in the list.
    Outcome {
        message: QueueId,
        attempt: AttemptId,
        recipients: Vec<(u32, Sent)>,
    },
}

/// A message with its envelope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outbound {
    pub message: QueueId,
    /// The side that took it, and sends it as long as it can.
    pub owner: Side,
    /// The reverse-path; empty for a notification.
    pub sender: String,
    pub recipients: Vec<String>,
    pub body: BodyRef,
}

/// What another host said of one recipient.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Sent {
    /// 4yz, or no answer: to be tried again.
    Later { reply: String },
    /// 5yz: no use to try again.
    Refused { reply: String },
    /// It has taken the message.
    Taken,
}

impl Op {
    /// The first format that knows this operation, or a field that it has: no older program reads it.
    #[must_use]
    pub fn format(&self) -> u16 {
        match self {
            Op::Start
            | Op::View { .. }
            | Op::Body(_)
            | Op::Place { .. }
            | Op::Flags { .. }
            | Op::Expunge { .. }
            | Op::Move { .. }
            | Op::Floor { .. }
            | Op::CreateMailbox { .. }
            | Op::RenameMailbox { .. }
            | Op::DeleteMailbox { .. }
            | Op::Subscribe { .. }
            | Op::CreateAccount { .. }
            | Op::SetPassword { .. }
            | Op::RemoveAccount { .. }
            | Op::MoveHome { .. }
            | Op::Setting { .. }
            | Op::Gap { .. }
            | Op::Format { .. }
            | Op::Queue(_)
            | Op::Attempt { .. }
            | Op::Outcome { .. } => 1,
        }
    }

    /// How many records of its writer this one stands for.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Op::Gap { count, .. } => *count,
            _ => 1,
        }
    }

    /// When it was asked for, if that is known.
    #[must_use]
    pub fn made(&self) -> Option<Clock> {
        match self {
            Op::Flags { made, .. } | Op::SetPassword { made, .. } => *made,
            _ => None,
        }
    }

    /// Does this record give `uid` in a mailbox?
    #[must_use]
    pub fn placement(&self) -> Option<(&Entry, Uid)> {
        match self {
            Op::Place { entry, uid, .. } | Op::Move { entry, uid, .. } => Some((entry, *uid)),
            _ => None,
        }
    }
}

/// What one writer held when it wrote its latest record: the fold of the `seen` changes of its records.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Seen(pub BTreeMap<Writer, u64>);

impl Seen {
    /// Takes in the changes that the writer's next record carries.
    pub fn fold(&mut self, changes: &Vector) {
        for (writer, count) in changes {
            self.0.insert(*writer, *count);
        }
    }

    /// Did the writer hold record `index` of `writer`?
    #[must_use]
    pub fn saw(&self, writer: Writer, index: u64) -> bool {
        self.0.get(&writer).is_some_and(|count| *count > index)
    }
}

/// A value with the stamp that decides between concurrent writers: the later wins, then the greater
/// writer, so that both boxes agree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stamp {
    pub clock: Clock,
    pub writer: Writer,
}

impl Stamp {
    #[must_use]
    pub fn later_than(&self, other: &Stamp) -> bool {
        (self.clock, self.writer) > (other.clock, other.writer)
    }
}
