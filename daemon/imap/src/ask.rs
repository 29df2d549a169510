//! What a session asks of the box, and what it gets for an answer.
//!
//! A change that was answered is committed, and a [`Ask::Refresh`] after it shows it: the session tells
//! its client from that.
//!
//! | question | good answer | failures that get a response code of their own |
//! |---|---|---|
//! | `Login` | `Done` | `BadCredentials` |
//! | `ListMailboxes` | `Mailboxes` | |
//! | `Select` | `Snapshot` | `NoSuchMailbox` |
//! | `Refresh` | `Unchanged`, `Delta`, `Snapshot` | `NoSuchMailbox` |
//! | `Status` | `Status` | `NoSuchMailbox` |
//! | `Read` | `Bytes`, or `Facts` if asked for |  `NoSuchMessage` |
//! | `Append` | `Appended` | `NoSuchMailbox`, `TooBig`, `OverQuota` |
//! | `Store`, `Expunge` | `Done` | `NoSuchMailbox` |
//! | `Copy`, `Move` | `Copied` | `NoSuchMailbox`, `OverQuota` |
//! | `Create` | `Created` | `AlreadyExists` |
//! | `Delete`, `Rename`, `Subscribe` | `Done` | `NoSuchMailbox`, `AlreadyExists` |
//!
//! Any question can be answered with any [`Failure`]. Entries that are gone by now are passed over by
//! `Store`, `Expunge`, `Copy` and `Move`; that is no failure.

use std::fmt;
use std::sync::Arc;

use crate::facts::Facts;

/// One question to the box. At most one is outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// May this user come in? From then on every question is about this account.
    Login { user: String, password: Password },
    /// All mailboxes of the account.
    ListMailboxes,
    /// The messages of a mailbox, for a client that opens it.
    Select { mailbox: u128 },
    /// The same again if it changed since the snapshot of that `version`.
    Refresh { mailbox: u128, version: u64 },
    /// The numbers of a mailbox without its messages.
    Status { mailbox: u128 },
    /// The bytes of a message.
    Read { entry: u128, what: Read },
    /// Adds a message. Without a date it is now.
    Append {
        mailbox: u128,
        flags: Vec<String>,
        /// Seconds since 1970 UTC.
        internal_date_s: Option<i64>,
        message: Vec<u8>,
    },
    /// Changes flags. `flags` are as in [`Row::flags`].
    Store { mailbox: u128, entries: Vec<u128>, change: Change, flags: Vec<String> },
    /// Removes messages for ever.
    Expunge { mailbox: u128, entries: Vec<u128> },
    /// Adds entries to `to` with flags and date of those in `from`.
    Copy { from: u128, entries: Vec<u128>, to: u128 },
    /// The same, and the old entries are expunged with it.
    Move { from: u128, entries: Vec<u128>, to: u128 },
    /// Makes a mailbox. The levels above it exist.
    Create { name: String },
    /// Removes a mailbox with its messages. Never INBOX.
    Delete { mailbox: u128 },
    /// Gives a mailbox another name; those below it are asked for one by one. Never INBOX.
    Rename { mailbox: u128, name: String },
    /// Whether the client lists the mailbox among its subscribed ones.
    Subscribe { mailbox: u128, subscribed: bool },
}

/// How much of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// What most clients ask of most messages. The answer is [`Answer::Facts`].
    Facts,
    /// The header section with its empty line, as [`message::header_length`] finds it.
    Header,
    /// Everything.
    Whole,
}

/// What STORE does with the flags it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Add,
    Remove,
    Replace,
}

/// The box's answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done and committed.
    Done,
    Mailboxes(Vec<Mailbox>),
    Snapshot(Snapshot),
    /// The version asked about is the newest.
    Unchanged,
    /// What became of the messages since the version asked about.
    Delta(Delta),
    Status(Status),
    Bytes(Arc<[u8]>),
    Facts(Arc<Facts>),
    Appended {
        uid_validity: u32,
        uid: u32,
    },
    Copied(Copied),
    /// The new mailbox.
    Created {
        mailbox: u128,
    },
    Failed(Failure),
}

/// Why a question was answered with no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// User or password is wrong; which one is not told.
    BadCredentials,
    NoSuchMailbox,
    AlreadyExists,
    /// The entry is expunged.
    NoSuchMessage,
    TooBig,
    OverQuota,
    /// It is not allowed, ever: the reason, for the user to read.
    Refused(String),
    /// It cannot be done now: the reason, for the user to read.
    Unavailable(String),
}

/// One mailbox of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub id: u128,
    /// In UTF-8, levels separated by `/`. The inbox is `INBOX`.
    pub name: String,
    pub subscribed: bool,
    pub special_use: Option<SpecialUse>,
}

/// What a mailbox is for (RFC 6154 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
}

/// All messages of a mailbox at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub uid_validity: u32,
    /// Above every UID there ever was.
    pub uid_next: u32,
    pub highest_modseq: u64,
    /// Names this state of the mailbox in a later [`Ask::Refresh`].
    pub version: u64,
    /// In ascending order of UID.
    pub rows: Vec<Row>,
}

/// What is different from an earlier snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// As in [`Snapshot::version`].
    pub version: u64,
    /// New messages and those that look different, in ascending order of UID.
    pub rows: Vec<Row>,
    /// UIDs under which there is nothing now.
    pub gone: Vec<u32>,
}

/// One message of a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub uid: u32,
    pub entry: u128,
    /// `\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft` and keywords; each at most once.
    pub flags: Vec<String>,
    pub modseq: u64,
    /// Bytes of the whole message.
    pub size: u32,
    /// Seconds since 1970 UTC.
    pub internal_date_s: i64,
}

/// The numbers of a mailbox (RFC 9051 §6.3.11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub messages: u32,
    /// Without `\Seen`.
    pub unseen: u32,
    /// With `\Deleted`.
    pub deleted: u32,
    pub uid_next: u32,
    pub uid_validity: u32,
    pub highest_modseq: u64,
    /// Bytes of all messages.
    pub size: u64,
}

/// Where copied messages are now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Of the mailbox copied to.
    pub uid_validity: u32,
    /// UID in the old mailbox and in the new one.
    pub uids: Vec<(u32, u32)>,
}

/// A password; it is not shown by `{:?}`, so it does not reach a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes the password as the client gave it.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
