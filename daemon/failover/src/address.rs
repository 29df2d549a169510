//! Which service addresses this box holds. The second table says what is wanted; here it becomes taking
//! and giving, in an order in which an address never has two holders for long: the box that lets go
//! does so first, its heartbeat says so at once, and the other takes the address on hearing that.

use std::cmp::Ordering;
use std::time::Instant;

use crate::beat::Facts;
use crate::limits::{ASK_HOLDER_EVERY, CONTESTED_FOR, HANDOVER_WAIT, PROBE_EVERY, YIELD_FOR};
use crate::table::{AddressRow, Beside, Me, Seen, Want, address_row, worth};
use crate::{EventKind, Failover, Holds, Output, Side, Standing, words};

/// What this box holds, and what it waits for.
#[derive(Default)]
pub(crate) struct Addresses {
    pub held: Holds,
    pub handover_since: Option<Instant>,
    /// Until when the peer's address is left to its owner.
    yielded_until: Option<Instant>,
    next_probe: Option<Instant>,
    /// When the peer last said that it does not hold this box's address any more.
    pub peer_let_go: Option<Instant>,
    second_holder_seen: Option<Instant>,
    /// When the last holder that was seen was asked for a greeting.
    holder_asked: Option<Instant>,
}

impl Addresses {
    /// Somebody else answered for an address of this box within the last minute.
    pub(crate) fn contested(&self, now: Instant) -> bool {
        self.second_holder_seen
            .is_some_and(|seen| now.saturating_duration_since(seen) < CONTESTED_FOR)
    }
}

impl Failover {
    pub(crate) fn decide_addresses(&mut self, now: Instant) {
        let (own, theirs) = (self.config.side, self.config.side.other());
        self.wait_for_give_back(now);
        let (me, beside) = (self.me(now), self.beside(now));
        let yielded = self.yielded(now);
        // Letting go comes first: both rows are looked up before anything is taken.
        let own_row = address_row(true, me, beside, yielded);
        let their_row = address_row(false, me, beside, yielded);
        for (address, row) in [(own, own_row), (theirs, their_row)] {
            if row.then == Want::Release {
                self.give(address, row.why);
            }
        }
        self.hold(now, own, own_row);
        self.hold(now, theirs, their_row);
        self.finish_handover(now, beside);
    }

    fn hold(&mut self, now: Instant, address: Side, row: &AddressRow) {
        if row.then != Want::Hold || self.addresses.held.has(address) {
            return;
        }
        let is_peers = address != self.config.side;
        if self.peer_holds(now, address) && !(is_peers && self.waited_for_release(now)) {
            return;
        }
        if is_peers && !self.may_reach_beyond(now) {
            return;
        }
        self.addresses.held.set(address, true);
        if !is_peers {
            self.rest.took_own();
        }
        let handed = !is_peers && self.handed_lately(now);
        self.emit(Output::Take { address, handed });
        let what = format!("This box takes the address of box {address}");
        self.event(EventKind::Take, what, row.why);
        self.announcer.start(now, address, is_peers);
    }

    /// The peer has just let go of this box's address.
    fn handed_lately(&self, now: Instant) -> bool {
        let heard = !self.peer.silent(now, self.config.dead_after);
        let lately = |at| now.saturating_duration_since(at) < self.config.dead_after;
        heard && self.addresses.peer_let_go.is_some_and(lately)
    }

    /// Clients can come to this box for the peer's address, as far as it can know.
    fn may_reach_beyond(&self, now: Instant) -> bool {
        let silent = self.peer.silent(now, self.config.dead_after);
        // Its last heartbeat and an answer just behind it may have passed the cable before it was cut.
        let half = self.config.dead_after / 2;
        let well_after = self.peer.heard_at().map(|at| at + half);
        let proven = || self.reach.proven_since(well_after) && self.reach.unbroken_for(now, half);
        self.reach.now() && (!silent || proven())
    }

    fn give(&mut self, address: Side, why: &str) {
        if !self.addresses.held.has(address) {
            return;
        }
        self.addresses.held.set(address, false);
        self.announcer.stop(address);
        self.emit(Output::Give(address));
        let what = format!("This box gives up the address of box {address}");
        self.event(EventKind::Give, what, why);
    }

    pub(crate) fn drop_all_addresses(&mut self, why: &str) {
        for address in Side::BOTH {
            self.give(address, why);
        }
    }

    pub(crate) fn peer_holds(&self, now: Instant, address: Side) -> bool {
        let heard = !self.peer.silent(now, self.config.dead_after);
        heard && self.peer.facts().is_some_and(|facts| !facts.goodbye && facts.holds.has(address))
    }

    /// A peer that is out of service and still says that it holds its address is not waited for longer.
    fn waited_for_release(&self, now: Instant) -> bool {
        self.view.standing == Standing::Alone
            && now.saturating_duration_since(self.view.since) >= self.config.dead_after
    }

    fn me(&self, now: Instant) -> Me {
        if self.view.standing == Standing::Outside {
            Me::Out
        } else if self.rest.maintenance {
            Me::Maintained
        } else if self.cut_off(now) {
            if self.reach.now() { Me::Back } else { Me::Cut }
        } else if !self.health.well() || !self.rest.willing() {
            Me::Less
        } else {
            Me::Fit
        }
    }

    fn cut_off(&self, now: Instant) -> bool {
        // Of two holders after a split the one that clients reach at this moment keeps the address.
        let contested = self.peer_holds(now, self.config.side);
        !self.reach.settled() || (contested && !self.reach.now())
    }

    pub(crate) fn beside(&self, now: Instant) -> Beside {
        let alone = self.view.standing == Standing::Alone;
        let seen = self.seen(now);
        if seen == Seen::Elsewhere && alone {
            return Beside::Elsewhere;
        }
        let Some(facts) = self.peer.facts() else {
            return if alone { Beside::Gone } else { Beside::Between };
        };
        match seen {
            Seen::Silent | Seen::Stopped if alone => Beside::Gone,
            Seen::Silent | Seen::Elsewhere | Seen::Stopped => Beside::Between,
            _ if alone && (facts.standing == Standing::Outside || !facts.stores) => Beside::Useless,
            _ if facts.standing != self.view.standing || !facts.stores => Beside::Between,
            _ => self.compare(now, facts),
        }
    }

    fn compare(&self, now: Instant, theirs: &Facts) -> Beside {
        let able = !self.cut_off(now) && self.health.stores() && !self.rest.maintenance;
        let mine = worth(able, self.health.well(), self.rest.willing());
        let able = theirs.reachable && theirs.stores && !theirs.maintenance;
        match worth(able, theirs.healthy, theirs.willing).cmp(&mine) {
            Ordering::Less => Beside::Worse,
            Ordering::Equal => Beside::Equal,
            Ordering::Greater => Beside::Better,
        }
    }

    fn finish_handover(&mut self, now: Instant, beside: Beside) {
        let Some(since) = self.addresses.handover_since else { return };
        let peer_serves = self.peer_holds(now, self.config.side);
        let given = !self.addresses.held.has(self.config.side);
        let late = now.saturating_duration_since(since) >= HANDOVER_WAIT;
        let hopeless = matches!(beside, Beside::Gone | Beside::Elsewhere | Beside::Useless);
        if (given && peer_serves) || late || hopeless {
            self.addresses.handover_since = None;
            self.emit(Output::HandedOver { peer_serves: given && peer_serves });
            if !(given && peer_serves) {
                let what = "The other box did not take this box's address";
                self.event(EventKind::Handover, what, words::NO_HANDOVER);
            }
        }
    }

    /// The peer's announcement of an address that was just given to it is no second holder.
    pub(crate) fn second_holder(&mut self, now: Instant, address: Side) {
        let held = self.addresses.held.has(address);
        if !held && self.addresses.yielded_until.is_none() {
            return;
        }
        if held && !self.addresses.contested(now) {
            let what = format!("Another machine answers at the address of box {address}");
            self.event(EventKind::SecondHolder, what, words::SECOND_HOLDER);
        }
        if held {
            self.addresses.second_holder_seen = Some(now);
        }
        if address == self.config.side {
            self.announcer.again(now, address);
            return;
        }
        // Whoever holds the peer's address may be the peer: then it greets.
        let asked = self.addresses.holder_asked;
        let patience = asked.is_some_and(|at| now.saturating_duration_since(at) < ASK_HOLDER_EVERY);
        if !patience {
            self.addresses.holder_asked = Some(now);
            self.emit(Output::AskHolder(address));
        }
    }

    pub(crate) fn holder_answered(&mut self, now: Instant, address: Side, answers: bool) {
        if address == self.config.side {
            return;
        }
        if answers {
            self.addresses.yielded_until = Some(now + YIELD_FOR);
            self.addresses.next_probe.get_or_insert(now + PROBE_EVERY);
        } else if self.addresses.held.has(address) {
            self.announcer.again(now, address);
        }
    }

    fn yielded(&mut self, now: Instant) -> bool {
        // An owner that says that it does not hold its address has it no more; and once the two are one pair
        // again, its heartbeats say where it is. (An owner that died soon after a split was left alone for 97 s.)
        let joined = self.view.standing == Standing::Both;
        let theirs = self.config.side.other();
        let heard = !self.peer.silent(now, self.config.dead_after);
        let let_go = heard && self.peer.facts().is_some_and(|facts| !facts.holds.has(theirs));
        let over =
            joined || let_go || self.addresses.yielded_until.is_some_and(|until| now >= until);
        if over {
            self.addresses.yielded_until = None;
            self.addresses.next_probe = None;
        }
        if self.addresses.next_probe.is_some_and(|at| now >= at) {
            self.addresses.next_probe = Some(now + PROBE_EVERY);
            self.emit(Output::Probe(self.config.side.other()));
        }
        self.addresses.yielded_until.is_some()
    }
}
