//! The picture of a running maild: what the console, the panel and the tests are shown.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One moment of one box, as its maild sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The box's name for people, usually the first label of its host name.
    pub box_name: String,
    pub hostname: String,
    pub side: Side,
    /// The firmware's version.
    pub version: String,
    pub view: View,
    pub healthy: bool,
    /// One sentence for the owner: "all is well", or what is wrong, what it means, what to do.
    pub health: String,
    /// The box's own addresses on the LAN that it can use now.
    pub own_addresses: Vec<IpAddr>,
    /// The service addresses that this box answers on now.
    pub held_addresses: Vec<IpAddr>,
    pub links: Vec<Link>,
    pub log: Log,
    /// What is known of the peer; `None` while none was ever heard since the start.
    pub peer: Option<Peer>,
    /// Unix seconds since when new mail is on this box only; `None` while the peer has all of it.
    pub one_copy_since_s: Option<u64>,
    /// How many messages exist on this box only.
    pub one_copy_messages: u64,
    pub accounts: u64,
    pub messages: u64,
    /// Seconds since maild started.
    pub uptime_s: u64,
    /// Maild's resident memory.
    pub memory_bytes: u64,
    /// Free room on the data disk.
    pub disk_free_bytes: u64,
    /// This box is in maintenance: it answers at no address until its owner ends that.
    pub maintenance: bool,
    /// This box could serve, and waits for its owner's word to take its address back, after a
    /// handover or because give-back is by hand.
    pub waits_for_give_back: bool,
    /// Whether the witness answers; `None` where none is configured.
    pub witness: Option<bool>,
    pub upkeep: Upkeep,
    /// The newest record format that the pair writes.
    pub record_format: u16,
    /// Why the two boxes' programs cannot replicate, for the owner; `None` while they can.
    pub refused: Option<String>,
}

/// What becomes of the box's log while it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Records that cannot be read on this box's disk now.
    pub damaged: u64,
    /// Of those, the other box could not give a good copy, so far.
    pub put_off: u64,
    /// Records mended from the other box since maild started.
    pub mended: u64,
    /// Times that every record was read and checked since then.
    pub scrub_rounds: u64,
    /// Bytes read for that.
    pub scrubbed_bytes: u64,
    /// Room of deleted mail that was given back since then.
    pub reclaimed_bytes: u64,
}

/// One of the two boxes of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    A,
    B,
}

impl Side {
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// Who is in the pair, as far as this box serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    /// Opening or rebuilding the stores.
    Starting,
    /// In no view: nothing is shown or acknowledged until the peer is joined or known to be dead.
    Waiting,
    /// Both boxes hold and serve everything.
    Both,
    /// This box serves by itself.
    Alone,
}

/// One way to the peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub path: LinkPath,
    /// The port's name in the kernel.
    pub port: String,
    /// Whether the port sees a cable with something at its end.
    pub carrier: bool,
    /// Milliseconds since the last heartbeat on this path; `None` when none was ever heard.
    pub heard_ms: Option<u64>,
    /// Whether the replication session runs on this path.
    pub carries_session: bool,
    /// Heartbeats come in now.
    pub up: bool,
    /// The round trip of heartbeats, smoothed.
    pub round_trip_us: Option<u64>,
    /// Of the last 128 heartbeats of the peer.
    pub loss_percent: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkPath {
    Crossover,
    Lan,
    Serial,
}

/// How far the log is: counts of records in this box's log, whoever wrote them.
/// `applied <= synced <= end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Known here.
    pub end: u64,
    /// Durable on this box's disk.
    pub synced: u64,
    /// Visible in the mailbox index and the user store.
    pub applied: u64,
}

impl Log {
    /// How much of the log the mailboxes and the user store have taken in, in percent, while they are far
    /// behind it: after a start without them all of it has to be read. `None` when they keep up.
    #[must_use]
    pub fn taking_in_percent(&self) -> Option<u64> {
        let behind = self.end.saturating_sub(self.applied);
        (behind > KEEPS_UP_RECORDS).then(|| self.applied.saturating_mul(100) / self.end)
    }
}

/// So many records are under way now and then in ordinary times.
const KEEPS_UP_RECORDS: u64 = 10_000;

/// The peer, as it last described itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub hostname: String,
    pub version: String,
    pub healthy: bool,
    /// Records that the peer has told us it holds durably.
    pub synced: u64,
    /// Records that one box has and the other still lacks, both ways.
    pub behind: u64,
    /// Milliseconds since anything was heard from it on any path.
    pub heard_ms: u64,
}

/// Digests of the state that follows from the log. Two boxes whose `applied` are equal must have
/// equal `parts` (promise P2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub parts: Vec<DigestPart>,
    /// How many records of each writer are in the state, sorted by (side, incarnation).
    pub applied: Vec<AppliedWriter>,
}

/// The digest of one store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestPart {
    /// "mailbox", "users"
    pub name: String,
    /// Lower-case hexadecimal.
    pub hex: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedWriter {
    pub side: Side,
    pub incarnation: u128,
    pub count: u64,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::A => "a",
            Side::B => "b",
        })
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            View::Starting => "starting",
            View::Waiting => "waiting",
            View::Both => "both",
            View::Alone => "alone",
        })
    }
}

impl fmt::Display for LinkPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkPath::Crossover => "crossover",
            LinkPath::Lan => "LAN",
            LinkPath::Serial => "serial",
        })
    }
}
