//! What each operation does to the tables.
//!
//! Invariant: the result is a function of the set of records. Each operation keeps a first or a latest. A
//! record about an account that was never created is kept where its creation will find it.

use record::op::Stamp;
use record::{AccountId, Op, Record};

use crate::error::Error;
use crate::read::normal_address;
use crate::rows::{
    AccountRow, Created, SettingRow, account_key, address_key, decode, encode, set_latest,
};
use crate::tables::{Changes, Table};

/// Collects what the record changes. Most records change nothing here.
pub(crate) fn apply(changes: &mut Changes<'_>, record: &Record) -> Result<(), Error> {
    let stamp = Stamp { clock: record.op.made().unwrap_or(record.clock), writer: record.writer };
    match &record.op {
        Op::CreateAccount { account, address, home, password_hash } => {
            let created = Created {
                address: normal_address(address),
                home: *home,
                password_hash: password_hash.clone(),
                latest: stamp.clone(),
                stamp,
            };
            change_account(changes, *account, |row| create(row, created))
        }
        Op::SetPassword { account, password_hash, .. } => {
            change_account(changes, *account, |row| {
                set_latest(&mut row.password, password_hash.clone(), &stamp);
            })
        }
        Op::MoveHome { account, home } => change_account(changes, *account, |row| {
            set_latest(&mut row.home, *home, &stamp);
        }),
        Op::RemoveAccount { account } => change_account(changes, *account, |row| {
            if !row.removed.as_ref().is_some_and(|known| known.later_than(&stamp)) {
                row.removed = Some(stamp);
            }
        }),
        Op::Setting { key, value } => change_setting(changes, key, value, &stamp),
        // The mailbox index's, the journal's and the replica's.
        Op::Start
        | Op::Gap { .. }
        | Op::Format { .. }
        | Op::View { .. }
        | Op::Body(_)
        | Op::Place { .. }
        | Op::Flags { .. }
        | Op::Expunge { .. }
        | Op::Move { .. }
        | Op::Floor { .. }
        | Op::CreateMailbox { .. }
        | Op::RenameMailbox { .. }
        | Op::DeleteMailbox { .. }
        | Op::Subscribe { .. }
        | Op::Queue(_)
        | Op::Attempt { .. }
        | Op::Outcome { .. } => Ok(()),
    }
}

/// The first creation gives the fields, the latest tells whether a removal holds.
fn create(row: &mut AccountRow, mut created: Created) {
    if let Some(known) = row.created.take() {
        let latest = if created.latest.later_than(&known.latest) {
            created.latest.clone()
        } else {
            known.latest.clone()
        };
        if !known.stamp.later_than(&created.stamp) {
            created = known;
        }
        created.latest = latest;
    }
    row.created = Some(created);
}

/// Changes an account, and with it the table that finds it by its address.
fn change_account(
    changes: &mut Changes<'_>,
    account: AccountId,
    change: impl FnOnce(&mut AccountRow),
) -> Result<(), Error> {
    let key = account_key(account);
    let before: AccountRow = match changes.get(Table::Accounts, &key)? {
        Some(bytes) => decode(Table::Accounts, &bytes)?,
        None => AccountRow::default(),
    };
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(());
    }
    if let Some(address) = before.living_address() {
        changes.remove(Table::Addresses, &address_key(address, account));
    }
    if let Some(address) = after.living_address() {
        changes.put(Table::Addresses, &address_key(address, account), Vec::new());
    }
    changes.put(Table::Accounts, &key, encode(&after));
    Ok(())
}

fn change_setting(
    changes: &mut Changes<'_>,
    key: &str,
    value: &[u8],
    stamp: &Stamp,
) -> Result<(), Error> {
    let mut row: Option<SettingRow> = match changes.get(Table::Settings, key.as_bytes())? {
        Some(bytes) => Some(decode(Table::Settings, &bytes)?),
        None => None,
    };
    set_latest(&mut row, value.to_vec(), stamp);
    if let Some(row) = row {
        changes.put(Table::Settings, key.as_bytes(), encode(&row));
    }
    Ok(())
}
