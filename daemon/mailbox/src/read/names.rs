//! Mailboxes and their names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use record::{AccountId, MailboxId, ModSeq, Uid};

use super::{Counts, Mailbox};
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::naming::{self, account_row, box_row, canonical_name, tally};
use crate::rows::{AccountRow, BoxRow, SubscriptionRow, Tally, decode, key_part};
use crate::tables::{Table, Tables};

impl Index {
    /// The account's mailboxes, sorted by name. Empty for an account that is unknown or removed. Those of
    /// another account of the same address are only in [`Index::household`]: who writes to them must name
    /// that account, not this one.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, Error> {
        let mut mailboxes = self.household(account)?;
        mailboxes.retain(|mailbox| mailbox.account == account);
        Ok(mailboxes)
    }

    /// The mailboxes of all accounts of this one's address, sorted by name: what its owner sees. A wish
    /// about one of them names [`Mailbox::account`].
    ///
    /// # Errors
    /// When the disk fails.
    pub fn household(&self, account: AccountId) -> Result<Vec<Mailbox>, Error> {
        self.read(|tables| {
            let names = naming::names(tables, account)?;
            let mut mailboxes = names
                .seen
                .iter()
                .map(|(id, name)| mailbox(tables, *id, name))
                .collect::<Result<Vec<_>, _>>()?;
            mailboxes.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(mailboxes)
        })
    }

    /// The account that sees the mailboxes of this one's household: the lowest id of its address. `None`
    /// when it is removed.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn household_owner(&self, account: AccountId) -> Result<Option<AccountId>, Error> {
        self.read(|tables| naming::owner(tables, account))
    }

    /// The highest UIDVALIDITY that a mailbox of the household ever had, also one that is gone: whatever
    /// name a new mailbox gets, it must not be taken for one of those.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn highest_uid_validity(&self, account: AccountId) -> Result<u32, Error> {
        self.read(|tables| {
            let mut highest = 0;
            for member in naming::members(tables, account)? {
                for id in naming::boxes_of(tables, member)? {
                    let created = box_row(tables, id)?.created;
                    highest = highest.max(created.map_or(0, |created| created.uid_validity));
                }
            }
            Ok(highest)
        })
    }

    /// INBOX in any case (RFC 9051 §5.1); other names as they are. Among the account's own.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailbox_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, Error> {
        let found = self.household_by_name(account, name)?;
        Ok(found.filter(|mailbox| mailbox.account == account))
    }

    /// Among those of all accounts of its address.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn household_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, Error> {
        self.read(|tables| {
            let names = naming::names(tables, account)?;
            let found = names.seen.iter().find(|(_, known)| *known == canonical_name(name));
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
            let names = naming::names(tables, account)?;
            names.seen.get(&id).map(|name| mailbox(tables, id, name)).transpose()
        })
    }

    /// The account that the mailbox was created for, also of a deleted one: its home orders what happens
    /// in it, for ever.
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
            let all = subscriptions(tables, &naming::members(tables, account)?)?;
            Ok(all.into_iter().filter(|(_, row)| row.subscribed).map(|(name, _)| name).collect())
        })
    }

    /// Every mailbox of every account, sorted by owner and name.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailboxes_all(&self) -> Result<Vec<Mailbox>, Error> {
        self.read(|tables| {
            let mut accounts = BTreeSet::new();
            tables.under(Table::AccountBoxes, &[], &mut |key, _| {
                accounts.insert(AccountId(key_part(Table::AccountBoxes, keys::first_id(key))?));
                Ok(ControlFlow::Continue(()))
            })?;
            let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
            for account in accounts {
                // Of a household once: by the first of its accounts that has a mailbox.
                let members = naming::members(tables, account)?;
                if members.iter().any(|other| *other < account && seen.contains(other)) {
                    continue;
                }
                seen.insert(account);
                let names = naming::names(tables, account)?;
                for (id, name) in &names.seen {
                    all.push(mailbox(tables, *id, name)?);
                }
            }
            all.sort_by(|a: &Mailbox, b| (a.owner, &a.name).cmp(&(b.owner, &b.name)));
            Ok(all)
        })
    }

    /// Every mailbox that was ever created, with the account whose home orders it: those that nobody sees
    /// at present are in it, since they may be seen again.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn mailboxes_ever(&self) -> Result<Vec<(AccountId, MailboxId)>, Error> {
        self.read(|tables| {
            let mut all = Vec::new();
            tables.under(Table::AccountBoxes, &[], &mut |key, _| {
                let account = AccountId(key_part(Table::AccountBoxes, keys::first_id(key))?);
                let mailbox = MailboxId(key_part(Table::AccountBoxes, keys::last_id(key))?);
                all.push((account, mailbox));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(all)
        })
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
            // An empty mailbox says HIGHESTMODSEQ 1: its first message must be above that.
            let modseq = tally.top_modseq.max(floor.floor_modseq).max(ModSeq(1));
            Ok((tally.top_uid.max(floor.floor_uid), modseq))
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

fn mailbox(tables: &dyn Tables, id: MailboxId, name: &str) -> Result<Mailbox, Error> {
    let created = key_part(Table::Boxes, box_row(tables, id)?.created)?;
    let members = naming::members(tables, created.account)?;
    let tally = tally(tables, id)?;
    Ok(Mailbox {
        id,
        account: created.account,
        owner: members.first().copied().unwrap_or(created.account),
        name: name.to_owned(),
        uid_validity: created.uid_validity,
        uid_next: Uid(tally.top_uid.0.saturating_add(1)),
        highest_modseq: tally.top_modseq.max(ModSeq(1)),
        messages: tally.messages,
        unseen: tally.unseen,
        deleted: tally.deleted,
        size_bytes: tally.size_bytes,
        subscribed: subscriptions(tables, &members)?.get(name).is_some_and(|row| row.subscribed),
    })
}

/// Of several accounts of one address the latest stamp decides.
fn subscriptions(
    tables: &dyn Tables,
    members: &[AccountId],
) -> Result<BTreeMap<String, SubscriptionRow>, Error> {
    let mut all: BTreeMap<String, SubscriptionRow> = BTreeMap::new();
    for account in members {
        tables.under(Table::Subscriptions, &keys::account(*account), &mut |key, bytes| {
            let row: SubscriptionRow = decode(Table::Subscriptions, bytes)?;
            let name = key.get(16..).and_then(|name| std::str::from_utf8(name).ok());
            let name = key_part(Table::Subscriptions, name)?;
            if !all.get(name).is_some_and(|known| known.stamp.later_than(&row.stamp)) {
                all.insert(name.to_owned(), row);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(all)
}
