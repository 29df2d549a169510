//! What this crate is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Beat, Listener};
use crate::{Path, Side};

/// One thing that happened. Everything between two calls of `handle` may be given in any order.
#[derive(Clone, Debug)]
pub enum Input {
    /// The deadline came.
    Tick,
    /// A heartbeat that [`Beat::open`] accepted, and where it came from.
    Heartbeat {
        path: Path,
        beat: Beat,
    },
    /// A port got or lost its carrier; give the present state of each port once at start.
    Carrier {
        path: Path,
        up: bool,
    },
    /// The probe of the configured gateway; give each result, or at least each change.
    Gateway {
        reachable: bool,
    },
    /// Whether this box could serve a client: the loop answers, the journal syncs, listeners accept.
    /// `reason` is for people and is told to the peer, shortened.
    Health {
        ok: bool,
        reason: String,
    },
    /// What `replica` is in now; give each change.
    Replica(ReplicaState),
    /// Whether something waits for the peer's sync, and a number that grows as the peer syncs.
    Syncs {
        waiting: bool,
        synced: u64,
    },
    /// The store on this box's disk may serve alone: it has joined once (§5 "view alone").
    StoreMayServe(bool),
    /// The link says that the peer's disk holds the pair's mail, and this one never joined: what pairing
    /// said of the first box holds no more.
    PeerHasTheMail,
    /// The last view in this box's log is its own `alone`: it holds all that was ever acknowledged, so
    /// after a restart it waits 5 s for the peer and not `cold_start_wait`.
    StoreWasAlone,
    /// Where this box listens for the replication link; told to the peer in each heartbeat.
    Listener(Listener),
    Admin(Admin),
    /// Somebody else was seen with an address that this box holds, or had yielded. `owner_answers`:
    /// the owner announced its own address, and a greeting came from it at that hardware address.
    SecondHolder {
        address: Side,
        owner_answers: bool,
    },
    /// This box stood still (its clock jumped). A gap in the calls of `handle` is noticed without it.
    Resumed {
        paused_for: Duration,
    },
}

/// What the admin wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Admin {
    /// Let the peer serve this box's address; answered by `Output::HandedOver`. Lasts until
    /// `GiveBack` or the next start.
    Handover,
    /// Take this box's own address back.
    GiveBack,
    /// This box stops in order: everything is drained and committed. The peer goes on at once.
    Goodbye,
    /// Serve alone now, from a cold start or a blank disk, unless a peer is heard that serves.
    ServeAlone,
}

/// What `replica` is in, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ReplicaState {
    /// The log is being opened, or the index rebuilt.
    Starting,
    /// No session of the link, and in no view; or the session of the view `both` was lost.
    NoSession,
    /// A session, not yet in `both`.
    Joining,
    Both,
    Alone,
}
