//! Mailboxes and their names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use record::{AccountId, MailboxId, ModSeq, Uid};

use super::{Counts, Mailbox};
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::rows::{AccountRow, BoxRow, SubscriptionRow, Tally, decode, key_part, load};
use crate::tables::{Table, Tables};

impl Index {
    /// The account's mailboxes, sorted by name. Empty for an account that is unknown or removed.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, Error> {
        self.read(|tables| {
            let named = named(tables, account)?;
            let mut mailboxes = named
                .iter()
                .map(|(id, name)| mailbox(tables, *id, name))
                .collect::<Result<Vec<_>, _>>()?;
            mailboxes.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(mailboxes)
        })
    }

    /// INBOX in any case (RFC 9051 §5.1); other names as they are.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailbox_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, Error> {
        self.read(|tables| {
            let named = named(tables, account)?;
            let found = named.iter().find(|(_, known)| *known == canonical_name(name));
            found.map(|(id, name)| mailbox(tables, *id, name)).transpose()
        })
    }

    /// `None` when it never was, is deleted, or its account is removed.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailbox(&self, id: MailboxId) -> Result<Option<Mailbox>, Error> {
        self.read(|tables| {
            let Some(account) = box_row(tables, id)?.account() else { return Ok(None) };
            let named = named(tables, account)?;
            named.get(&id).map(|name| mailbox(tables, id, name)).transpose()
        })
    }

    /// The account of a mailbox, also of a deleted one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn account_of(&self, mailbox: MailboxId) -> Result<Option<AccountId>, Error> {
        self.read(|tables| Ok(box_row(tables, mailbox)?.account()))
    }

    /// The names that the account is subscribed to (RFC 9051 §6.3.7), whether they exist or not.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, Error> {
        self.read(|tables| {
            let mut names = Vec::new();
            tables.under(Table::Subscriptions, &keys::account(account), &mut |key, bytes| {
                if decode::<SubscriptionRow>(Table::Subscriptions, bytes)?.subscribed {
                    let name = key.get(16..).and_then(|name| std::str::from_utf8(name).ok());
                    names.push(key_part(Table::Subscriptions, name)?.to_owned());
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(names)
        })
    }

    /// Every mailbox of every account, sorted by account and name.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailboxes_all(&self) -> Result<Vec<Mailbox>, Error> {
        let accounts = self.read(|tables| {
            let mut accounts = BTreeSet::new();
            tables.under(Table::AccountBoxes, &[], &mut |key, _| {
                let id = key_part(Table::AccountBoxes, key.first_chunk())?;
                accounts.insert(AccountId(u128::from_be_bytes(*id)));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(accounts)
        })?;
        let mut all = Vec::new();
        for account in accounts {
            all.append(&mut self.mailboxes(account)?);
        }
        Ok(all)
    }

    /// The ids of every mailbox that was ever created, also of deleted ones.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailbox_ids(&self) -> Result<Vec<MailboxId>, Error> {
        self.read(|tables| {
            let mut ids = Vec::new();
            tables.under(Table::Boxes, &[], &mut |key, bytes| {
                if decode::<BoxRow>(Table::Boxes, bytes)?.created.is_some() {
                    ids.push(MailboxId(key_part(Table::Boxes, keys::last_id(key))?));
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(ids)
        })
    }

    /// The highest UID and MODSEQ ever given in the mailbox, or burnt by a floor: what is given next must
    /// be above both.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn top(&self, mailbox: MailboxId) -> Result<(Uid, ModSeq), Error> {
        self.read(|tables| {
            let tally = tally(tables, mailbox)?;
            let floor = match box_row(tables, mailbox)?.account() {
                Some(account) => account_row(tables, account)?,
                None => AccountRow::default(),
            };
            Ok((tally.top_uid.max(floor.floor_uid), tally.top_modseq.max(floor.floor_modseq)))
        })
    }

    /// # Errors
    /// When the disk fails.
    pub fn counts(&self) -> Result<Counts, Error> {
        let mailboxes = self.mailboxes_all()?.len() as u64;
        self.read(|tables| {
            let mut counts = Counts { mailboxes, ..Counts::default() };
            tables.under(Table::Tallies, &[], &mut |_, bytes| {
                let tally: Tally = decode(Table::Tallies, bytes)?;
                counts.messages += tally.messages;
                counts.hidden += tally.alive.saturating_sub(tally.messages);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(counts)
        })
    }
}

/// INBOX in any case is one name (RFC 9051 §5.1).
pub(crate) fn canonical_name(name: &str) -> &str {
    if name.eq_ignore_ascii_case("INBOX") { "INBOX" } else { name }
}

/// The account's living mailboxes, each with the name under which it is seen.
fn named(tables: &dyn Tables, account: AccountId) -> Result<BTreeMap<MailboxId, String>, Error> {
    if account_row(tables, account)?.removed {
        return Ok(BTreeMap::new());
    }
    let mut ids = Vec::new();
    tables.under(Table::AccountBoxes, &keys::account(account), &mut |key, _| {
        ids.push(MailboxId(key_part(Table::AccountBoxes, keys::last_id(key))?));
        Ok(ControlFlow::Continue(()))
    })?;
    let mut living = BTreeMap::new();
    for id in ids {
        let row = box_row(tables, id)?;
        // Mail that was concurrent with the deletion keeps a mailbox.
        if let Some(name) = row.name()
            && (!row.deleted || tally(tables, id)?.alive > 0)
        {
            living.insert(id, canonical_name(name).to_owned());
        }
    }
    Ok(apart(living))
}

/// Two mailboxes of one name: the lower id keeps it, the other is seen under the first free of
/// `Name (2)`, `Name (3)` ... A function of the names and ids alone, so equal on both boxes.
///
/// (To come: the lower id shows the mail of both, and the other one goes.)
fn apart(given: BTreeMap<MailboxId, String>) -> BTreeMap<MailboxId, String> {
    let mut taken = BTreeSet::new();
    let mut seen = BTreeMap::new();
    let mut twice = Vec::new();
    for (id, name) in given {
        if taken.insert(name.clone()) {
            seen.insert(id, name);
        } else {
            twice.push((id, name));
        }
    }
    for (id, name) in twice {
        let mut number = 2;
        let mut other = format!("{name} ({number})");
        while !taken.insert(other.clone()) {
            number += 1;
            other = format!("{name} ({number})");
        }
        seen.insert(id, other);
    }
    seen
}

fn mailbox(tables: &dyn Tables, id: MailboxId, name: &str) -> Result<Mailbox, Error> {
    let created = key_part(Table::Boxes, box_row(tables, id)?.created)?;
    let tally = tally(tables, id)?;
    let key = keys::subscription(created.account, name);
    let subscription: Option<SubscriptionRow> = load(tables, Table::Subscriptions, &key)?;
    Ok(Mailbox {
        id,
        account: created.account,
        name: name.to_owned(),
        uid_validity: created.uid_validity,
        uid_next: Uid(tally.top_uid.0.saturating_add(1)),
        highest_modseq: tally.top_modseq.max(ModSeq(1)),
        messages: tally.messages,
        unseen: tally.unseen,
        subscribed: subscription.is_some_and(|row| row.subscribed),
    })
}

pub(super) fn box_row(tables: &dyn Tables, mailbox: MailboxId) -> Result<BoxRow, Error> {
    Ok(load(tables, Table::Boxes, &keys::mailbox(mailbox))?.unwrap_or_default())
}

pub(super) fn account_row(tables: &dyn Tables, account: AccountId) -> Result<AccountRow, Error> {
    Ok(load(tables, Table::Accounts, &keys::account(account))?.unwrap_or_default())
}

pub(super) fn tally(tables: &dyn Tables, mailbox: MailboxId) -> Result<Tally, Error> {
    Ok(load(tables, Table::Tallies, &keys::mailbox(mailbox))?.unwrap_or_default())
}
