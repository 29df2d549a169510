//! What a run is told: which faults, which broken rule, which of its steps.

use std::collections::BTreeSet;

use replica::Sabotage;

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A rule that every box of the run breaks.
    pub broken: Option<Break>,
    /// Only these steps are taken; the others pass as if nobody did anything.
    pub only: Option<BTreeSet<u64>>,
    /// Write down what happens.
    pub story: bool,
}

impl Options {
    #[must_use]
    pub fn breaking(rule: Break) -> Options {
        Options { broken: Some(rule), ..Options::default() }
    }

    #[must_use]
    pub fn telling(&self) -> Options {
        Options { story: true, ..self.clone() }
    }
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Break {
    /// In the replication.
    Rule(Sabotage),
    /// An expunge does not hold against an entry that was placed more than once.
    ExpungeLoses,
    /// The index passes over a record now and then.
    RecordPassedOver,
    /// The record with a message's text is written, but not its bytes: another message's are.
    BodyMixedUp,
    /// A sync that failed counts as done, for the moment that its box goes on.
    FailedSyncCounts,
    /// What a box finds damaged is not told to its mender.
    DamageUnnoticed,
    /// What is dead for this box is reclaimed, whatever the peer knows.
    ReclaimAlone,
    /// In the sending of messages to other hosts.
    Queue(queue::Sabotage),
}

impl Break {
    pub const ALL: &'static [Break] = &[
        Break::Rule(Sabotage::CommitWithoutPeer),
        Break::BodyMixedUp,
        Break::FailedSyncCounts,
        Break::Rule(Sabotage::NoPlacingAgain),
        Break::Rule(Sabotage::NoJoining),
        Break::Rule(Sabotage::NoReviving),
        Break::RecordPassedOver,
        Break::Rule(Sabotage::NoLaneJump),
        Break::Rule(Sabotage::LaneNotHeld),
        Break::Rule(Sabotage::LaneLeadUnbounded),
        Break::Rule(Sabotage::LaneGoesOn),
        Break::Rule(Sabotage::BothPlaceInMove),
        Break::Rule(Sabotage::NoFloor),
        Break::Rule(Sabotage::BothWithoutReady),
        Break::Rule(Sabotage::OldDiskUnnoticed),
        Break::Rule(Sabotage::ServeTooSoon),
        Break::Rule(Sabotage::NoStampingAgain),
        Break::ExpungeLoses,
        Break::Rule(Sabotage::FlagsForgotten),
        Break::Rule(Sabotage::WishAgesAnew),
        Break::Rule(Sabotage::NoAskingAgain),
        Break::DamageUnnoticed,
        Break::ReclaimAlone,
        Break::Rule(Sabotage::DeadBodyCopied),
        Break::Rule(Sabotage::FormatTooSoon),
        Break::Rule(Sabotage::RemovalNotAgreed),
        Break::Queue(queue::Sabotage::NoTakeoverWait),
        Break::Queue(queue::Sabotage::PeersAttemptsUnseen),
    ];

    /// The promise whose checker is meant to catch it.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Break::Rule(
                Sabotage::CommitWithoutPeer | Sabotage::DeadBodyCopied | Sabotage::RemovalNotAgreed,
            )
            | Break::BodyMixedUp
            | Break::FailedSyncCounts
            | Break::ReclaimAlone => "P1",
            Break::Rule(
                Sabotage::NoPlacingAgain
                | Sabotage::NoJoining
                | Sabotage::NoReviving
                | Sabotage::FormatTooSoon,
            )
            | Break::RecordPassedOver => "P2",
            Break::Rule(
                Sabotage::NoLaneJump
                | Sabotage::LaneNotHeld
                | Sabotage::LaneLeadUnbounded
                | Sabotage::LaneGoesOn
                | Sabotage::BothPlaceInMove
                | Sabotage::NoFloor
                | Sabotage::BothWithoutReady
                | Sabotage::OldDiskUnnoticed,
            ) => "P3",
            Break::Rule(Sabotage::ServeTooSoon | Sabotage::NoStampingAgain) => "P4",
            Break::ExpungeLoses
            | Break::Rule(Sabotage::FlagsForgotten | Sabotage::WishAgesAnew) => "P5",
            Break::Rule(Sabotage::NoAskingAgain) => "P6",
            Break::DamageUnnoticed => "P9",
            Break::Queue(_) => "queue",
        }
    }

    pub(super) fn in_replica(self) -> Option<Sabotage> {
        match self {
            Break::Rule(rule) => Some(rule),
            Break::ExpungeLoses
            | Break::RecordPassedOver
            | Break::BodyMixedUp
            | Break::FailedSyncCounts
            | Break::DamageUnnoticed
            | Break::ReclaimAlone
            | Break::Queue(_) => None,
        }
    }

    pub(super) fn in_queue(self) -> Option<queue::Sabotage> {
        match self {
            Break::Queue(rule) => Some(rule),
            _ => None,
        }
    }
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Break::Rule(rule) => write!(f, "{rule:?}"),
            Break::Queue(rule) => write!(f, "{rule:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}
