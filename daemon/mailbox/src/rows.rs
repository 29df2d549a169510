//! What stands in the tables.
//!
//! | table | key | row |
//! |---|---|---|
//! | meta | name | format and log; the applied position |
//! | writers | writer | [`WriterRow`] |
//! | accounts | account | [`AccountRow`] |
//! | addresses | address, 0, account | nothing: every living account by the address of its creation |
//! | subscriptions | account, name | [`SubscriptionRow`] |
//! | boxes | mailbox | [`BoxRow`] |
//! | account_boxes | account, mailbox | nothing |
//! | tallies | mailbox | [`Tally`] |
//! | entries | entry | [`EntryRow`] |
//! | placements | mailbox, writer, index | [`PlacementRow`]: every placement ever, old ones are tombstones |
//! | rows | mailbox, UID, entry | [`Row`]: what clients see |
//! | hidden | mailbox, UID, entry | nothing: alive, but overtaken |
//! | fresh | mailbox, writer, index | [`PlacementRow`]: the placements behind `rows` |
//! | touched | mailbox, writer, index, entry | [`ModSeq`]: touches that may yet be overtaken |
//! | stale | mailbox, entry | nothing: to be stamped again |
//! | stale_heirs | entry | nothing: likewise, and it became others, in whatever mailboxes |
//! | bodies | writer, index of the first part | [`BodyUse`] |
//! | unsettled | account | nothing: mailboxes to join, or a removal that mail came across |
//! | facts | writer, index of the body's first part | [`FactsRow`]; not derived from the log |
//! | facts_age | number | [`FactsAge`]: which facts go first when there are too many |
//! | queue | message | [`QueueRow`]: messages for other hosts, sent ones too |
//! | unsent | message | nothing: there is a recipient who has not got it, and may yet |
//!
//! Rows are postcard-encoded. A change of any of them is a new [`FORMAT`]; the index is built again then.

use std::collections::{BTreeMap, BTreeSet};

use record::op::{Seen, Stamp};
use record::{
    AccountId, Address, AttemptId, BodyRef, Entry, EntryId, Flag, MailboxId, ModSeq, Outbound,
    Sent, Side, Uid, Vector, View, Writer,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::tables::{Table, Tables};

/// Version of everything in this file.
pub(crate) const FORMAT: u32 = 5;

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
    /// Its latest view, and that view's number.
    pub(crate) view: Option<(View, u64)>,
    /// So many of its records are on its own side's disk, as the other side was told.
    pub(crate) on_disk: u64,
    /// The newest record format that it said the pair writes; 0 when it never said so.
    pub(crate) format: u16,
}

/// What one side has given in a mailbox while it was alone: in its latest episode that gave anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lane {
    /// The number of the view.
    pub episode: u64,
    /// The first and the last UID; none while only flags changed.
    pub first: Uid,
    pub uid: Uid,
    pub modseq: ModSeq,
}

impl Lane {
    pub(crate) fn give(&mut self, episode: u64, uid: Uid, modseq: ModSeq) {
        if self.episode < episode {
            *self = Lane { episode, ..Lane::default() };
        }
        if self.episode == episode {
            if self.first == Uid(0) {
                self.first = uid;
            }
            self.uid = self.uid.max(uid);
            self.modseq = self.modseq.max(modseq);
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AccountRow {
    pub(crate) floor_uid: Uid,
    pub(crate) floor_modseq: ModSeq,
    /// The lost disks of which all is below the floor.
    pub(crate) burnt: BTreeSet<u128>,
    pub(crate) created: Option<Founded>,
    pub(crate) removed: Option<Removed>,
}

/// Of one id's creations the first gives the address; the latest tells whether a removal holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Founded {
    /// Lower case, without outer white space.
    pub(crate) address: String,
    pub(crate) first: Stamp,
    pub(crate) latest: Stamp,
}

/// The latest removal of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Removed {
    pub(crate) stamp: Stamp,
    /// What its writer held: mail beyond this was not meant.
    pub(crate) held: Vector,
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
    pub(crate) joined: Option<Joined>,
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

/// Another mailbox of the same name took this one in. Holds until a later renaming.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) into: MailboxId,
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
    /// Rows with `\Deleted`.
    pub(crate) deleted: u64,
    /// Of all rows.
    pub(crate) size_bytes: u64,
    /// Counts the batches that changed the rows: depends on the order of arrival, not in the digest.
    pub(crate) version: u64,
    /// Each writer's latest placement here.
    pub(crate) latest: BTreeMap<Writer, Latest>,
    /// What each side gave here while it was alone.
    pub(crate) lanes: BTreeMap<Side, Lane>,
    /// Each writer's latest MODSEQ here.
    pub(crate) stamps: BTreeMap<Writer, LatestModSeq>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct LatestModSeq {
    pub(crate) index: u64,
    /// The highest of this writer here so far.
    pub(crate) modseq: ModSeq,
    /// Have they risen from each record to the next? Every sound writer's do.
    pub(crate) rising: bool,
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
    /// Whoever ended it, by record: somebody wished the message gone, or moved it.
    pub(crate) ended: Vector,
    /// Whoever ended it here alone: it went on in the mailbox that took this one in, or went with its
    /// mailbox. Either is for ever.
    pub(crate) left: Vector,
    /// The changes that no later one has seen, one for each writer at most.
    pub(crate) touches: BTreeMap<Writer, Touch>,
    /// The entries that it became when its mailbox was joined to another.
    pub(crate) became: BTreeSet<EntryId>,
    /// The first of the entries that became this one.
    pub(crate) root: Option<EntryId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) entry: Entry,
    pub(crate) uid: Uid,
    pub(crate) at: Address,
    /// Never on an expunged entry: which of two ends came first must not show.
    pub(crate) overtaken: bool,
}

/// A record that gave the entry a MODSEQ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Touch {
    pub(crate) index: u64,
    pub(crate) mailbox: MailboxId,
    pub(crate) modseq: ModSeq,
    pub(crate) kind: TouchKind,
    /// Concurrent with a MODSEQ in its mailbox that is not lower.
    pub(crate) overtaken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum TouchKind {
    /// Something that clients see.
    Change,
    /// A MODSEQ and nothing else.
    Stamp,
    /// Into the mailbox that took this one in.
    Join,
}

/// Who needs the bytes of a message. Of an entry that changes its body (no sound box does that) the ends
/// stay in here: that errs to the side of keeping.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BodyUse {
    pub(crate) parts: u32,
    /// Entries with this body.
    pub(crate) entries: u64,
    /// Those that are not expunged.
    pub(crate) living: u64,
    /// What ended the others.
    pub(crate) ended: Vector,
}

/// A message for other hosts, as far as its records have been applied.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct QueueRow {
    pub(crate) queued: Option<Outbound>,
    /// By whom, and whether it is known how it went.
    pub(crate) attempts: BTreeMap<AttemptId, QueueAttempt>,
    /// The best that was ever heard of each recipient: who has it once has it.
    pub(crate) sent: BTreeMap<u32, Sent>,
    /// The records that said so.
    pub(crate) ended: Vector,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct QueueAttempt {
    pub(crate) side: Option<Side>,
    pub(crate) over: bool,
}

impl QueueRow {
    /// Nobody is left who may yet get it.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = |recipient: usize| {
            let sent = u32::try_from(recipient).ok().and_then(|index| self.sent.get(&index));
            matches!(sent, Some(Sent::Taken | Sent::Refused { .. }))
        };
        self.queued.as_ref().is_none_or(|queued| (0..queued.recipients.len()).all(settled))
    }
}

/// What somebody found out about a message by reading it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FactsRow {
    /// The writer's format of `bytes`.
    pub(crate) format: u32,
    pub(crate) age: u64,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FactsAge {
    /// Of the row in `facts`.
    pub(crate) key: Vec<u8>,
    pub(crate) bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PlacementRow {
    pub(crate) uid: Uid,
    pub(crate) entry: EntryId,
}

impl AccountRow {
    /// The latest removal, unless the account was created again after it.
    pub(crate) fn removal(&self) -> Option<&Removed> {
        let removed = self.removed.as_ref()?;
        let again = self.created.as_ref().is_some_and(|c| c.latest.later_than(&removed.stamp));
        if again { None } else { Some(removed) }
    }

    /// The address that it was created with, while it lives.
    pub(crate) fn living_address(&self) -> Option<&str> {
        let created = self.created.as_ref()?;
        if self.removal().is_some() { None } else { Some(&created.address) }
    }
}

impl BoxRow {
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.created.as_ref().map(|created| created.account)
    }

    pub(crate) fn name(&self) -> Option<&str> {
        let created = self.created.as_ref()?;
        Some(self.renamed.as_ref().map_or(&created.name, |renamed| &renamed.name))
    }

    /// The mailbox that took this one in.
    pub(crate) fn joined_into(&self) -> Option<MailboxId> {
        let joined = self.joined.as_ref()?;
        let renamed = self.renamed.as_ref().is_some_and(|r| r.stamp.later_than(&joined.stamp));
        if renamed { None } else { Some(joined.into) }
    }
}

impl EntryRow {
    pub(crate) fn expunged(&self) -> bool {
        !(self.ended.is_empty() && self.left.is_empty())
    }

    /// Did it go with its mailbox, or on into another, while nobody wished it gone?
    pub(crate) fn has_left(&self) -> bool {
        self.ended.is_empty() && !self.left.is_empty()
    }

    /// Takes in what another entry, that became this one, has that this one must have too.
    pub(crate) fn inherit(&mut self, from: &EntryRow) {
        for (key, change) in &from.changes {
            let newer = |known: &FlagState| known.stamp.later_than(&change.stamp);
            if !self.changes.get(key).is_some_and(newer) {
                self.changes.insert(key.clone(), change.clone());
            }
        }
        merge(&mut self.ended, &from.ended);
    }

    /// Must its home stamp it again? A change that came across the joining of its mailbox counts: it
    /// shows in the mailbox that took this one in, where no MODSEQ tells of it.
    pub(crate) fn stale(&self) -> bool {
        let across = |touch: &Touch| touch.kind == TouchKind::Change && !self.became.is_empty();
        self.touches.values().any(|touch| touch.overtaken || across(touch))
    }

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

/// The larger of both, for each writer.
pub(crate) fn merge(vector: &mut Vector, other: &Vector) {
    for (writer, count) in other {
        let known = vector.entry(*writer).or_default();
        *known = (*known).max(*count);
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
