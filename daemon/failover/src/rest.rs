//! Why a box that could serve does not want its own address: it was handed over, the box is in
//! maintenance, or its owner gives addresses back by hand.
//!
//! | state | willing | ends |
//! |---|---|---|
//! | handed over | no; serves when the peer is gone | by "give back", or the next start |
//! | waits for give-back | no; serves when the peer is gone | by "give back" at either box, or once it holds its own address |
//! | maintenance | no; holds nothing whatever happens | by "end maintenance" only, over restarts |

use std::time::Instant;

use crate::beat::Facts;
use crate::table::Beside;
use crate::{Admin, EventKind, Failover, Output, words};

#[derive(Default)]
pub(crate) struct Rest {
    handed_over: bool,
    waits: bool,
    pub maintenance: bool,
    /// The owner said so; lasts until this box holds its own address.
    asked_back: bool,
    /// The peer is to take its address back; lasts until this box holds it no more.
    pub returns: bool,
}

impl Rest {
    pub(crate) fn new(maintenance: bool) -> Rest {
        Rest { maintenance, ..Rest::default() }
    }

    pub(crate) fn willing(&self) -> bool {
        !self.handed_over && !self.waits && !self.maintenance
    }

    /// It rests, but not by a handover that the owner knows of.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    pub(crate) fn hand_over(&mut self) {
        self.handed_over = true;
        self.asked_back = false;
    }

    pub(crate) fn took_own(&mut self) {
        (self.waits, self.asked_back) = (false, false);
    }
}

impl Failover {
    /// Whether the owner's wish can be fulfilled now; asked before it is handed in.
    ///
    /// # Errors
    /// Why not, for the owner.
    pub fn may(&self, now: Instant, wish: Admin) -> Result<(), &'static str> {
        let same_view = matches!(self.beside(now), Beside::Worse | Beside::Equal | Beside::Better);
        let fit = |facts: &Facts| facts.reachable && facts.healthy && facts.willing;
        let other_is_fit = same_view && self.peer.facts().is_some_and(fit);
        match wish {
            Admin::Handover if self.rest.maintenance => Err(words::IN_MAINTENANCE),
            Admin::Handover | Admin::BeginMaintenance if !other_is_fit => Err(words::NOBODY_ELSE),
            Admin::GiveBack if self.rest.maintenance => Err(words::IN_MAINTENANCE),
            Admin::GiveBack if !self.can_give_back() => Err(words::NOTHING_TO_GIVE_BACK),
            Admin::EndMaintenance if !self.rest.maintenance => Err(words::NO_MAINTENANCE),
            _ => Ok(()),
        }
    }

    fn can_give_back(&self) -> bool {
        !self.rest.willing() || self.addresses.held.has(self.config.side.other())
    }

    pub(crate) fn give_back(&mut self) {
        if self.addresses.held.has(self.config.side.other()) {
            self.rest.returns = true;
            let what = "The other box is asked to take its address back";
            self.event(EventKind::GiveBack, what, words::ADMIN);
        }
        self.take_back(words::ADMIN);
    }

    fn take_back(&mut self, why: &str) {
        if self.rest.handed_over || self.rest.waits {
            (self.rest.handed_over, self.rest.waits) = (false, false);
            self.rest.asked_back = true;
            self.addresses.handover_since = None;
            self.event(EventKind::GiveBack, "This box takes its own address back", why);
        }
    }

    pub(crate) fn maintain(&mut self, now: Instant, on: bool) {
        if self.rest.maintenance == on {
            return;
        }
        self.rest.maintenance = on;
        self.emit(Output::Maintenance(on));
        if on {
            self.addresses.handover_since = Some(now);
            self.event(EventKind::Maintenance, "Maintenance of this box begins", words::ADMIN);
        } else {
            // Nobody ends maintenance and wants to say "give back" as well.
            (self.rest.handed_over, self.rest.waits) = (false, false);
            self.rest.asked_back = true;
            self.event(EventKind::Maintenance, "Maintenance of this box ends", words::ADMIN);
        }
    }

    /// Before the addresses are decided.
    pub(crate) fn wait_for_give_back(&mut self, now: Instant) {
        let (own, theirs) = (self.config.side, self.config.side.other());
        self.rest.returns &= self.addresses.held.has(theirs);
        let told = self.peer.facts().is_some_and(|facts| facts.returns);
        if told && self.peer_holds(now, own) {
            self.take_back(words::ADMIN_THERE);
        }
        let may_wait = self.config.give_back_by_hand && !self.rest.asked_back;
        if may_wait && !self.addresses.held.has(own) && self.peer_holds(now, own) {
            self.rest.waits = true;
        }
    }
}
