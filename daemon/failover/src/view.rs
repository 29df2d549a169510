//! Which view this box is in, and how two boxes that hear each other never both go alone.
//!
//! A box that hears nothing of its peer decides by itself. A box that hears it **claims**: its
//! heartbeat carries a number and a rank, and it goes alone only when the peer's heartbeat yields to that
//! number, or when the peer, for `dead_after`, did not hear it. Whoever yields has stepped out of its view
//! first, given its addresses, and ended the session. Of two claims the higher rank stands: rather the
//! box whose disk has joined the pair once (it never yields to one whose disk has not), rather the one
//! that was in `both`, rather the one that clients reach, rather side a. A box that is alone
//! and healthy yields to nobody; the claimant hears that and steps back itself.

use std::time::{Duration, Instant};

use crate::beat::ClaimTold;
use crate::limits::{ALONE_AGAIN, CLAIM_DEFER, HEALTH_SETTLE, JOIN_SETTLE, RESTART_WAIT};
use crate::stuck::Syncs;
use crate::table::{Seen, ViewStep, view_step};
use crate::{Admin, EventKind, Failover, Output, ReplicaState, Side, Standing, Why, words};

/// Everything that decides the view.
pub(crate) struct ViewState {
    pub standing: Standing,
    pub since: Instant,
    pub replica: ReplicaState,
    pub goodbye: bool,
    pub store_may_serve: bool,
    /// The log's last view is this box's own `alone`.
    pub was_alone: bool,
    pub claim: Option<Claim>,
    pub yields: Option<u64>,
    first_may_serve: bool,
    /// The admin said to serve alone.
    forced: bool,
    /// `replica` was told to leave what it is in: a report from before says nothing.
    ending: bool,
    alone_told: Instant,
    pub session_lost: Option<Instant>,
    /// The cable that the link runs on is not heard both ways.
    pub no_path_since: Option<Instant>,
    /// The peer said `both` since this box entered it, or is known to have restarted.
    peer_followed: bool,
    pub syncs: Syncs,
    /// Since when nobody was heard to serve.
    nobody_since: Instant,
    claim_wanted: Option<Instant>,
    claims: u64,
    /// This box is alone because it took the peer for dead.
    pub thought_dead: bool,
    pub disk_lags: bool,
}

/// The consent this box asks for.
pub(crate) struct Claim {
    pub told: ClaimTold,
    why: Why,
    since: Instant,
}

/// What a disk that has joined adds to the rank of a claim: more than all else together.
const RANK_JOINED: u8 = 8;

impl ViewState {
    pub(crate) fn new(now: Instant, first_may_serve: bool) -> ViewState {
        ViewState {
            standing: Standing::Outside,
            since: now,
            replica: ReplicaState::Starting,
            goodbye: false,
            store_may_serve: false,
            was_alone: false,
            claim: None,
            yields: None,
            first_may_serve,
            forced: false,
            ending: false,
            alone_told: now,
            session_lost: None,
            no_path_since: None,
            peer_followed: false,
            syncs: Syncs::default(),
            nobody_since: now,
            claim_wanted: None,
            claims: 0,
            thought_dead: false,
            disk_lags: false,
        }
    }

    pub(crate) fn peer_restarted(&mut self) {
        self.peer_followed = true;
    }

    /// See [`crate::peer::Peer::shift`].
    pub(crate) fn shift(&mut self, paused_for: Duration, now: Instant) {
        let later = |at: Instant| (at + paused_for).min(now);
        self.since = later(self.since);
        self.nobody_since = later(self.nobody_since);
        self.syncs.shift(paused_for, now);
        for at in [&mut self.session_lost, &mut self.no_path_since, &mut self.claim_wanted] {
            *at = at.map(later);
        }
        if let Some(claim) = &mut self.claim {
            claim.since = later(claim.since);
        }
    }

    fn set(&mut self, now: Instant, standing: Standing) {
        self.standing = standing;
        self.since = now;
        self.was_alone = false;
        self.claim = None;
        self.claim_wanted = None;
        self.session_lost = None;
        self.syncs = Syncs::default();
        self.forced = false;
        self.nobody_since = now;
        self.thought_dead = false;
    }

    /// `replica` will leave a session or a view at our word: until it says so, its reports are old.
    fn expect_end(&mut self) {
        self.ending = matches!(self.replica, ReplicaState::Both | ReplicaState::Joining);
    }
}

impl Failover {
    pub(crate) fn replica_is(&mut self, now: Instant, state: ReplicaState) {
        let view = &mut self.view;
        view.replica = state;
        match state {
            ReplicaState::Both if !view.ending && !view.goodbye => {
                if view.standing != Standing::Both {
                    view.set(now, Standing::Both);
                    view.peer_followed = false;
                    self.event(EventKind::Both, "Both boxes are in service", words::JOINED);
                } else if view.session_lost.take().is_some() {
                    view.peer_followed = false;
                    view.since = now;
                    view.syncs = Syncs::default();
                }
                self.view.store_may_serve = true;
            }
            ReplicaState::Alone => {
                if view.standing != Standing::Alone && !view.ending && !view.goodbye {
                    view.set(now, Standing::Alone);
                }
                view.ending = false;
            }
            ReplicaState::NoSession | ReplicaState::Starting | ReplicaState::Joining => {
                view.ending &= state == ReplicaState::Joining;
                if view.standing == Standing::Both && view.session_lost.is_none() {
                    view.session_lost = Some(now);
                }
            }
            ReplicaState::Both => {}
        }
    }

    pub(crate) fn admin(&mut self, now: Instant, wish: Admin) {
        match wish {
            Admin::Handover => {
                self.rest.hand_over();
                self.addresses.handover_since = Some(now);
                let what = "This box hands its address to the other one";
                self.event(EventKind::Handover, what, words::ADMIN);
            }
            Admin::GiveBack => self.give_back(),
            Admin::BeginMaintenance => self.maintain(now, true),
            Admin::EndMaintenance => self.maintain(now, false),
            Admin::Goodbye => {
                self.view.goodbye = true;
                self.step_back(now, EventKind::Stop, "This box stops", words::ADMIN);
            }
            Admin::ServeAlone => self.view.forced = true,
        }
    }

    /// This disk is being filled: it serves nobody before it has joined.
    pub(crate) fn leave_to_the_peer(&mut self, now: Instant) {
        self.view.first_may_serve = false;
        self.view.was_alone = false;
        if self.view.standing == Standing::Alone && !self.view.store_may_serve {
            let (what, why) = (words::LEFT_BEHIND, words::PEER_HAS_MAIL);
            self.step_back(now, EventKind::StepBack, what, why);
        }
    }

    /// After each heartbeat.
    pub(crate) fn peer_said(&mut self) {
        if self.peer.standing() == Standing::Both {
            self.view.peer_followed = true;
        }
    }

    pub(crate) fn decide_view(&mut self, now: Instant) {
        if self.view.goodbye {
            return;
        }
        if self.consent_given(now) {
            return;
        }
        self.consider_their_claim(now);
        let seen = self.seen(now);
        let serves = [Seen::Both, Seen::Alone, Seen::NoLink, Seen::Stuck, Seen::Elsewhere];
        if serves.contains(&seen) {
            self.view.nobody_since = now;
        }
        if self.view.yields.is_some() {
            return;
        }
        let step = view_step(self.view.standing, self.able(), seen, self.waited(now));
        match step {
            ViewStep::Claim(why) => self.press_claim(now, why),
            _ => {
                self.view.claim = None;
                self.view.claim_wanted = None;
            }
        }
        match step {
            ViewStep::GoAlone(why) => self.go_alone(now, why),
            ViewStep::StepBack => {
                self.step_back(now, EventKind::StepBack, words::LEFT_BEHIND, words::PEER_ALONE);
            }
            ViewStep::Stay | ViewStep::Claim(_) => {}
        }
        self.remind_replica(now);
    }

    /// The peer as the first table names it.
    pub(crate) fn seen(&self, now: Instant) -> Seen {
        let in_both = self.view.standing == Standing::Both;
        // The session of the link may come up before the first heartbeat: silence counts from then on.
        let just_joined = in_both && !self.past(self.view.since, self.config.dead_after, now);
        let unheard = match just_joined {
            true => Seen::Both,
            false if self.witness.elsewhere() => Seen::Elsewhere,
            false => Seen::Silent,
        };
        let Some(facts) = self.peer.facts() else { return unheard };
        if facts.goodbye {
            return Seen::Stopped;
        }
        if self.peer.silent(now, self.config.dead_after) {
            return unheard;
        }
        let followed = self.view.peer_followed || self.past(self.view.since, JOIN_SETTLE, now);
        if in_both && facts.standing != Standing::Both && followed {
            return if facts.standing == Standing::Alone { Seen::Alone } else { Seen::Outside };
        }
        if self.peer.unhealthy_for(now).is_some_and(|time| time >= HEALTH_SETTLE) {
            return Seen::Unhealthy;
        }
        if in_both {
            let lasted = |since: Option<Instant>, wait| {
                since.is_some_and(|since| self.past(since, wait, now))
            };
            // A box that is not well may have ended the session itself, for want of room.
            let session_wait =
                if facts.healthy { self.config.session_wait } else { self.config.commit_wait };
            let lost = lasted(self.view.session_lost, session_wait)
                || lasted(self.view.no_path_since, self.config.session_wait);
            return if lost {
                Seen::NoLink
            } else if self.view.syncs.stuck_for(now) >= self.stuck_after() {
                Seen::Stuck
            } else {
                Seen::Both
            };
        }
        match facts.standing {
            Standing::Outside => Seen::Outside,
            Standing::Both => Seen::Both,
            Standing::Alone => Seen::Alone,
        }
    }

    fn able(&self) -> bool {
        let view = &self.view;
        let may = view.store_may_serve || view.first_may_serve || view.forced || view.was_alone;
        let outside_ok = view.replica != ReplicaState::Starting && may;
        let fit = self.health.stores() && !self.rest.maintenance;
        fit && (view.standing != Standing::Outside || outside_ok)
    }

    fn waited(&self, now: Instant) -> bool {
        let wait = self.config.cold_start_wait;
        let wait = if self.view.was_alone { wait.min(RESTART_WAIT) } else { wait };
        self.view.forced || self.past(self.view.nobody_since, wait, now)
    }

    fn past(&self, since: Instant, wait: Duration, now: Instant) -> bool {
        now.saturating_duration_since(since) >= wait
    }

    fn consent_given(&mut self, now: Instant) -> bool {
        let Some(claim) = &self.view.claim else { return false };
        let (number, why) = (claim.told.number, claim.why);
        let silent = self.peer.silent(now, self.config.dead_after);
        let yields = self.peer.facts().and_then(|facts| facts.yields);
        if silent || yields != Some(number) || !self.peer.hears_us() {
            return false;
        }
        self.go_alone(now, why);
        true
    }

    fn consider_their_claim(&mut self, now: Instant) {
        let silent = self.peer.silent(now, self.config.dead_after);
        let theirs = self.peer.facts().and_then(|facts| facts.claim).filter(|_| !silent);
        let Some(theirs) = theirs else {
            self.view.yields = None;
            return;
        };
        if self.view.yields == Some(theirs.number) {
            return;
        }
        let serves_alone = self.view.standing == Standing::Alone && self.health.stores();
        let knows_more = self.view.store_may_serve && theirs.rank < RANK_JOINED;
        let outranked = self.view.claim.as_ref().is_none_or(|own| own.told.rank < theirs.rank);
        if serves_alone || knows_more || !outranked {
            return;
        }
        self.view.yields = Some(theirs.number);
        self.view.claim = None;
        if self.view.standing == Standing::Outside {
            self.view.nobody_since = now;
        } else {
            self.step_back(now, EventKind::StepBack, words::YIELDED, words::PEER_CLAIMS);
        }
    }

    fn press_claim(&mut self, now: Instant, why: Why) {
        let wanted = *self.view.claim_wanted.get_or_insert(now);
        if let Some(claim) = &self.view.claim {
            let unheard = !self.peer.hears_us();
            if unheard && self.past(claim.since, self.config.dead_after, now) {
                self.go_alone(now, why);
            }
            return;
        }
        let peer_reachable = self.peer.facts().is_some_and(|facts| facts.reachable);
        let defer = !self.reach.settled() && peer_reachable;
        if defer && !self.past(wanted, CLAIM_DEFER, now) {
            return;
        }
        self.view.claims += 1;
        let told = ClaimTold { number: self.view.claims, rank: self.rank() };
        self.view.claim = Some(Claim { told, why, since: now });
    }

    fn rank(&self) -> u8 {
        let was_in_both = self.view.standing == Standing::Both;
        let serves = self.reach.settled() && self.rest.willing();
        let joined = RANK_JOINED * u8::from(self.view.store_may_serve);
        joined
            + 4 * u8::from(was_in_both)
            + 2 * u8::from(serves)
            + u8::from(self.config.side == Side::A)
    }

    fn go_alone(&mut self, now: Instant, why: Why) {
        let why = if self.view.forced { Why::Admin } else { why };
        self.view.expect_end();
        self.view.set(now, Standing::Alone);
        self.view.yields = None;
        self.view.alone_told = now;
        self.view.thought_dead = why == Why::PeerDead;
        self.emit(Output::GoAlone { why });
        self.event(EventKind::Alone, "This box goes on alone", why.text());
    }

    fn step_back(&mut self, now: Instant, kind: EventKind, what: &str, why: &str) {
        self.view.expect_end();
        self.view.set(now, Standing::Outside);
        self.emit(Output::EndSession);
        self.event(kind, what, why);
    }

    /// A survivor whose join broke off goes on alone as a new episode; `replica` waits for the word.
    fn remind_replica(&mut self, now: Instant) {
        let idle = matches!(self.view.replica, ReplicaState::NoSession | ReplicaState::Starting);
        if self.view.standing == Standing::Alone
            && idle
            && self.past(self.view.alone_told, ALONE_AGAIN, now)
        {
            self.view.alone_told = now;
            self.emit(Output::GoAlone { why: Why::Again });
        }
    }
}
