//! Everything else that clients do: flags, expunge, move, copy, mailboxes, accounts, settings.

use mailbox::{Mailbox, Row};
use node::core::{Answer, Input};
use record::{AccountId, Entry, EntryId, MailboxId, RequestId, Side};
use replica::{FlagWish, MoveWish, Wish};

use super::{Account, Asked, Clients, Placed, take_back};
use crate::sim::checks;
use crate::sim::random::Random;
use crate::sim::releases;
use crate::sim::world::{Step, World, at};

/// Few names, so that both sides choose the same ones.
const NAMES: [&str; 3] = ["Work", "Play", "Home"];

/// In so many of a thousand cases a client copies what it saw some time ago, or remembers what it sees.
const STALE_PERMILLE: u64 = 100;
/// In so many of a thousand cases it takes back what another box's client waits for.
const TAKE_BACK_PERMILLE: u64 = 200;

/// What a client sees before it decides.
#[derive(Clone)]
pub(super) struct Seen {
    account: Account,
    mailboxes: Vec<Mailbox>,
    here: Mailbox,
    /// One message of `here`, with the number of its text.
    message: Option<(Row, u64)>,
    /// All messages of `here`.
    all: Vec<EntryId>,
    /// The record format that the pair writes.
    format: u16,
}

impl Clients {
    /// A new password, in place of one that the client saw, or of whatever there is.
    pub(super) fn set_password(
        &mut self,
        random: &mut Random,
        account: AccountId,
        replaced: Option<String>,
    ) -> (Wish, Asked) {
        let hash = format!("{:x}", random.next());
        self.asked_passwords.insert((account, hash.clone()));
        let wish = Wish::SetPassword { account, password_hash: hash.clone() };
        (wish, Asked::Password { account, hash, replaced })
    }

    /// Takes a flag off a message.
    pub(super) fn clear_flag(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        entry: EntryId,
        flag: String,
    ) -> (Wish, Asked) {
        self.asked_cleared.insert((entry, flag.clone()));
        let change = FlagWish { entry, set: Vec::new(), clear: vec![flag.clone()] };
        let wish = Wish::Flags { account, mailbox, changes: vec![change] };
        (wish, Asked::ClearFlag(entry, flag))
    }

    /// A client of this box changes something that it sees.
    pub fn change(world: &mut World, side: Side) -> Step {
        let mut chosen = None;
        if world.random.permille(TAKE_BACK_PERMILLE) {
            chosen = take_back::choose(world, side)?;
        }
        if chosen.is_none() {
            chosen = look_and_choose(world, side)?;
        }
        let Some((wish, asked)) = chosen else { return Ok(()) };
        let request = RequestId(world.random.id());
        world.clients.note(request, asked);
        world.clients.waiting[at(side)].insert(request);
        world.counts.changes += 1;
        world.tell(|| format!("a client of {side} asks: {}", told(&wish)));
        world.give(side, Input::Submit { request, wish, answer: Answer::AtApply })
    }
}

fn look_and_choose(world: &mut World, side: Side) -> Result<Option<(Wish, Asked)>, String> {
    let Some(seen) = look(world, side)? else { return Ok(None) };
    let World { clients, random, .. } = world;
    if random.permille(STALE_PERMILLE) && seen.message.is_some() {
        clients.remembered[at(side)] = Some(seen.clone());
    }
    Ok(choose(clients, random, side, &seen))
}

fn look(world: &mut World, side: Side) -> Result<Option<Seen>, String> {
    let one = &world.boxes[at(side)];
    let (Some(core), true) = (&one.core, one.is_serving()) else { return Ok(None) };
    let Some(account) = world.random.pick(&world.clients.accounts).cloned() else {
        return Ok(None);
    };
    let mailboxes = core.index().household(account.id).map_err(|e| e.to_string())?;
    let here = match mailboxes.iter().find(|mailbox| mailbox.name == "INBOX") {
        Some(inbox) if world.random.permille(600) => inbox.clone(),
        _ => match world.random.pick(&mailboxes).cloned() {
            Some(mailbox) => mailbox,
            None => return Ok(None),
        },
    };
    let rows = core.index().messages(here.id).map_err(|e| e.to_string())?;
    let message = match world.random.pick(&rows).cloned() {
        Some(row) => {
            if let Some(rotten) = checks::rotten_part(core, row.body) {
                world.damaged(side, vec![rotten])?;
                return Ok(None);
            }
            let bytes = checks::read(core, row.body)?;
            let number = Clients::number(&bytes).ok_or("P1: a message that nobody sent")?;
            Some((row, number))
        }
        None => None,
    };
    let all = rows.iter().map(|row| row.entry).collect();
    let format = core.replica_state().format();
    Ok(Some(Seen { account, mailboxes, here, message, all, format }))
}

fn choose(
    clients: &mut Clients,
    random: &mut Random,
    side: Side,
    seen: &Seen,
) -> Option<(Wish, Asked)> {
    if random.permille(STALE_PERMILLE)
        && let Some(old) = clients.remembered[at(side)].clone()
        && let Some((row, number)) = old.message.clone()
    {
        return copy(clients, random, &old, &row, number).map(|(to, asked)| {
            (Wish::Place { account: asked.account, entries: vec![to] }, Asked::Place(asked))
        });
    }
    if random.permille(700) {
        let (row, number) = seen.message.clone()?;
        change_message(clients, random, seen, row, number)
    } else if random.permille(600) {
        change_mailbox(clients, random, seen)
    } else {
        change_pair(clients, random, side, seen)
    }
}

fn change_message(
    clients: &mut Clients,
    random: &mut Random,
    seen: &Seen,
    row: Row,
    number: u64,
) -> Option<(Wish, Asked)> {
    // Of one household's mailboxes each is ordered by the home of its own account.
    let (account, mailbox) = (seen.here.account, seen.here.id);
    Some(match random.below(10) {
        0..3 => {
            let entries = if random.permille(500) { seen.all.clone() } else { vec![row.entry] };
            clients.asked_expunged.extend(&entries);
            let wish = Wish::Expunge { account, mailbox, entries: entries.clone() };
            (wish, Asked::Expunge(entries))
        }
        3..6 => {
            // Each change has a flag of its own, so that none may ever be undone but by a client.
            let flag = format!("k{:x}", random.next());
            let change = FlagWish { entry: row.entry, set: vec![flag.clone()], clear: Vec::new() };
            let wish = Wish::Flags { account, mailbox, changes: vec![change] };
            (wish, Asked::SetFlag(row.entry, flag))
        }
        6 => {
            let flag = random.pick(&row.flags)?.clone();
            clients.clear_flag(account, mailbox, row.entry, flag)
        }
        kind => {
            let (to, placed) = copy(clients, random, seen, &row, number)?;
            let account = placed.account;
            let wish = if kind < 9 {
                let moves = vec![MoveWish { from: row.entry, to }];
                Wish::Move { account, from: mailbox, moves }
            } else {
                Wish::Place { account, entries: vec![to] }
            };
            (wish, Asked::Place(placed))
        }
    })
}

/// A new entry for a message that is known.
fn copy(
    clients: &mut Clients,
    random: &mut Random,
    seen: &Seen,
    row: &Row,
    number: u64,
) -> Option<(Entry, Placed)> {
    clients.copied.insert(number);
    let target = random.pick(&seen.mailboxes)?;
    let account = target.account;
    let to = Entry {
        entry: EntryId(random.id()),
        mailbox: target.id,
        body: row.body,
        internal_date_s: row.internal_date_s,
        flags: row.flags.clone(),
    };
    let placed = Placed { number, account, entry: to.entry };
    Some((to, placed))
}

fn change_mailbox(
    clients: &mut Clients,
    random: &mut Random,
    seen: &Seen,
) -> Option<(Wish, Asked)> {
    let account = seen.here.owner;
    let name = (*random.pick(&NAMES)?).to_owned();
    let free = seen.mailboxes.iter().all(|mailbox| mailbox.name != name);
    let others: Vec<(AccountId, MailboxId)> = seen
        .mailboxes
        .iter()
        .filter(|mailbox| mailbox.name != "INBOX")
        .map(|mailbox| (mailbox.account, mailbox.id))
        .collect();
    Some(match random.below(10) {
        0..4 if free => {
            let mailbox = MailboxId(random.id());
            let uid_validity = random.next() as u32 | 1;
            let wish = Wish::CreateMailbox { account, mailbox, name, uid_validity };
            (wish, Asked::Mailbox(mailbox))
        }
        4..6 if free => {
            let (account, mailbox) = *random.pick(&others)?;
            (Wish::RenameMailbox { account, mailbox, name }, Asked::Other)
        }
        6..8 => {
            let (account, mailbox) = *random.pick(&others)?;
            clients.asked_deleted.insert(mailbox);
            (Wish::DeleteMailbox { account, mailbox }, Asked::Other)
        }
        _ => {
            let subscribed = random.permille(500);
            (Wish::Subscribe { account, name, subscribed }, Asked::Other)
        }
    })
}

fn change_pair(
    clients: &mut Clients,
    random: &mut Random,
    side: Side,
    seen: &Seen,
) -> Option<(Wish, Asked)> {
    let account = seen.account.id;
    Some(match random.below(10) {
        0..4 => clients.set_password(random, account, None),
        4..7 => {
            // Few addresses, so that both sides choose the same ones.
            let name = format!("n{}", random.below(2));
            let home = if random.permille(500) { side } else { side.other() };
            let (account, wish) = new_account(random, home, name);
            let id = account.id;
            clients.accounts.push(account);
            (wish, Asked::Account(id))
        }
        7..9 if !seen.account.first => {
            clients.asked_removed.insert(account);
            (Wish::RemoveAccount { account }, Asked::Other)
        }
        9 if seen.format > 1 && random.permille(500) => {
            (releases::wish_of(seen.format, random), Asked::Other)
        }
        9 if random.permille(700) => {
            let home = if random.permille(500) { Side::A } else { Side::B };
            (Wish::MoveHome { account, home }, Asked::Other)
        }
        _ => {
            let value = random.next().to_be_bytes().to_vec();
            (Wish::Setting { key: "banner".into(), value }, Asked::Other)
        }
    })
}

pub(super) fn new_account(random: &mut Random, home: Side, name: String) -> (Account, Wish) {
    let account = Account { id: AccountId(random.id()), first: false };
    let wish = Wish::CreateAccount {
        account: account.id,
        address: format!("{name}@example.test"),
        home,
        password_hash: String::new(),
        mailboxes: vec![
            (MailboxId(random.id()), "INBOX".into()),
            (MailboxId(random.id()), "Other".into()),
        ],
        uid_validity: 7,
    };
    (account, wish)
}

/// One line for the story.
fn told(wish: &Wish) -> String {
    let short = |id: u128| format!("{:04x}", id >> 112);
    match wish {
        Wish::Place { entries, .. } => {
            format!("copy to {}", entries.iter().map(|e| short(e.mailbox.0)).collect::<String>())
        }
        Wish::Flags { mailbox, changes, .. } => {
            let change = changes
                .iter()
                .map(|c| format!("set {:?} clear {:?} on {}", c.set, c.clear, short(c.entry.0)));
            format!("in {}: {}", short(mailbox.0), change.collect::<String>())
        }
        Wish::Expunge { mailbox, entries, .. } => {
            let entries = entries.iter().map(|entry| short(entry.0));
            format!("expunge {} in {}", entries.collect::<String>(), short(mailbox.0))
        }
        Wish::Move { from, moves, .. } => {
            let moves = moves.iter().map(|one| {
                format!(
                    "{} to {} in {}",
                    short(one.from.0),
                    short(one.to.entry.0),
                    short(one.to.mailbox.0)
                )
            });
            format!("move from {}: {}", short(from.0), moves.collect::<String>())
        }
        Wish::CreateMailbox { mailbox, name, .. } => format!("create {name} {}", short(mailbox.0)),
        Wish::RenameMailbox { mailbox, name, .. } => format!("rename {} {name}", short(mailbox.0)),
        Wish::DeleteMailbox { mailbox, .. } => format!("delete {}", short(mailbox.0)),
        other => format!("{other:?}"),
    }
}
