//! Which mailbox is seen under which name, and which must be joined to which.
//!
//! A function of the mailboxes' rows alone, so equal on both boxes. The accounts of one address are one
//! household: the lowest living id owns it, and all of their mailboxes are seen as its own.
//!
//! | mailbox | is seen |
//! |---|---|
//! | not deleted | under its name |
//! | deleted | only while an entry lives in it |
//! | of two of one name, the one with the better right: not deleted before deleted, then the lower id | under the name |
//! | the other: a guest | as `Name (2)`, `Name (3)` ..., only while an entry lives in it; joined to the first |
//! | joined to another (a renaming to [`joined_name_of`]) | as a guest of that one, whatever its name was |
//! | joined to one that is gone | like a deleted one |
//!
//! A guest stays in sight until it is empty, so that no message is out of sight while it waits for the
//! home. Then it is renamed once and for all: else it would come back when the first is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use record::{AccountId, MailboxId, Vector};

use crate::error::Error;
use crate::keys;
use crate::rows::{AccountRow, BoxRow, Tally, key_part, load};
use crate::tables::{Table, Tables};

/// No client can give a name with a control character in it.
const JOINED_PREFIX: &str = "\u{1}joined into ";

/// The mailboxes of one household.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) seen: BTreeMap<MailboxId, String>,
    /// Each with its host, and whether entries live in it.
    pub(crate) guests: BTreeMap<MailboxId, Guest>,
}

pub(crate) struct Guest {
    pub(crate) host: MailboxId,
    pub(crate) alive: u64,
    /// A record says that it is joined, or deleted: when empty, it is done with.
    pub(crate) is_settled: bool,
}

/// The name that joins a mailbox to another.
pub(crate) fn joined_name_of(host: MailboxId) -> String {
    format!("{JOINED_PREFIX}{host}")
}

pub(crate) fn joined_name(name: &str) -> Option<MailboxId> {
    let id = name.strip_prefix(JOINED_PREFIX)?;
    u128::from_str_radix(id, 16).ok().map(MailboxId)
}

/// INBOX in any case is one name (RFC 9051 §5.1).
pub(crate) fn canonical_name(name: &str) -> &str {
    if name.eq_ignore_ascii_case("INBOX") { "INBOX" } else { name }
}

/// Lower case, without outer white space; as the user store has it.
pub(crate) fn normal_address(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The living accounts that were created with the address, lowest id first.
pub(crate) fn holders(tables: &dyn Tables, address: &str) -> Result<Vec<AccountId>, Error> {
    let mut ids = Vec::new();
    tables.under(Table::Addresses, &keys::address_prefix(address), &mut |key, _| {
        ids.push(AccountId(key_part(Table::Addresses, keys::last_id(key))?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ids)
}

/// The accounts of the household, the owner first; a removed one is alone.
pub(crate) fn members(tables: &dyn Tables, account: AccountId) -> Result<Vec<AccountId>, Error> {
    match account_row(tables, account)?.living_address() {
        Some(address) => holders(tables, address),
        None => Ok(vec![account]),
    }
}

/// The owner of the household; none of a removed account.
pub(crate) fn owner(tables: &dyn Tables, account: AccountId) -> Result<Option<AccountId>, Error> {
    if account_row(tables, account)?.removal().is_some() {
        return Ok(None);
    }
    Ok(members(tables, account)?.first().copied())
}

/// Are there mailboxes to join, or is there mail that its removal did not mean?
pub(crate) fn is_unsettled(tables: &dyn Tables, account: AccountId) -> Result<bool, Error> {
    if account_row(tables, account)?.removal().is_some() {
        return has_unmeant_mail(tables, account);
    }
    let names = names(tables, account)?;
    Ok(names.guests.values().any(|guest| guest.alive > 0 || !guest.is_settled))
}

/// Is the account removed, and was mail placed that the remover did not hold?
pub(crate) fn has_unmeant_mail(tables: &dyn Tables, account: AccountId) -> Result<bool, Error> {
    let row = account_row(tables, account)?;
    let Some(removed) = row.removal() else { return Ok(false) };
    for mailbox in boxes_of(tables, account)? {
        let latest = tally(tables, mailbox)?.latest;
        let held = |writer| removed.held.get(writer).copied().unwrap_or(0);
        if latest.iter().any(|(writer, latest)| latest.index >= held(writer)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Is the account removed for good: by a record that both boxes have applied (`both`), while all mail that
/// could take the removal back is known here, and none does? Not while another of its household, made before
/// the removal, lives: its mailboxes may have been joined to those of this one.
pub(crate) fn is_spent(
    tables: &dyn Tables,
    account: AccountId,
    both: &Vector,
) -> Result<bool, Error> {
    let row = account_row(tables, account)?;
    let Some(removed) = row.removal() else { return Ok(false) };
    let writer = removed.stamp.writer;
    let held = |vector: &Vector| vector.get(&writer).copied().unwrap_or(0);
    if held(both) < held(&removed.held) || has_unmeant_mail(tables, account)? {
        return Ok(false);
    }
    let Some(created) = &row.created else { return Ok(true) };
    for other in holders(tables, &created.address)? {
        let known = account_row(tables, other)?.created;
        if known.is_some_and(|other| removed.stamp.later_than(&other.first)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every mailbox that was ever created for the account.
pub(crate) fn boxes_of(tables: &dyn Tables, account: AccountId) -> Result<Vec<MailboxId>, Error> {
    let mut ids = Vec::new();
    tables.under(Table::AccountBoxes, &keys::account(account), &mut |key, _| {
        ids.push(MailboxId(key_part(Table::AccountBoxes, keys::last_id(key))?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ids)
}

/// The names in the account's household; none when it is removed.
pub(crate) fn names(tables: &dyn Tables, account: AccountId) -> Result<Names, Error> {
    if account_row(tables, account)?.removal().is_some() {
        return Ok(Names::default());
    }
    let mut household = BTreeMap::new();
    for member in members(tables, account)? {
        for id in boxes_of(tables, member)? {
            let row = box_row(tables, id)?;
            let Some(name) = row.name().map(|name| canonical_name(name).to_owned()) else {
                continue;
            };
            let alive = tally(tables, id)?.alive;
            let (host, deleted) = (row.joined_into(), row.deleted);
            household.insert(id, Resident { name, alive, host, deleted });
        }
    }
    Ok(give_names(&household))
}

struct Resident {
    name: String,
    alive: u64,
    /// What it was joined to.
    host: Option<MailboxId>,
    deleted: bool,
}

impl Resident {
    /// Standing for itself, it is seen only while an entry lives in it.
    fn comes_last(&self) -> bool {
        self.deleted || self.host.is_some()
    }
}

fn give_names(household: &BTreeMap<MailboxId, Resident>) -> Names {
    let present = present(household);
    let mut hosts = BTreeMap::new();
    let mut by_name: BTreeMap<&str, Vec<(bool, MailboxId)>> = BTreeMap::new();
    for (id, resident) in &present {
        match joined_host(&present, *id) {
            Some(host) => {
                hosts.insert(*id, host);
            }
            None => by_name.entry(&resident.name).or_default().push((resident.comes_last(), *id)),
        }
    }
    let mut names = Names::default();
    for (name, mut rivals) in by_name {
        rivals.sort_unstable();
        let (_, first) = rivals[0];
        names.seen.insert(first, name.to_owned());
        hosts.extend(rivals[1..].iter().map(|(_, id)| (*id, first)));
    }
    let direct = hosts.clone();
    for (id, mut host) in hosts {
        // A mailbox may have been joined to one that is now a guest by its name.
        while let Some(further) = direct.get(&host) {
            host = *further;
        }
        let resident = &household[&id];
        let is_settled = resident.deleted || resident.host.is_some();
        names.guests.insert(id, Guest { host, alive: resident.alive, is_settled });
    }
    let mut taken: BTreeSet<String> = names.seen.values().cloned().collect();
    for (id, guest) in names.guests.iter().filter(|(_, guest)| guest.alive > 0) {
        let name = &names.seen[&guest.host];
        let mut numbered = (2..).map(|number| format!("{name} ({number})"));
        let free = numbered.find(|name| taken.insert(name.clone())).expect("numbers do not end");
        names.seen.insert(*id, free);
    }
    names
}

/// The mailboxes that are there: whatever stands for itself and is not seen goes, and with it the host of
/// others, which then may stand for themselves.
fn present(household: &BTreeMap<MailboxId, Resident>) -> BTreeMap<MailboxId, &Resident> {
    let is_there = |resident: &Resident| !resident.deleted || resident.alive > 0;
    let mut present: BTreeMap<MailboxId, &Resident> = household
        .iter()
        .filter(|(_, resident)| is_there(resident))
        .map(|(id, resident)| (*id, resident))
        .collect();
    loop {
        let before = present.clone();
        present.retain(|id, resident| {
            resident.alive > 0 || !resident.comes_last() || joined_host(&before, *id).is_some()
        });
        if present.len() == before.len() {
            return present;
        }
    }
}

/// The end of the chain of joins from `id`; none when it stands for itself. In a circle (two boxes joined
/// them this way and that) the lowest id stands for itself.
fn joined_host(present: &BTreeMap<MailboxId, &Resident>, id: MailboxId) -> Option<MailboxId> {
    let next = |id: MailboxId| present[&id].host.filter(|host| present.contains_key(host));
    let mut chain = vec![id];
    let mut at = id;
    while let Some(host) = next(at) {
        if let Some(start) = chain.iter().position(|known| *known == host) {
            at = *chain[start..].iter().min().expect("a circle has a member");
            break;
        }
        chain.push(host);
        at = host;
    }
    Some(at).filter(|at| *at != id)
}

pub(crate) fn box_row(tables: &dyn Tables, mailbox: MailboxId) -> Result<BoxRow, Error> {
    Ok(load(tables, Table::Boxes, &keys::mailbox(mailbox))?.unwrap_or_default())
}

pub(crate) fn account_row(tables: &dyn Tables, account: AccountId) -> Result<AccountRow, Error> {
    Ok(load(tables, Table::Accounts, &keys::account(account))?.unwrap_or_default())
}

pub(crate) fn tally(tables: &dyn Tables, mailbox: MailboxId) -> Result<Tally, Error> {
    Ok(load(tables, Table::Tallies, &keys::mailbox(mailbox))?.unwrap_or_default())
}
