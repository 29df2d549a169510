//! Mailboxes, their names, subscriptions, and the account that all of them belong to.

use std::ops::ControlFlow;

use record::op::Stamp;
use record::{AccountId, MailboxId};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::read::canonical_name;
use crate::rows::{Created, Renamed, SubscriptionRow, encode, key_part, load};
use crate::tables::Table;

impl Batch<'_> {
    pub(super) fn create_mailbox(
        &mut self,
        mailbox: MailboxId,
        account: AccountId,
        name: &str,
        uid_validity: u32,
        stamp: Stamp,
    ) -> Result<(), Error> {
        let mut row = self.box_row(mailbox)?;
        if let Some(known) = &row.created {
            if !known.stamp.later_than(&stamp) {
                return Ok(());
            }
            let key = keys::account_box(known.account, mailbox);
            self.tables.remove(Table::AccountBoxes, &key)?;
        }
        row.created = Some(Created { account, name: name.to_owned(), uid_validity, stamp });
        self.tables.put(Table::AccountBoxes, &keys::account_box(account, mailbox), &[])?;
        self.put_box(mailbox, &row)
    }

    pub(super) fn rename_mailbox(
        &mut self,
        mailbox: MailboxId,
        name: &str,
        stamp: Stamp,
    ) -> Result<(), Error> {
        let mut row = self.box_row(mailbox)?;
        if row.renamed.as_ref().is_some_and(|known| known.stamp.later_than(&stamp)) {
            return Ok(());
        }
        row.renamed = Some(Renamed { name: name.to_owned(), stamp });
        self.put_box(mailbox, &row)
    }

    pub(super) fn subscribe(
        &mut self,
        account: AccountId,
        name: &str,
        subscribed: bool,
        stamp: Stamp,
    ) -> Result<(), Error> {
        let key = keys::subscription(account, canonical_name(name));
        let known: Option<SubscriptionRow> = load(self.tables, Table::Subscriptions, &key)?;
        if known.is_some_and(|known| known.stamp.later_than(&stamp)) {
            return Ok(());
        }
        let row = SubscriptionRow { subscribed, stamp };
        self.tables.put(Table::Subscriptions, &key, &encode(&row))
    }

    /// Hides the account's mailboxes; what is in them stays.
    pub(super) fn remove_account(&mut self, account: AccountId) -> Result<(), Error> {
        let changed = &mut self.changed;
        self.tables.under(Table::AccountBoxes, &keys::account(account), &mut |key, _| {
            changed.insert(MailboxId(key_part(Table::AccountBoxes, keys::last_id(key))?));
            Ok(ControlFlow::Continue(()))
        })?;
        self.change_account(account, |row| row.removed = true)
    }
}
