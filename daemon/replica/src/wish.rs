//! What a client of either box wants changed. A wish becomes records at the box that orders it.

use record::{
    AccountId, AttemptId, Entry, EntryId, Flag, MailboxId, Outbound, QueueId, Sent, Side,
};
use serde::{Deserialize, Serialize};

/// One change, complete with every id, so that asking again (after a lost session) is the same wish.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Wish {
    /// New entries: a delivery, an APPEND, a COPY.
    Place {
        account: AccountId,
        entries: Vec<Entry>,
    },
    Flags {
        account: AccountId,
        mailbox: MailboxId,
        changes: Vec<FlagWish>,
    },
    Expunge {
        account: AccountId,
        mailbox: MailboxId,
        entries: Vec<EntryId>,
    },
    Move {
        account: AccountId,
        from: MailboxId,
        moves: Vec<MoveWish>,
    },
    CreateMailbox {
        account: AccountId,
        mailbox: MailboxId,
        name: String,
        uid_validity: u32,
    },
    RenameMailbox {
        account: AccountId,
        mailbox: MailboxId,
        name: String,
    },
    DeleteMailbox {
        account: AccountId,
        mailbox: MailboxId,
    },
    Subscribe {
        account: AccountId,
        name: String,
        subscribed: bool,
    },
    /// With the mailboxes it is born with. The first gets `uid_validity`, each further one two more.
    CreateAccount {
        account: AccountId,
        address: String,
        home: Side,
        password_hash: String,
        mailboxes: Vec<(MailboxId, String)>,
        uid_validity: u32,
    },
    SetPassword {
        account: AccountId,
        password_hash: String,
    },
    RemoveAccount {
        account: AccountId,
    },
    Setting {
        key: String,
        value: Vec<u8>,
    },
    /// The account's home moves; ordered by the home that it has.
    MoveHome {
        account: AccountId,
        home: Side,
    },
    /// A message for other hosts is taken.
    Queue(Outbound),
    /// `side` is about to send it.
    Attempt {
        message: QueueId,
        attempt: AttemptId,
        side: Side,
    },
    /// What came of that.
    Outcome {
        message: QueueId,
        attempt: AttemptId,
        recipients: Vec<(u32, Sent)>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlagWish {
    pub entry: EntryId,
    pub set: Vec<Flag>,
    pub clear: Vec<Flag>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MoveWish {
    pub from: EntryId,
    pub to: Entry,
}

impl Wish {
    /// How many entries it places.
    #[must_use]
    pub fn places(&self) -> usize {
        match self {
            Wish::Place { entries, .. } => entries.len(),
            Wish::Move { moves, .. } => moves.len(),
            _ => 0,
        }
    }

    /// It gives no number and takes no name, so any side may write it: nothing depends on its place among
    /// the others.
    #[must_use]
    pub fn needs_no_order(&self) -> bool {
        matches!(self, Wish::Queue(_) | Wish::Attempt { .. } | Wish::Outcome { .. })
    }

    /// The account whose home orders this; `None` is ordered by side a.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Wish::Place { account, .. }
            | Wish::Flags { account, .. }
            | Wish::Expunge { account, .. }
            | Wish::Move { account, .. }
            | Wish::CreateMailbox { account, .. }
            | Wish::RenameMailbox { account, .. }
            | Wish::DeleteMailbox { account, .. }
            | Wish::Subscribe { account, .. }
            | Wish::MoveHome { account, .. } => Some(*account),
            Wish::CreateAccount { .. }
            | Wish::SetPassword { .. }
            | Wish::RemoveAccount { .. }
            | Wish::Setting { .. }
            | Wish::Queue(_)
            | Wish::Attempt { .. }
            | Wish::Outcome { .. } => None,
        }
    }
}
