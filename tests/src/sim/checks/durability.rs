//! P1: what was acknowledged is never lost while a disk survives that held it; no message is doubled.

use std::collections::{BTreeMap, BTreeSet};

use journal::SimDisk;
use mailbox::Index;
use node::core::Core;
use record::{AccountId, EntryId, MailboxId, Side};

use super::log_facts::LogFacts;
use super::{Broken, View};
use crate::sim::clients::Clients;
use crate::sim::world::World;

/// What a client saw is known as long as the disk is.
pub fn vanished(view: &View<'_>, index: &Index, entries: &[EntryId]) -> Result<Broken, String> {
    let mut broken = Broken::new();
    for entry in entries {
        if index.entry(*entry).map_err(|e| e.to_string())?.is_none() {
            broken.push(format!(
                "P1: {entry:?} of {} was shown at {}, and is not known any more",
                view.mailbox.name, view.side
            ));
        }
    }
    Ok(broken)
}

/// Reads every message at one box, byte for byte.
pub fn check(
    world: &World,
    side: Side,
    core: &Core<SimDisk>,
    facts: &LogFacts,
) -> Result<Broken, String> {
    let mut broken = Broken::new();
    let found = Found::at(core, side, &mut broken)?;
    broken.extend(found.doubled(world, facts, side));
    for (entry, (placed, _)) in &world.clients.placed {
        let is_there = found.entries.get(entry) == Some(&placed.number);
        // An account that mail took back after its removal has all of its mail.
        let account = core.users().account(placed.account).map_err(|e| e.to_string())?;
        let may_be_removed = world.clients.asked_removed.contains(&placed.account);
        if is_there || (may_be_removed && account.is_none()) {
            continue;
        }
        let known = core.index().entry(*entry).map_err(|e| e.to_string())?;
        let expunged = known.is_some_and(|state| state.expunged);
        if !expunged || !facts.may_be_gone(world, side, *entry)? {
            broken.push(format!("P1: {placed:?} was acknowledged and is lost at {side}"));
        }
    }
    broken.extend(names(world, core, side)?);
    Ok(broken)
}

/// What clients can read.
#[derive(Default)]
struct Found {
    entries: BTreeMap<EntryId, u64>,
    /// In each household: accounts of one address are one.
    copies: BTreeMap<(u64, AccountId), Vec<(EntryId, MailboxId)>>,
}

impl Found {
    fn at(core: &Core<SimDisk>, side: Side, broken: &mut Broken) -> Result<Found, String> {
        let mut found = Found::default();
        for mailbox in core.index().mailboxes_all().map_err(|e| e.to_string())? {
            for row in core.index().messages(mailbox.id).map_err(|e| e.to_string())? {
                let bytes = super::read(core, row.body)?;
                let number = Clients::number(&bytes).ok_or("P1: a message that nobody sent")?;
                if bytes != Clients::message(number) {
                    broken.push(format!("P1: message {number} was altered at {side}"));
                }
                if found.entries.insert(row.entry, number).is_some() {
                    broken.push(format!("P1: {:?} is there twice at {side}", row.entry));
                }
                let copies = found.copies.entry((number, mailbox.owner)).or_default();
                copies.push((row.entry, mailbox.id));
            }
        }
        Ok(found)
    }

    /// A client's copies are no fault. Nor are those that came of one entry, when both sides of a split
    /// joined its mailbox to another, and those two were given different names.
    fn doubled(&self, world: &World, facts: &LogFacts, side: Side) -> Broken {
        let often = self.copies.iter().filter(|(_, copies)| copies.len() > 1);
        often
            .filter(|((number, _), _)| !world.clients.copied.contains(number))
            .filter(|(_, copies)| {
                let roots: BTreeSet<_> =
                    copies.iter().map(|(entry, _)| facts.root(world, *entry)).collect();
                let mailboxes: BTreeSet<_> = copies.iter().map(|(_, mailbox)| mailbox).collect();
                roots.len() > 1 || mailboxes.len() < copies.len()
            })
            .map(|((number, _), copies)| {
                format!("P1: message {number} is there {} times at {side}", copies.len())
            })
            .collect()
    }
}

/// Mailboxes, accounts and passwords that were acknowledged.
fn names(world: &World, core: &Core<SimDisk>, side: Side) -> Result<Broken, String> {
    let mut broken = Broken::new();
    let clients = &world.clients;
    let made: BTreeSet<_> =
        core.index().mailbox_ids().map_err(|e| e.to_string())?.into_iter().collect();
    for mailbox in clients.mailboxes.keys().filter(|mailbox| !made.contains(mailbox)) {
        broken.push(format!("P1: {mailbox:?} was created and is lost at {side}"));
    }
    let removed = &clients.asked_removed;
    for account in clients.made_accounts.keys().filter(|account| !removed.contains(account)) {
        if core.users().account(*account).map_err(|e| e.to_string())?.is_none() {
            broken.push(format!("P1: {account:?} was created and is lost at {side}"));
        }
    }
    for id in clients.passwords_set.keys().filter(|account| !removed.contains(account)) {
        let Some(account) = core.users().account(*id).map_err(|e| e.to_string())? else { continue };
        let credentials = core.users().credentials(&account.address).map_err(|e| e.to_string())?;
        // Which of several is a matter of their clocks; the one of the beginning it is not.
        let set = credentials.is_some_and(|row| clients.asked_passwords.contains(&row));
        if !set {
            broken.push(format!("P1: the password of {} was set and is lost", account.address));
        }
    }
    Ok(broken)
}
