//! The mail of removed accounts is expunged once the removal is for good, so that its bytes can be given back
//! like any other's.
//!
//! Mail that came across a removal takes it back (`mailbox`, `Index::to_revive`), so nothing of the account
//! may go before all such mail is known. An agreement of the two boxes ([`super::agree`]) says when it is:
//!
//! | a placement in the account that | is |
//! |---|---|
//! | either box wrote before it had applied the removal | in this box's log below `from_end`, and takes the removal back |
//! | either box writes after that | refused, there and here (`Applied::is_removed`) |
//! | an old copy of a disk brings | new to both: the account comes back with that mail, as after any removal |
//!
//! It is expunged by ordinary records of the account's home, so both boxes stay the same, whoever of them
//! knows of the agreement.

use mailbox::Index;
use record::{AccountId, Vector};
use replica::Wish;

use super::Agreed;

/// The accounts that are removed for good, as far as mail is left in them.
#[derive(Default)]
pub(crate) struct Spent {
    agreed: Option<Agreed>,
    both: Vector,
    accounts: Vec<AccountId>,
}

impl Spent {
    pub fn agreed(&mut self, agreed: &Agreed) {
        self.agreed = Some(agreed.clone());
    }

    /// What the home has to write next, about `limit` entries of it; `applied`: everything below is.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn wishes(
        &mut self,
        applied: u64,
        index: &Index,
        limit: usize,
    ) -> Result<Vec<Wish>, mailbox::Error> {
        if let Some(agreed) = self.agreed.take_if(|agreed| agreed.from_end <= applied) {
            self.both = agreed.both;
            self.accounts = index.spent_accounts(&self.both)?;
        }
        let mut wishes = Vec::new();
        while let Some(account) = self.accounts.last().copied() {
            let spent = index.spent_entries(account, &self.both, limit)?;
            if !spent.is_empty() {
                let wish = |(mailbox, entries)| Wish::Expunge { account, mailbox, entries };
                wishes.extend(spent.into_iter().map(wish));
                break;
            }
            self.accounts.pop();
        }
        Ok(wishes)
    }
}
