//! What stands in the tables.
//!
//! | table | key | row |
//! |---|---|---|
//! | meta | name | format and log; the applied position |
//! | writers | writer | [`WriterRow`] |
//! | accounts | account | [`AccountRow`] |
//! | subscriptions | account, name | [`SubscriptionRow`] |
//! | boxes | mailbox | [`BoxRow`] |
//! | account_boxes | account, mailbox | nothing |
//! | tallies | mailbox | [`Tally`] |
//! | entries | entry | [`EntryRow`] |
//! | placements | mailbox, writer, index | [`PlacementRow`]: every placement ever, old ones are tombstones |
//! | rows | mailbox, UID, entry | [`Row`]: what clients see |
//! | hidden | mailbox, UID, entry | nothing: alive, but overtaken |
//! | fresh | mailbox, writer, index | [`PlacementRow`]: the placements behind `rows` |
//!
//! Rows are postcard-encoded. A change of any of them is a new [`FORMAT`]; the index is built again then.

use std::collections::BTreeMap;

use record::op::{Seen, Stamp};
use record::{AccountId, Address, BodyRef, Entry, EntryId, Flag, ModSeq, Uid, Writer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::tables::{Table, Tables};

/// Version of everything in this file.
pub(crate) const FORMAT: u32 = 1;

/// One message as clients see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    pub uid: Uid,
    pub entry: EntryId,
    /// Sorted by their lower-case form; each once.
    pub flags: Vec<Flag>,
    pub modseq: ModSeq,
    /// RFC822.SIZE.
    pub size_bytes: u32,
    /// INTERNALDATE, Unix seconds.
    pub internal_date_s: i64,
    pub body: BodyRef,
}

/// The latest change of one flag of one entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlagState {
    /// As the client wrote it.
    pub name: Flag,
    pub set: bool,
    pub stamp: Stamp,
}

/// A writer's records so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct WriterRow {
    /// Records of it below this index are applied.
    pub(crate) applied: u64,
    /// What it held at its latest record.
    pub(crate) seen: Seen,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AccountRow {
    pub(crate) floor_uid: Uid,
    pub(crate) floor_modseq: ModSeq,
    pub(crate) removed: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SubscriptionRow {
    pub(crate) subscribed: bool,
    pub(crate) stamp: Stamp,
}

/// A mailbox, or what is known of one before its creation.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BoxRow {
    pub(crate) created: Option<Created>,
    pub(crate) renamed: Option<Renamed>,
    pub(crate) deleted: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) uid_validity: u32,
    /// Of one id's creations the first holds.
    pub(crate) stamp: Stamp,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Renamed {
    pub(crate) name: String,
    pub(crate) stamp: Stamp,
}

/// What is counted per mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// The highest UID of any placement, shown or not.
    pub(crate) top_uid: Uid,
    /// The highest MODSEQ of any record.
    pub(crate) top_modseq: ModSeq,
    /// Entries whose place is here and that are not expunged, hidden ones included.
    pub(crate) alive: u64,
    /// Rows.
    pub(crate) messages: u64,
    /// Rows without `\Seen`.
    pub(crate) unseen: u64,
    /// Counts the batches that changed the rows: depends on the order of arrival, not in the digest.
    pub(crate) version: u64,
    /// Each writer's latest placement here.
    pub(crate) latest: BTreeMap<Writer, Latest>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Latest {
    pub(crate) index: u64,
    pub(crate) uid: Uid,
    /// Have this writer's UIDs here risen from each placement to the next? Every sound writer's do.
    pub(crate) rising: bool,
}

/// An entry, or what is known of one before its placement.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct EntryRow {
    /// The highest placement: the entry's place.
    pub(crate) place: Option<Place>,
    /// By lower-case name.
    pub(crate) changes: BTreeMap<String, FlagState>,
    /// The highest of all.
    pub(crate) modseq: ModSeq,
    /// For ever.
    pub(crate) expunged: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) entry: Entry,
    pub(crate) uid: Uid,
    pub(crate) at: Address,
    /// Never on an expunged entry: which of two ends came first must not show.
    pub(crate) overtaken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PlacementRow {
    pub(crate) uid: Uid,
    pub(crate) entry: EntryId,
}

impl BoxRow {
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.created.as_ref().map(|created| created.account)
    }

    /// The name it was given last; another mailbox may have a better right to it.
    pub(crate) fn name(&self) -> Option<&str> {
        let created = self.created.as_ref()?;
        Some(self.renamed.as_ref().map_or(&created.name, |renamed| &renamed.name))
    }
}

impl EntryRow {
    /// The flags in force: those of its birth, which every placement repeats and which therefore yield
    /// to any change, and those that were set since.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let born = self.place.iter().flat_map(|place| &place.entry.flags);
        let mut flags: BTreeMap<String, &Flag> = BTreeMap::new();
        for flag in born {
            flags.entry(flag.to_ascii_lowercase()).or_insert(flag);
        }
        for (key, change) in &self.changes {
            if change.set {
                flags.insert(key.clone(), &change.name);
            } else {
                flags.remove(key);
            }
        }
        flags.into_values().cloned().collect()
    }
}

pub(crate) fn encode(row: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(row).expect("postcard writes any row")
}

pub(crate) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes)
        .map_err(|e| Error::Row { table: table.name(), reason: e.to_string() })
}

/// A key's part that cannot be missing.
pub(crate) fn key_part<T>(table: Table, part: Option<T>) -> Result<T, Error> {
    part.ok_or_else(|| Error::Row { table: table.name(), reason: "a key is too short".into() })
}

pub(crate) fn load<T: DeserializeOwned>(
    tables: &(impl Tables + ?Sized),
    table: Table,
    key: &[u8],
) -> Result<Option<T>, Error> {
    tables.get(table, key)?.map(|bytes| decode(table, &bytes)).transpose()
}
