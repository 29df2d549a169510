//! What is asked of the store.

use std::collections::BTreeSet;

use record::op::Stamp;
use record::{AccountId, Clock, Side};

use crate::error::Error;
use crate::password::{spend_the_time, verify_password};
use crate::rows::{AccountRow, SettingRow, account_key, address_prefix, decode, key_account};
use crate::tables::{Table, Tables};
use crate::users::Users;

/// The setting that lists the pair's mail domains, one a line.
pub const SETTING_DOMAINS: &str = "domains";

/// A living account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub id: AccountId,
    /// `local@domain`, lower case, unique: of two accounts that were created with one address the lower
    /// id has it, and shows the mail of both. The other is listed no more; it is still known as
    /// `local-XXXXXXXX@domain` with the beginning of its id, for sessions that began with it.
    pub address: String,
    /// Of this id. One that lost its address keeps its own home, which goes on ordering its mailboxes
    /// ([`Users::home`]).
    pub home: Side,
}

/// An account that was removed, and waits for its end: mail that came across the removal revives it (it
/// is created once more, with these fields).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    pub id: AccountId,
    pub address: String,
    pub home: Side,
    pub password_hash: String,
    pub since: Clock,
}

impl Users {
    /// The account that mail for `address` belongs to; case and outer white space do not count.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn account_by_address(&self, address: &str) -> Result<Option<Account>, Error> {
        self.read(|tables| match find(tables, address)? {
            Some(id) => account(tables, id),
            None => Ok(None),
        })
    }

    /// `None` when it never was or is removed.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, Error> {
        self.read(|tables| account(tables, id))
    }

    /// Every living account that has its address, sorted by it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.read(|tables| {
            let mut ids = Vec::new();
            tables.under(Table::Addresses, &[], &mut |key, _| {
                ids.push(key_account(Table::Addresses, key)?);
                Ok(())
            })?;
            let mut accounts = Vec::with_capacity(ids.len());
            for id in ids {
                let known = account_row(tables, id)?.unwrap_or_default();
                let address = known.living_address().unwrap_or_default();
                if holders(tables, address)?.first() == Some(&id) {
                    accounts.extend(account(tables, id)?);
                }
            }
            accounts.sort_by(|a, b| a.address.cmp(&b.address));
            Ok(accounts)
        })
    }

    /// The living accounts of one address, the one that has it first. Whoever removes an account removes
    /// all of these, or the next one takes its place.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn accounts_of(&self, address: &str) -> Result<Vec<AccountId>, Error> {
        self.read(|tables| holders(tables, &normal_address(address)))
    }

    /// A removed account; none when it lives or never was.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn removed(&self, id: AccountId) -> Result<Option<Removed>, Error> {
        self.read(|tables| Ok(account_row(tables, id)?.and_then(|row| removed(id, &row))))
    }

    /// Every removed account.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn all_removed(&self) -> Result<Vec<Removed>, Error> {
        self.read(|tables| {
            let mut all = Vec::new();
            tables.under(Table::Accounts, &[], &mut |key, bytes| {
                let id = key_account(Table::Accounts, key)?;
                all.extend(removed(id, &decode(Table::Accounts, bytes)?));
                Ok(())
            })?;
            Ok(all)
        })
    }

    /// The side that orders the account's writes, also of a removed one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn home(&self, id: AccountId) -> Result<Option<Side>, Error> {
        self.read(|tables| Ok(account_row(tables, id)?.and_then(|row| row.home())))
    }

    /// Where the account's home has moved since it was created, and the stamp of that.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn moved_home(&self, id: AccountId) -> Result<Option<(Stamp, Side)>, Error> {
        self.read(|tables| {
            let moved = account_row(tables, id)?.and_then(|row| row.home);
            Ok(moved.map(|home| (home.stamp, home.value)))
        })
    }

    /// The account whose address and password these are. An address that nobody has takes as long as a
    /// wrong password. Takes many milliseconds and megabytes ([`crate::limits`]): not for an event loop.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn verify(&self, address: &str, password: &str) -> Result<Option<AccountId>, Error> {
        Ok(match self.credentials(address)? {
            Some((id, hash)) => verify_password(&hash, password).then_some(id),
            None => {
                spend_the_time();
                None
            }
        })
    }

    /// Whose address this is, with the hash of the password in force: of several accounts of one address
    /// the one that was set for the first of them, else the one that was set last for another, else the
    /// last that one of them was created with. For callers that remember what they
    /// verified: a changed password has another hash.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn credentials(&self, address: &str) -> Result<Option<(AccountId, String)>, Error> {
        self.read(|tables| {
            let Some(id) = find(tables, address)? else { return Ok(None) };
            let holders = holders(tables, &normal_address(address))?;
            let others = holders.into_iter().filter(|other| *other != id);
            let mut best = None;
            for holder in std::iter::once(id).chain(others) {
                let row = account_row(tables, holder)?.unwrap_or_default();
                let Some((hash, was_set, stamp)) = row.password() else { continue };
                let rank = (was_set, was_set && holder == id, stamp.clock, stamp.writer);
                if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                    best = Some((rank, hash.to_owned()));
                }
            }
            Ok(best.map(|(_, hash)| (id, hash)))
        })
    }

    /// # Errors
    /// When the disk fails.
    pub fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(|tables| setting(tables, key))
    }

    /// Every setting, sorted by name.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn settings(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.read(|tables| {
            let mut settings = Vec::new();
            tables.under(Table::Settings, &[], &mut |key, bytes| {
                let row: SettingRow = decode(Table::Settings, bytes)?;
                settings.push((String::from_utf8_lossy(key).into_owned(), row.value));
                Ok(())
            })?;
            Ok(settings)
        })
    }

    /// The domains whose mail ends here: those of the setting [`SETTING_DOMAINS`], and those of all living
    /// accounts, since an account that could get no mail would be a trap.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn local_domains(&self) -> Result<BTreeSet<String>, Error> {
        let listed = self.setting(SETTING_DOMAINS)?.unwrap_or_default();
        let mut domains: BTreeSet<String> = String::from_utf8_lossy(&listed)
            .lines()
            .map(normal_address)
            .filter(|domain| !domain.is_empty())
            .collect();
        for account in self.accounts()? {
            if let Some((_, domain)) = account.address.rsplit_once('@') {
                domains.insert(domain.to_owned());
            }
        }
        Ok(domains)
    }
}

/// Lower case, without outer white space.
pub(crate) fn normal_address(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The account that is seen under the address.
fn find(tables: &dyn Tables, address: &str) -> Result<Option<AccountId>, Error> {
    let address = normal_address(address);
    if let Some(owner) = holders(tables, &address)?.first() {
        return Ok(Some(*owner));
    }
    let Some((shared, tag)) = split_apart(&address) else { return Ok(None) };
    let holders = holders(tables, &shared)?;
    Ok(holders.into_iter().skip(1).find(|id| apart_tag(*id) == tag))
}

/// The living accounts that were created with the address, lowest id (the owner) first.
fn holders(tables: &dyn Tables, address: &str) -> Result<Vec<AccountId>, Error> {
    let mut ids = Vec::new();
    tables.under(Table::Addresses, &address_prefix(address), &mut |key, _| {
        ids.push(key_account(Table::Addresses, key)?);
        Ok(())
    })?;
    Ok(ids)
}

fn account(tables: &dyn Tables, id: AccountId) -> Result<Option<Account>, Error> {
    let Some(row) = account_row(tables, id)? else { return Ok(None) };
    let (Some(address), Some(home)) = (row.living_address(), row.home()) else { return Ok(None) };
    let owner = holders(tables, address)?.first() == Some(&id);
    let address = if owner { address.to_owned() } else { apart(address, id) };
    Ok(Some(Account { id, address, home }))
}

fn removed(id: AccountId, row: &AccountRow) -> Option<Removed> {
    let since = row.removal()?.clock;
    let address = row.created.as_ref()?.address.clone();
    let (home, password_hash) = (row.home()?, row.password()?.0.to_owned());
    Some(Removed { id, address, home, password_hash, since })
}

/// The address under which the second of two accounts of one address is seen.
fn apart(address: &str, id: AccountId) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}-{}@{domain}", apart_tag(id)),
        None => format!("{address}-{}", apart_tag(id)),
    }
}

/// The shared address and the tag, of an address that [`apart`] made.
fn split_apart(address: &str) -> Option<(String, &str)> {
    let (local, domain) = match address.rsplit_once('@') {
        Some((local, domain)) => (local, Some(domain)),
        None => (address, None),
    };
    let (local, tag) = local.rsplit_once('-')?;
    let shared = match domain {
        Some(domain) => format!("{local}@{domain}"),
        None => local.to_owned(),
    };
    Some((shared, tag))
}

fn apart_tag(id: AccountId) -> String {
    format!("{:08x}", id.0 >> 96)
}

fn account_row(tables: &dyn Tables, id: AccountId) -> Result<Option<AccountRow>, Error> {
    let bytes = tables.get(Table::Accounts, &account_key(id))?;
    bytes.map(|bytes| decode(Table::Accounts, &bytes)).transpose()
}

fn setting(tables: &dyn Tables, key: &str) -> Result<Option<Vec<u8>>, Error> {
    let bytes = tables.get(Table::Settings, key.as_bytes())?;
    let row: Option<SettingRow> = bytes.map(|bytes| decode(Table::Settings, &bytes)).transpose()?;
    Ok(row.map(|row| row.value))
}
