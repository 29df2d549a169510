//! Accounts, as far as mailboxes hang on them: whose address, and whether they live.

use std::ops::ControlFlow;

use record::op::Stamp;
use record::{AccountId, Address, MailboxId};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::naming::normal_address;
use crate::rows::{Founded, Removed, key_part};
use crate::tables::Table;

impl Batch<'_> {
    /// A creation after a removal takes the removal back.
    pub(super) fn create_account(
        &mut self,
        account: AccountId,
        address: &str,
        stamp: &Stamp,
    ) -> Result<(), Error> {
        self.account_boxes_changed(account)?;
        self.change_account(account, |row| match &mut row.created {
            None => {
                let address = normal_address(address);
                row.created =
                    Some(Founded { address, first: stamp.clone(), latest: stamp.clone() });
            }
            Some(known) => {
                if known.first.later_than(stamp) {
                    known.address = normal_address(address);
                    known.first = stamp.clone();
                }
                if stamp.later_than(&known.latest) {
                    known.latest = stamp.clone();
                }
            }
        })
    }

    /// Hides the account's mailboxes; what is in them stays.
    pub(super) fn remove_account(
        &mut self,
        at: Address,
        account: AccountId,
        stamp: Stamp,
    ) -> Result<(), Error> {
        self.account_boxes_changed(account)?;
        let mut held = self.writer(at.writer)?.seen.0.clone();
        held.insert(at.writer, at.index + 1);
        self.change_account(account, |row| {
            if !row.removed.as_ref().is_some_and(|known| known.stamp.later_than(&stamp)) {
                row.removed = Some(Removed { stamp, held });
            }
        })
    }

    fn account_boxes_changed(&mut self, account: AccountId) -> Result<(), Error> {
        let changed = &mut self.changed;
        self.tables.under(Table::AccountBoxes, &keys::account(account), &mut |key, _| {
            changed.insert(MailboxId(key_part(Table::AccountBoxes, keys::last_id(key))?));
            Ok(ControlFlow::Continue(()))
        })
    }
}
