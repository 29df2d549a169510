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
    /// Put this side's service address on the LAN port. An `Announce` follows. `handed`: the peer, which is
    /// heard, served it until a moment ago, so nobody has to be asked whether it is free.
    Take {
        address: Side,
        handed: bool,
    },
    /// Take it off. Done before the next output is looked at: a heartbeat behind it says so.
    Give(Side),
    /// Gratuitous ARP, request and reply form, and unsolicited NA with override.
    Announce(Side),
    /// Ask the LAN who holds this address, which this box has yielded; answer `Input::SecondHolder`.
    Probe(Side),
    /// Does the one that was last seen with this address greet a client? Answer
    /// `Input::HolderAnswered`.
    AskHolder(Side),
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
        kind: EventKind,
        what: String,
        why: String,
    },
    /// Keep in mind, over restarts, whether this box is in maintenance.
    Maintenance(bool),
}

/// What kind of thing happened: for counting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// This box took an address.
    Take,
    Give,
    /// This box went on alone.
    Alone,
    /// This box left its view to the other one.
    StepBack,
    /// Both boxes are in service.
    Both,
    /// The other box had been taken for dead and was not.
    FalseAlarm,
    LinkMoved,
    /// This box's own health changed.
    Health,
    Handover,
    GiveBack,
    Maintenance,
    /// Another holder of an address that this box holds.
    SecondHolder,
    /// This box stood still.
    Pause,
    /// This box stops in order.
    Stop,
}

impl EventKind {
    pub const ALL: [EventKind; 14] = [
        EventKind::Take,
        EventKind::Give,
        EventKind::Alone,
        EventKind::StepBack,
        EventKind::Both,
        EventKind::FalseAlarm,
        EventKind::LinkMoved,
        EventKind::Health,
        EventKind::Handover,
        EventKind::GiveBack,
        EventKind::Maintenance,
        EventKind::SecondHolder,
        EventKind::Pause,
        EventKind::Stop,
    ];

    /// One word, for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Take => "take",
            EventKind::Give => "give",
            EventKind::Alone => "alone",
            EventKind::StepBack => "step_back",
            EventKind::Both => "both",
            EventKind::FalseAlarm => "false_alarm",
            EventKind::LinkMoved => "link_moved",
            EventKind::Health => "health",
            EventKind::Handover => "handover",
            EventKind::GiveBack => "give_back",
            EventKind::Maintenance => "maintenance",
            EventKind::SecondHolder => "second_holder",
            EventKind::Pause => "pause",
            EventKind::Stop => "stop",
        }
    }
}

/// Why a box goes on alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Silent on all paths for `dead_after`.
    PeerDead,
    /// Likewise, but the witness hears it.
    PeerElsewhere,
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
    /// It was shut down in order.
    PeerStopped,
    PeerUnhealthy,
    CrossoverDown,
    LanPathDown,
    SerialDown,
    /// Clients cannot reach this box: no carrier, or no gateway.
    Unreachable,
    /// This box cannot serve, or not well.
    Unhealthy,
    /// This box is in maintenance.
    Maintenance,
    /// It waits for its owner's word to take its address back.
    Resting,
    /// A witness is configured and does not answer.
    WitnessSilent,
    /// The two boxes' wall clocks are far apart.
    ClocksApart,
    /// Two boxes answer for one address.
    SecondHolder,
    /// In no view: this box serves nobody.
    Outside,
}
