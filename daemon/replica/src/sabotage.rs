//! Rules that can be broken on purpose, so that the simulator can prove that its checkers are awake
//! (`cargo sim --prove-checkers`). Nothing else may use this.

use crate::machine::Replica;

/// One rule, left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// `alone` places right above everything known, without a lane.
    NoLaneJump,
    /// The peer gets what was placed as `alone` before it is on this disk.
    LaneNotHeld,
    /// A box leaves its lanes whether or not the peer has them on its disk.
    LaneLeadUnbounded,
    /// A box that promised to place nothing more as `alone` goes on in its old lanes.
    LaneGoesOn,
    /// What only the peer's lost disk knew is not burnt.
    NoFloor,
    /// Nobody gives a fresh UID to what was overtaken.
    NoPlacingAgain,
    /// Mailboxes of one name stay two.
    NoJoining,
    /// A change whose MODSEQ is overtaken keeps it.
    NoStampingAgain,
    /// An account stays removed, whatever mail came across its removal.
    NoReviving,
    /// In `both`, what is on this disk alone counts as committed.
    CommitWithoutPeer,
    /// In `both` as soon as this box is ready, whatever the peer still places.
    BothWithoutReady,
    /// A wish that a lost session may have swallowed is not asked again.
    NoAskingAgain,
    /// A wish that is asked again counts as made then, not when its client made it.
    WishAgesAnew,
    /// The home that an account leaves goes on ordering its writes.
    BothPlaceInMove,
    /// A change of flags is answered, but not written.
    FlagsForgotten,
    /// A box shows what it holds before it has applied what its clients may have seen.
    ServeTooSoon,
    /// Nobody notices that the peer came back with an old copy of its disk.
    OldDiskUnnoticed,
    /// A message that was expunged, and may be reclaimed, is copied all the same.
    DeadBodyCopied,
    /// Mail of a removed account is given up before the other box knows of the removal.
    RemovalNotAgreed,
    /// The pair writes a new record format as soon as one box has blessed it.
    FormatTooSoon,
}

impl Replica {
    /// Breaks a rule from now on.
    pub fn sabotage(&mut self, rule: Option<Sabotage>) {
        self.sabotage = rule;
    }

    /// Is this rule broken on purpose? Never outside the simulator.
    #[must_use]
    pub fn is_broken(&self, rule: Sabotage) -> bool {
        self.sabotage == Some(rule)
    }
}
