//! What clients ask, and what they were told.

use std::collections::{BTreeMap, BTreeSet};

use node::body::Body;
use node::core::{Answer, Input, Place};
use record::{AccountId, Entry, EntryId, MailboxId, RequestId, Side};
use replica::{FlagWish, MoveWish, Wish};

use super::random::Random;
use super::world::{World, at};

/// One message that was handed in for one account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Delivery {
    pub number: u64,
    pub account: AccountId,
}

/// What a request was for.
#[derive(Clone, Debug)]
enum Asked {
    Delivery(Delivery),
    Expunge(Vec<EntryId>),
    Flag(EntryId, String),
    Other,
}

/// An account of the simulation.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub id: AccountId,
    pub inbox: MailboxId,
    pub other: MailboxId,
}

#[derive(Default)]
pub struct Clients {
    pub accounts: Vec<Account>,
    asked: BTreeMap<RequestId, Asked>,
    /// Who waits for an answer at which box.
    pub waiting: [BTreeSet<RequestId>; 2],
    /// Which disks held it when it was acknowledged.
    pub delivered: BTreeMap<Delivery, BTreeSet<Side>>,
    pub expunged: BTreeMap<EntryId, BTreeSet<Side>>,
    pub flagged: BTreeMap<(EntryId, String), BTreeSet<Side>>,
    /// Deliveries that some client asked to have removed, answered or not.
    pub removals: BTreeSet<u64>,
    /// Deliveries that were copied or moved: there may be more than one.
    pub copied: BTreeSet<u64>,
    deliveries: u64,
}

impl Clients {
    /// One account at home on each side.
    pub fn accounts(world: &mut World) -> Vec<(RequestId, Wish)> {
        let mut wishes = Vec::new();
        for home in Side::BOTH {
            let random = &mut world.random;
            let account = Account {
                id: AccountId(random.id()),
                inbox: MailboxId(random.id()),
                other: MailboxId(random.id()),
            };
            let wish = Wish::CreateAccount {
                account: account.id,
                address: format!("{home}@example.test"),
                home,
                password_hash: String::new(),
                mailboxes: vec![(account.inbox, "INBOX".into()), (account.other, "Other".into())],
                uid_validity: 7,
            };
            let request = RequestId(random.id());
            world.clients.asked.insert(request, Asked::Other);
            world.clients.accounts.push(account);
            wishes.push((request, wish));
        }
        wishes
    }

    /// The bytes of a delivery, from which it is known again.
    pub fn message(number: u64) -> Vec<u8> {
        format!("Subject: {number}\r\n\r\nThis is message {number}.\r\n").into_bytes()
    }

    /// The number of the delivery that these bytes are.
    pub fn number(message: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(message).ok()?;
        text.strip_prefix("Subject: ")?.lines().next()?.parse().ok()
    }

    pub fn deliver(world: &mut World, side: Side) -> Result<(), String> {
        if !world.boxes[at(side)].is_serving() {
            return Ok(());
        }
        world.counts.deliveries += 1;
        let World { clients, random, .. } = world;
        clients.deliveries += 1;
        let number = clients.deliveries;
        let mut accounts = clients.accounts.clone();
        if random.permille(800) {
            let keep = random.below(accounts.len());
            accounts = vec![accounts[keep]];
        }
        let mut places = Vec::new();
        for account in accounts {
            let request = RequestId(random.id());
            let delivery = Delivery { number, account: account.id };
            clients.asked.insert(request, Asked::Delivery(delivery));
            clients.waiting[at(side)].insert(request);
            places.push(Place {
                request,
                account: account.id,
                mailbox: account.inbox,
                entry: EntryId(random.id()),
                internal_date_s: 0,
                flags: Vec::new(),
            });
        }
        let body = Body::new(&Clients::message(number));
        world.give(side, Input::Deliver { body, places, answer: Answer::AtCommit })
    }

    /// A client changes something that it sees.
    pub fn change(world: &mut World, side: Side) -> Result<(), String> {
        let one = &world.boxes[at(side)];
        let (Some(core), true) = (&one.core, one.is_serving()) else { return Ok(()) };
        let Some(account) = world.random.pick(&world.clients.accounts).copied() else {
            return Ok(());
        };
        let (here, there) = if world.random.permille(800) {
            (account.inbox, account.other)
        } else {
            (account.other, account.inbox)
        };
        let rows = core.index().messages(here).map_err(|e| e.to_string())?;
        let Some(row) = world.random.pick(&rows).cloned() else { return Ok(()) };
        let bytes = super::checks::read(core, row.body)?;
        let number = Clients::number(&bytes).ok_or("a message that nobody sent")?;
        world.counts.changes += 1;
        let World { clients, random, .. } = world;
        let request = RequestId(random.id());
        let (wish, asked) = match random.below(10) {
            0..4 => {
                clients.removals.insert(number);
                expunge(account.id, here, row.entry)
            }
            4..7 => flag(account.id, here, row.entry, random),
            kind => {
                clients.copied.insert(number);
                let to = Entry {
                    entry: EntryId(random.id()),
                    mailbox: there,
                    body: row.body,
                    internal_date_s: row.internal_date_s,
                    flags: row.flags.clone(),
                };
                let wish = if kind < 9 {
                    let moves = vec![MoveWish { from: row.entry, to }];
                    Wish::Move { account: account.id, from: here, moves }
                } else {
                    Wish::Place { account: account.id, entries: vec![to] }
                };
                (wish, Asked::Other)
            }
        };
        clients.asked.insert(request, asked);
        clients.waiting[at(side)].insert(request);
        world.give(side, Input::Submit { request, wish, answer: Answer::AtApply })
    }

    /// A box said that a request is done.
    pub fn done(&mut self, side: Side, request: RequestId, both: bool) {
        self.waiting[at(side)].remove(&request);
        let disks: BTreeSet<Side> = if both { Side::BOTH.into() } else { [side].into() };
        match self.asked.get(&request) {
            Some(Asked::Delivery(delivery)) => {
                self.delivered.insert(*delivery, disks);
            }
            Some(Asked::Expunge(entries)) => {
                for entry in entries {
                    self.expunged.insert(*entry, disks.clone());
                }
            }
            Some(Asked::Flag(entry, flag)) => {
                self.flagged.insert((*entry, flag.clone()), disks);
            }
            Some(Asked::Other) | None => {}
        }
    }

    /// The connections of a crashed box are gone, and with them who waited.
    pub fn crashed(&mut self, side: Side) {
        self.waiting[at(side)].clear();
    }

    /// What only this disk held may be gone.
    pub fn disk_lost(&mut self, side: Side) {
        fn forget<K: Ord>(rows: &mut BTreeMap<K, BTreeSet<Side>>, side: Side) {
            rows.retain(|_, disks| {
                disks.remove(&side);
                !disks.is_empty()
            });
        }
        forget(&mut self.delivered, side);
        forget(&mut self.expunged, side);
        forget(&mut self.flagged, side);
    }
}

fn expunge(account: AccountId, mailbox: MailboxId, entry: EntryId) -> (Wish, Asked) {
    let wish = Wish::Expunge { account, mailbox, entries: vec![entry] };
    (wish, Asked::Expunge(vec![entry]))
}

fn flag(
    account: AccountId,
    mailbox: MailboxId,
    entry: EntryId,
    random: &mut Random,
) -> (Wish, Asked) {
    // Each change has a flag of its own, so that none may ever be undone.
    let flag = format!("k{:x}", random.next());
    let changes = vec![FlagWish { entry, set: vec![flag.clone()], clear: Vec::new() }];
    (Wish::Flags { account, mailbox, changes }, Asked::Flag(entry, flag))
}
