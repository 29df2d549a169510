//! What is left to do for the home of an account. Each question costs one look when there is nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use record::{AccountId, Entry, EntryId, MailboxId, Vector};

use super::messages::entry_row;
use super::{Join, Stale};
use crate::apply::joined_id;
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::naming::{self, account_row, box_row};
use crate::rows::{AccountRow, EntryRow, decode, key_part};
use crate::tables::{Order, Table, Tables};

impl Index {
    /// Up to `limit` living entries whose place is overtaken: their home must place them again. Those of
    /// removed accounts are left out.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn overtaken(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        self.read(|tables| {
            let mut entries = Vec::new();
            by_mailbox(tables, Table::Hidden, limit, &mut |_, entry| {
                let place = entry_row(tables, entry)?.and_then(|row| row.place);
                entries.extend(place.map(|place| place.entry));
                Ok(entries.len())
            })?;
            Ok(entries)
        })
    }

    /// Up to about `limit` entries that must be stamped again, since a client that was told a higher
    /// MODSEQ would not ask for their latest change: a record of flags with no flag in it will do. What
    /// one entry became comes before it, to be stamped by the same box: when the entry itself is stamped,
    /// nobody knows of the others any more. Those of removed accounts are left out, and those that are
    /// placed again anyway.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn overtaken_modseqs(&self, limit: usize) -> Result<Vec<Stale>, Error> {
        self.read(|tables| {
            let mut all = Vec::new();
            by_mailbox(tables, Table::Stale, limit, &mut |mailbox, entry| {
                let row = entry_row(tables, entry)?.unwrap_or_default();
                if row.place.as_ref().is_none_or(|place| !place.overtaken) {
                    all.extend(stale(tables, vec![(mailbox, entry)])?);
                }
                Ok(all.len())
            })?;
            tables.under(Table::StaleHeirs, &[], &mut |key, _| {
                if all.len() >= limit {
                    return Ok(ControlFlow::Break(()));
                }
                let entry = EntryId(key_part(Table::StaleHeirs, keys::last_id(key))?);
                let row = entry_row(tables, entry)?.unwrap_or_default();
                let mut entries = heirs(tables, &row)?;
                entries.extend(row.touches.values().next().map(|touch| (touch.mailbox, entry)));
                all.extend(stale(tables, entries)?);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(all)
        })
    }

    /// Mailboxes that have to go on in others of their name, with up to `limit` entries in all.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn joinable(&self, limit: usize) -> Result<Vec<Join>, Error> {
        self.read(|tables| {
            let (mut joins, mut left) = (Vec::new(), limit);
            let mut done = BTreeSet::new();
            for account in unsettled(tables)? {
                let Some(owner) = naming::owner(tables, account)? else { continue };
                if !done.insert(owner) {
                    continue;
                }
                for (from, guest) in naming::names(tables, owner)?.guests {
                    if left == 0 {
                        return Ok(joins);
                    }
                    let Some(orderer) = box_row(tables, guest.host)?.account() else { continue };
                    let mut join =
                        Join { orderer, from, to: guest.host, moves: Vec::new(), rename: None };
                    if guest.alive > 0 {
                        join.moves = moves(tables, from, guest.host, left)?;
                    } else if !guest.is_settled {
                        join.rename = Some(naming::joined_name_of(guest.host));
                    } else {
                        continue;
                    }
                    left = left.saturating_sub(join.moves.len().max(1));
                    joins.push(join);
                }
            }
            Ok(joins)
        })
    }

    /// Accounts that are removed for good, with mail that nobody can see any more. `both`: the two boxes have
    /// applied this much, and everything that was written before they both had is applied here.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn spent_accounts(&self, both: &Vector) -> Result<Vec<AccountId>, Error> {
        self.read(|tables| {
            let mut spent = Vec::new();
            tables.under(Table::Accounts, &[], &mut |key, bytes| {
                let row: AccountRow = decode(Table::Accounts, bytes)?;
                let account = AccountId(key_part(Table::Accounts, keys::last_id(key))?);
                spent.extend(row.removal().map(|_| account));
                Ok(ControlFlow::Continue(()))
            })?;
            let mut left = Vec::new();
            for account in spent {
                if !spent_entries(tables, account, both, 1)?.is_empty() {
                    left.push(account);
                }
            }
            Ok(left)
        })
    }

    /// Up to `limit` living entries of an account that is removed for good, by mailbox; none when it
    /// is not.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn spent_entries(
        &self,
        account: AccountId,
        both: &Vector,
        limit: usize,
    ) -> Result<Vec<(MailboxId, Vec<EntryId>)>, Error> {
        self.read(|tables| spent_entries(tables, account, both, limit))
    }

    /// Removed accounts with mail that the remover did not hold: they are to be created once more, with
    /// the same fields (`Users::removed`), which takes the removal back.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn to_revive(&self) -> Result<Vec<AccountId>, Error> {
        self.read(|tables| {
            let mut accounts = Vec::new();
            for account in unsettled(tables)? {
                if naming::has_unmeant_mail(tables, account)? {
                    accounts.push(account);
                }
            }
            Ok(accounts)
        })
    }
}

/// The first account that lives among those that have the entries writes it all; none lives: nobody does.
///
/// By what the entry became, not by its own mailbox alone: else a flag that a client set in a mailbox that
/// was joined to another's, and whose account somebody removed meanwhile, shows in that other mailbox under
/// a MODSEQ that its clients were past, for ever (`cargo sim --seed 102361`).
fn stale(tables: &dyn Tables, entries: Vec<(MailboxId, EntryId)>) -> Result<Option<Stale>, Error> {
    for (mailbox, _) in &entries {
        if let Some(orderer) = living_account(tables, *mailbox)? {
            return Ok(Some(Stale { orderer, entries }));
        }
    }
    Ok(None)
}

fn spent_entries(
    tables: &dyn Tables,
    account: AccountId,
    both: &Vector,
    limit: usize,
) -> Result<Vec<(MailboxId, Vec<EntryId>)>, Error> {
    let mut spent = Vec::new();
    if !naming::is_spent(tables, account, both)? {
        return Ok(spent);
    }
    let mut left = limit;
    for mailbox in naming::boxes_of(tables, account)? {
        let entries = living(tables, mailbox, left)?;
        left -= entries.len();
        if !entries.is_empty() {
            spent.push((mailbox, entries));
        }
    }
    Ok(spent)
}

/// What an entry became, at last and on the way: each before that from which it came.
fn heirs(tables: &dyn Tables, row: &EntryRow) -> Result<Vec<(MailboxId, EntryId)>, Error> {
    let mut heirs = Vec::new();
    let mut done = BTreeSet::new();
    let mut next: Vec<EntryId> = row.became.iter().copied().collect();
    while let Some(heir) = next.pop() {
        if !done.insert(heir) {
            continue;
        }
        let row = entry_row(tables, heir)?.unwrap_or_default();
        heirs.extend(row.place.as_ref().map(|place| (place.entry.mailbox, heir)));
        next.extend(row.became);
    }
    heirs.reverse();
    Ok(heirs)
}

fn unsettled(tables: &dyn Tables) -> Result<Vec<AccountId>, Error> {
    let mut accounts = Vec::new();
    tables.under(Table::Unsettled, &[], &mut |key, _| {
        accounts.push(AccountId(key_part(Table::Unsettled, keys::last_id(key))?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(accounts)
}

/// The living entries of a mailbox, hidden ones first, each with what it becomes.
fn moves(
    tables: &dyn Tables,
    from: MailboxId,
    to: MailboxId,
    limit: usize,
) -> Result<Vec<(EntryId, Entry)>, Error> {
    let ids = living(tables, from, limit)?;
    let mut moves = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(row) = entry_row(tables, id)? else { continue };
        let Some(place) = row.place else { continue };
        let root = row.root.unwrap_or(id);
        let mut number = 0;
        // It may have been there before, left with its mailbox, and come back. Where it is there still, by
        // another way, the two are one again; where it was expunged meanwhile, so is this one.
        while entry_row(tables, joined_id(root, to, number))?.is_some_and(|row| row.has_left()) {
            number += 1;
        }
        let entry = joined_id(root, to, number);
        moves.push((id, Entry { entry, mailbox: to, ..place.entry }));
    }
    Ok(moves)
}

/// Up to `limit` living entries of a mailbox, hidden ones first.
fn living(tables: &dyn Tables, mailbox: MailboxId, limit: usize) -> Result<Vec<EntryId>, Error> {
    let mut ids = Vec::new();
    for table in [Table::Hidden, Table::Rows] {
        tables.under(table, &keys::mailbox(mailbox), &mut |key, _| {
            if ids.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            ids.push(key_part(table, keys::split_row(key))?.1);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(ids)
}

/// Visits the rows of a table whose key begins with a mailbox and ends with an entry, but for mailboxes
/// that nobody has, until `visit` counts `limit`.
fn by_mailbox(
    tables: &dyn Tables,
    table: Table,
    limit: usize,
    visit: &mut dyn FnMut(MailboxId, EntryId) -> Result<usize, Error>,
) -> Result<(), Error> {
    let mut wanted = BTreeMap::new();
    let mut first = Vec::new();
    let last = [0xff; 64];
    loop {
        let mut skip = None;
        tables.range(table, &first, &last, Order::Ascending, &mut |key, _| {
            let mailbox = MailboxId(key_part(table, keys::first_id(key))?);
            let entry = EntryId(key_part(table, keys::last_id(key))?);
            let wanted = match wanted.get(&mailbox) {
                Some(wanted) => *wanted,
                None => {
                    let lives = living_account(tables, mailbox)?.is_some();
                    *wanted.entry(mailbox).or_insert(lives)
                }
            };
            if !wanted {
                skip = Some(mailbox);
                return Ok(ControlFlow::Break(()));
            }
            let enough = limit == 0 || visit(mailbox, entry)? >= limit;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let Some(next) = skip.and_then(|mailbox| mailbox.0.checked_add(1)) else { return Ok(()) };
        first = keys::mailbox(MailboxId(next)).to_vec();
    }
}

/// The account of the mailbox, unless it is removed.
fn living_account(tables: &dyn Tables, mailbox: MailboxId) -> Result<Option<AccountId>, Error> {
    let Some(account) = box_row(tables, mailbox)?.account() else { return Ok(None) };
    let removed = account_row(tables, account)?.removal().is_some();
    Ok(if removed { None } else { Some(account) })
}
