//! What stands in the tables.
//!
//! | table | key | row |
//! |---|---|---|
//! | meta | name | format and log; [`Progress`] |
//! | accounts | account | [`AccountRow`] |
//! | addresses | address, 0, account | nothing: every living account by the address of its creation |
//! | settings | name | [`SettingRow`] |
//!
//! Rows are postcard-encoded. A change of any of them is a new [`FORMAT`]; the store is built again then.

use record::op::Stamp;
use record::{AccountId, Side};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::tables::Table;

/// Version of everything in this file.
pub(crate) const FORMAT: u32 = 2;

pub(crate) const IDENTITY: &[u8] = b"identity";
pub(crate) const PROGRESS: &[u8] = b"progress";

/// How far the store is, written with every change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) applied: u64,
    /// Of every row outside `meta`: sled may lose one and not say so.
    pub(crate) sum: u128,
}

/// An account, or what is known of one before its creation.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AccountRow {
    pub(crate) created: Option<Created>,
    pub(crate) password: Option<Stamped<String>>,
    pub(crate) home: Option<Stamped<Side>>,
    /// The latest removal; a later creation takes it back.
    pub(crate) removed: Option<Stamp>,
}

/// Of one id's creations the first holds; its fields yield to any later change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) address: String,
    pub(crate) home: Side,
    pub(crate) password_hash: String,
    pub(crate) stamp: Stamp,
    /// Of its latest creation.
    pub(crate) latest: Stamp,
}

/// A field and the stamp of its latest change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Stamped<T> {
    pub(crate) value: T,
    pub(crate) stamp: Stamp,
}

pub(crate) type SettingRow = Stamped<Vec<u8>>;

impl AccountRow {
    /// The latest removal, unless the account was created again after it.
    pub(crate) fn removal(&self) -> Option<&Stamp> {
        let removed = self.removed.as_ref()?;
        let again = self.created.as_ref().is_some_and(|c| c.latest.later_than(removed));
        if again { None } else { Some(removed) }
    }

    /// The address that it was created with, while it lives.
    pub(crate) fn living_address(&self) -> Option<&str> {
        let created = self.created.as_ref()?;
        if self.removal().is_some() { None } else { Some(&created.address) }
    }

    pub(crate) fn home(&self) -> Option<Side> {
        let born = self.created.as_ref()?.home;
        Some(self.home.as_ref().map_or(born, |home| home.value))
    }

    /// The password in force, whether it was set since the creation, and its stamp.
    pub(crate) fn password(&self) -> Option<(&str, bool, &Stamp)> {
        let created = self.created.as_ref()?;
        Some(match &self.password {
            Some(password) => (&password.value, true, &password.stamp),
            None => (&created.password_hash, false, &created.stamp),
        })
    }
}

/// Sets a field when the change is not older than the one that stands.
pub(crate) fn set_latest<T>(field: &mut Option<Stamped<T>>, value: T, stamp: &Stamp) {
    if !field.as_ref().is_some_and(|known| known.stamp.later_than(stamp)) {
        *field = Some(Stamped { value, stamp: stamp.clone() });
    }
}

pub(crate) fn account_key(account: AccountId) -> [u8; 16] {
    account.0.to_be_bytes()
}

/// The zero ends the address: none has one inside, and no address is then the beginning of another.
pub(crate) fn address_prefix(address: &str) -> Vec<u8> {
    let mut key: Vec<u8> = address.bytes().filter(|byte| *byte != 0).collect();
    key.push(0);
    key
}

pub(crate) fn address_key(address: &str, account: AccountId) -> Vec<u8> {
    let mut key = address_prefix(address);
    key.extend_from_slice(&account_key(account));
    key
}

/// The account of a key that ends with one.
pub(crate) fn key_account(table: Table, key: &[u8]) -> Result<AccountId, Error> {
    let id = key
        .last_chunk()
        .ok_or_else(|| Error::Row { table: table.name(), reason: "a key is too short".into() })?;
    Ok(AccountId(u128::from_be_bytes(*id)))
}

pub(crate) fn encode(row: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(row).expect("postcard writes any row")
}

pub(crate) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes)
        .map_err(|e| Error::Row { table: table.name(), reason: e.to_string() })
}
