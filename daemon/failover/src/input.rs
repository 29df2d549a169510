//! What this crate is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Beat, Listener};
use crate::witness::WitnessWord;
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
    /// The probe of the configured gateway; give each answer, and each change. The peer's address is taken
    /// only after an answer that came since the peer fell silent.
    Gateway {
        reachable: bool,
    },
    /// Whether this box could serve a client: the loop answers, the journal syncs, listeners accept.
    Health(Health),
    /// What `replica` is in now; give each change.
    Replica(ReplicaState),
    /// Whether something waits for the peer's sync, and a number that grows as the peer syncs.
    Syncs {
        waiting: bool,
        synced: u64,
    },
    /// What this box has written waits for its disk longer than a join may hold up the peer's clients.
    DiskLags(bool),
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
    /// Somebody else was seen with a service address.
    SecondHolder {
        address: Side,
    },
    /// What came of `Output::AskHolder`: whether a greeting came from the one that was seen.
    HolderAnswered {
        address: Side,
        answers: bool,
    },
    /// What this box's wall clock says, Unix ms; give it every few seconds, and after a jump.
    WallClock {
        unix_ms: u64,
    },
    /// The witness answered.
    Witness(WitnessWord),
    /// This box stood still (its clock jumped). A gap in the calls of `handle` is noticed without it.
    Resumed {
        paused_for: Duration,
    },
}

/// What the admin wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Admin {
    /// Let the peer serve this box's address; answered by `Output::HandedOver`. Lasts until
    /// `GiveBack` or the next start. Should the peer die, this box serves.
    Handover,
    /// Each box takes its own address back: this one after a handover, or where give-back is by hand;
    /// the other one when this box holds its address.
    GiveBack,
    /// As a handover, but until told otherwise this box holds no address, whatever happens. It stays
    /// in the pair and keeps a copy of everything.
    BeginMaintenance,
    EndMaintenance,
    /// This box stops in order: everything is drained and committed. The peer goes on at once.
    Goodbye,
    /// Serve alone now, from a cold start or a blank disk, unless a peer is heard that serves.
    ServeAlone,
}

/// How well this box could serve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    Well,
    /// Clients are better off at the other box (the disk is nearly full, a port does not answer), but
    /// what is replicated here is kept: only the address moves. `reason` is for people and is told
    /// to the peer, shortened.
    Limping {
        reason: String,
    },
    /// Nothing is written any more: the other box is to go on alone.
    Ill {
        reason: String,
    },
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
