//! What this crate asks for.

use crate::Side;
use crate::beat::Beat;
use crate::{Path, table};

/// One thing to do, in the order in which they come.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    SendBeat {
        path: Path,
        beat: Beat,
    },
    /// Put this side's service address on the LAN port. An `Announce` follows.
    Take(Side),
    /// Take it off. Done before the next output is looked at: a heartbeat behind it says so.
    Give(Side),
    /// Gratuitous ARP, request and reply form, and unsolicited NA with override.
    Announce(Side),
    /// Ask the LAN who holds this address, which this box has yielded; answer `Input::SecondHolder`.
    Probe(Side),
    /// `replica` ends its session, if there is one, and goes on alone. Saying it twice is harmless.
    GoAlone {
        why: Why,
    },
    /// `replica` ends its session: the peer went on alone. Nothing is committed until it has joined.
    EndSession,
    /// Where the replication link is to run. On a change: drop the link and connect there.
    Link(Path),
    /// A handover ended: the peer serves this box's address, or nobody can.
    HandedOver {
        peer_serves: bool,
    },
    Alarm {
        kind: AlarmKind,
        raised: bool,
        text: String,
    },
    /// For people: what was decided, and why.
    Event {
        what: String,
        why: String,
    },
}

/// Why a box goes on alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Silent on all paths for `dead_after`.
    PeerDead,
    /// It said goodbye.
    PeerStopped,
    /// It is heard, but in no view: its program was restarted.
    PeerRestarted,
    /// It calls itself unhealthy.
    PeerUnhealthy,
    /// Its syncs make no progress.
    SyncsStuck,
    /// The link did not come back.
    NoSession,
    /// Nobody served for `cold_start_wait`.
    ColdStart,
    /// The admin said so.
    Admin,
    /// `replica` lost its session while joining: it goes on alone as a new episode.
    Again,
}

impl Why {
    /// For people.
    #[must_use]
    pub fn text(self) -> &'static str {
        table::why_text(self)
    }
}

/// What is wrong, until it is said to be over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AlarmKind {
    /// There is one copy of new mail only.
    OneCopy,
    PeerSilent,
    PeerUnhealthy,
    CrossoverDown,
    LanPathDown,
    SerialDown,
    /// Clients cannot reach this box: no carrier, or no gateway.
    Unreachable,
    /// This box cannot serve.
    Unhealthy,
    /// Two boxes answer for one address.
    SecondHolder,
    /// In no view: this box serves nobody.
    Outside,
}
