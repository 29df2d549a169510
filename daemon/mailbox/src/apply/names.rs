//! Mailboxes, their names, subscriptions.

use record::op::Stamp;
use record::{AccountId, MailboxId};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::naming::{self, canonical_name};
use crate::rows::{Created, Joined, Renamed, SubscriptionRow, encode, load};
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
            self.unsettled.insert(known.account);
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
        if let Some(into) = naming::joined_name(name) {
            if !row.joined.as_ref().is_some_and(|known| known.stamp.later_than(&stamp)) {
                row.joined = Some(Joined { into, stamp });
            }
        } else if !row.renamed.as_ref().is_some_and(|known| known.stamp.later_than(&stamp)) {
            row.renamed = Some(Renamed { name: name.to_owned(), stamp });
        }
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
}
