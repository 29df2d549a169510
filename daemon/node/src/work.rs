//! What the state leaves to do, as wishes that nobody waits for.
//!
//! | the index says | the home writes |
//! |---|---|
//! | overtaken placements | placed again (`replica::Input::Overtaken`, see `core`) |
//! | two mailboxes of one name | their entries moved into one, then the other's name settled |
//! | a change whose MODSEQ is overtaken | a change of no flag, stamped anew |
//! | mail that a removal of its account did not mean | the account once more |
//!
//! All of it follows from applied state, so both boxes find the same work, and writing it twice changes
//! nothing: whichever of them is the home at that moment does it.

use mailbox::{Index, Join};
use record::{AccountId, EntryId, MailboxId};
use replica::{FlagWish, MoveWish, Sabotage, Wish};
use users::Users;

use crate::limits::WORK_BATCH;

/// What there is to do, up to about [`WORK_BATCH`] entries of each kind.
///
/// # Errors
/// When a store cannot be read.
pub(crate) fn wishes(
    index: &Index,
    users: &Users,
    is_broken: impl Fn(Sabotage) -> bool,
) -> Result<Vec<Wish>, crate::Error> {
    let mut wishes = Vec::new();
    if !is_broken(Sabotage::NoJoining) {
        index.joinable(WORK_BATCH)?.into_iter().for_each(|join| joined(join, &mut wishes));
    }
    if !is_broken(Sabotage::NoStampingAgain) {
        stamped_again(index, &mut wishes)?;
    }
    if !is_broken(Sabotage::NoReviving) {
        for account in index.to_revive()? {
            wishes.extend(users.removed(account)?.map(|removed| Wish::CreateAccount {
                account,
                address: removed.address,
                home: removed.home,
                password_hash: removed.password_hash,
                // It has those that it had.
                mailboxes: Vec::new(),
                uid_validity: 0,
            }));
        }
    }
    Ok(wishes)
}

fn joined(join: Join, wishes: &mut Vec<Wish>) {
    let Join { orderer: account, from, moves, rename, .. } = join;
    if !moves.is_empty() {
        let moves = moves.into_iter().map(|(from, to)| MoveWish { from, to }).collect();
        wishes.push(Wish::Move { account, from, moves });
    }
    if let Some(name) = rename {
        wishes.push(Wish::RenameMailbox { account, mailbox: from, name });
    }
}

/// In the order that the index gives.
fn stamped_again(index: &Index, wishes: &mut Vec<Wish>) -> Result<(), crate::Error> {
    let stale = index.overtaken_modseqs(WORK_BATCH)?.into_iter();
    let mut rows = stale
        .flat_map(|one| {
            one.entries.into_iter().map(move |(mailbox, entry)| (one.orderer, mailbox, entry))
        })
        .peekable();
    while let Some((account, mailbox, entry)) = rows.next() {
        let unchanged = |entry| FlagWish { entry, set: Vec::new(), clear: Vec::new() };
        let mut changes = vec![unchanged(entry)];
        let is_same = |row: &(AccountId, MailboxId, EntryId)| (row.0, row.1) == (account, mailbox);
        while let Some((_, _, entry)) = rows.next_if(is_same) {
            changes.push(unchanged(entry));
        }
        wishes.push(Wish::Flags { account, mailbox, changes });
    }
    Ok(())
}
