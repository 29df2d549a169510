//! What clients ask, and what they were told.

mod change;
mod deliver;
mod take_back;

use std::collections::{BTreeMap, BTreeSet};

use record::{AccountId, EntryId, Flag, MailboxId, QueueId, RequestId, Side};
use replica::Wish;

use super::world::{World, at};

/// An account that somebody made or asked for.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: AccountId,
    /// Made at the beginning; such a one is never removed.
    pub first: bool,
}

/// One message in one mailbox, as it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Which message: it is known again by its text.
    pub number: u64,
    pub account: AccountId,
    pub entry: EntryId,
}

/// A success answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Answers given before.
    pub number: u64,
    /// Which disks held it by then, and have not been lost since.
    pub disks: [bool; 2],
}

/// What a request was for.
#[derive(Clone, Debug)]
enum Asked {
    Place(Placed),
    Expunge(Vec<EntryId>),
    SetFlag(EntryId, Flag),
    ClearFlag(EntryId, Flag),
    Mailbox(MailboxId),
    Account(AccountId),
    /// A message for other hosts.
    Queue(QueueId),
    Password {
        account: AccountId,
        hash: String,
        /// The one that the client saw and wants replaced.
        replaced: Option<String>,
    },
    Other,
}

#[derive(Default)]
pub struct Clients {
    pub accounts: Vec<Account>,
    /// With how many were asked before.
    asked: BTreeMap<RequestId, (u64, Asked)>,
    /// Who waits for an answer at which box.
    pub waiting: [BTreeSet<RequestId>; 2],
    /// Answers given.
    pub answers: u64,

    // What was acknowledged.
    pub placed: BTreeMap<EntryId, (Placed, Answered)>,
    pub expunged: BTreeMap<EntryId, Answered>,
    pub flags_set: BTreeMap<(EntryId, Flag), Answered>,
    pub flags_cleared: BTreeMap<(EntryId, Flag), Answered>,
    pub mailboxes: BTreeMap<MailboxId, Answered>,
    pub made_accounts: BTreeMap<AccountId, Answered>,
    /// Messages for other hosts.
    pub queued: BTreeMap<QueueId, Answered>,
    pub passwords_set: BTreeMap<AccountId, Answered>,
    /// Passwords that somebody saw and replaced.
    pub passwords_replaced: BTreeMap<(AccountId, String), Answered>,

    // What was asked for, answered or not.
    pub asked_placed: BTreeSet<EntryId>,
    pub asked_expunged: BTreeSet<EntryId>,
    pub asked_cleared: BTreeSet<(EntryId, Flag)>,
    pub asked_deleted: BTreeSet<MailboxId>,
    pub asked_removed: BTreeSet<AccountId>,
    pub asked_passwords: BTreeSet<(AccountId, String)>,
    /// Messages that were copied or moved: there may be more than one.
    pub copied: BTreeSet<u64>,
    deliveries: u64,
    /// What a client of each box saw some time ago, and may still want to copy.
    remembered: [Option<change::Seen>; 2],
}

impl Clients {
    /// One account at home on each side.
    pub fn first_accounts(world: &mut World) -> Vec<(RequestId, Wish)> {
        let sides = Side::BOTH.into_iter();
        sides
            .map(|home| {
                let (account, wish) =
                    change::new_account(&mut world.random, home, home.to_string());
                world.clients.accounts.push(Account { first: true, ..account });
                let request = RequestId(world.random.id());
                world.clients.note(request, Asked::Other);
                (request, wish)
            })
            .collect()
    }

    /// The bytes of a message, from which it is known again.
    pub fn message(number: u64) -> Vec<u8> {
        // Some are short, some are most of what their records take.
        let words = (number % 5) * (number % 3) * 80;
        let text: String = (0..words).map(|at| format!("{:016x}\r\n", mixed(number, at))).collect();
        format!("Subject: {number}\r\n\r\nThis is message {number}.\r\n{text}").into_bytes()
    }

    /// The number of the message that these bytes are.
    pub fn number(message: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(message).ok()?;
        text.strip_prefix("Subject: ")?.lines().next()?.parse().ok()
    }

    /// Requests made so far.
    pub fn asked_so_far(&self) -> u64 {
        self.asked.len() as u64
    }

    fn note(&mut self, request: RequestId, asked: Asked) {
        let before = self.asked_so_far();
        if let Asked::Place(placed) = &asked {
            self.asked_placed.insert(placed.entry);
        }
        self.asked.insert(request, (before, asked));
    }

    /// A box said that a request is done; it has been in `both` since so many requests.
    pub fn done(&mut self, side: Side, request: RequestId, both_since: Option<u64>) {
        if !self.waiting[at(side)].remove(&request) {
            // Nobody hears it: the connection is gone.
            return;
        }
        let Some((number, asked)) = self.asked.get(&request).cloned() else { return };
        let both = both_since.is_some_and(|since| number >= since);
        let mut disks = [both, both];
        disks[at(side)] = true;
        let answered = Answered { number: self.answers, disks };
        self.answers += 1;
        match asked {
            Asked::Place(placed) => {
                self.placed.insert(placed.entry, (placed, answered));
            }
            Asked::Expunge(entries) => {
                self.expunged.extend(entries.into_iter().map(|entry| (entry, answered)));
            }
            Asked::SetFlag(entry, flag) => {
                self.flags_set.insert((entry, flag), answered);
            }
            Asked::ClearFlag(entry, flag) => {
                self.flags_cleared.insert((entry, flag), answered);
            }
            Asked::Mailbox(mailbox) => {
                self.mailboxes.insert(mailbox, answered);
            }
            Asked::Account(account) => {
                self.made_accounts.insert(account, answered);
            }
            Asked::Queue(message) => {
                self.queued.insert(message, answered);
            }
            Asked::Password { account, replaced, .. } => {
                self.passwords_set.insert(account, answered);
                let replaced = replaced.map(|old| ((account, old), answered));
                self.passwords_replaced.extend(replaced);
            }
            Asked::Other => {}
        }
    }

    /// A box said that a request cannot be done.
    pub fn refused(&mut self, side: Side, request: RequestId) {
        self.waiting[at(side)].remove(&request);
    }

    /// The connections of a stopped box are gone, and with them who waited.
    pub fn stopped(&mut self, side: Side) {
        self.waiting[at(side)].clear();
        self.remembered[at(side)] = None;
    }

    /// What only this disk held may be gone, if it was answered from the `since`th answer on.
    pub fn disk_lost(&mut self, side: Side, since: u64) {
        let keep = |answered: &mut Answered| {
            if answered.number >= since {
                answered.disks[at(side)] = false;
            }
            answered.disks.contains(&true)
        };
        self.placed.retain(|_, (_, answered)| keep(answered));
        self.expunged.retain(|_, answered| keep(answered));
        self.flags_set.retain(|_, answered| keep(answered));
        self.flags_cleared.retain(|_, answered| keep(answered));
        self.mailboxes.retain(|_, answered| keep(answered));
        self.made_accounts.retain(|_, answered| keep(answered));
        self.queued.retain(|_, answered| keep(answered));
        self.passwords_set.retain(|_, answered| keep(answered));
        self.passwords_replaced.retain(|_, answered| keep(answered));
    }
}

/// Nothing that a compressor could make shorter.
fn mixed(number: u64, at: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 32)
}
