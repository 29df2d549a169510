//! Who serves which address, and when.
//!
//! [`Failover`] hears heartbeats, carriers, the gateway, this box's own health and what `replica` is in;
//! it answers with heartbeats to send, addresses to take or give, and the word for `replica` that this
//! box goes on alone. It is one state machine without I/O, clock or randomness: [`Failover::handle`],
//! [`Failover::poll`], [`Failover::deadline`].
//!
//! It never decides what is committed, never touches a port, and never goes alone while it hears a
//! healthy peer that did not consent (see [`view`]): two boxes that hear each other are never both alone
//! by decision. A split of all paths is no error: both go on, and what they took is united later.
//!
//! Start reading at [`table`]: the decisions as data. Then [`view`] (which view), [`address`] (which
//! address), [`peer`] (what is known of the other box), [`beat`] (the bytes of a heartbeat), [`witness`]
//! (a third opinion).

pub mod address;
pub mod announce;
pub mod beat;
mod health;
pub mod input;
pub mod limits;
pub mod link;
pub mod output;
pub mod peer;
pub mod reach;
pub mod report;
mod rest;
pub mod seal;
mod stuck;
pub mod table;
pub mod view;
mod wall;
pub mod witness;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use beat::{Beat, Error, Key};
pub use input::{Admin, Health, Input, ReplicaState};
pub use output::{AlarmKind, EventKind, Output, Why};
pub use report::{PeerReport, Report};

/// One of the two boxes of a pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::A => "a",
            Side::B => "b",
        })
    }
}

/// A way by which heartbeats travel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Path {
    Crossover,
    Lan,
    Serial,
}

impl Path {
    pub const ALL: [Path; 3] = [Path::Crossover, Path::Lan, Path::Serial];
}

/// A set of service addresses, each named by the side that owns it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Holds {
    pub a: bool,
    pub b: bool,
}

impl Holds {
    #[must_use]
    pub fn has(self, side: Side) -> bool {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    pub fn set(&mut self, side: Side, held: bool) {
        match side {
            Side::A => self.a = held,
            Side::B => self.b = held,
        }
    }
}

/// Whether a box takes part, as this crate sees it. `replica` knows more (joining, starting); only this
/// matters for addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Standing {
    /// In no view: starting, joining, or left behind by a peer that went on alone.
    Outside,
    /// In the view `both`, also for a while after the session of the link was lost.
    Both,
    /// In the view `alone`.
    Alone,
}

/// What this box is told once, at start. Durations come from the site file's `[timing]`.
#[derive(Clone, Debug)]
pub struct Config {
    pub side: Side,
    /// Silence on all paths for this long means dead (600 ms).
    pub dead_after: Duration,
    /// A box outside a view that hears nobody serve waits this long before it serves alone (60 s).
    pub cold_start_wait: Duration,
    /// Syncs of a heard peer without progress for this long: stuck (default: as long as `dead_after`).
    pub commit_wait: Duration,
    /// A lost session whose peer is heard and healthy gets this long to come back, over the other
    /// cable if need be, before one of the boxes goes on alone (5 s).
    pub session_wait: Duration,
    /// This box may serve alone from a blank disk: pairing marked it as the first.
    pub first_boot_may_serve: bool,
    /// A gateway is configured and probed; else the carrier of the LAN port stands for reachability.
    pub has_gateway: bool,
    /// The board has a null-modem cable to the peer.
    pub has_serial: bool,
    /// A witness is configured and asked.
    pub has_witness: bool,
    /// A box that returns takes its address back only at its owner's word.
    pub give_back_by_hand: bool,
    /// This box is in maintenance since before its start.
    pub maintenance: bool,
    /// How long a box that was not well must be well again, at most (60 s).
    pub well_after_max: Duration,
}

impl Config {
    /// The defaults of a side.
    #[must_use]
    pub fn new(side: Side) -> Config {
        Config {
            side,
            dead_after: Duration::from_millis(600),
            cold_start_wait: Duration::from_secs(60),
            commit_wait: Duration::from_millis(600),
            session_wait: Duration::from_secs(5),
            first_boot_may_serve: false,
            has_gateway: false,
            has_serial: false,
            has_witness: false,
            give_back_by_hand: false,
            maintenance: false,
            well_after_max: limits::WELL_AFTER_MAX,
        }
    }
}

/// The state machine of one box. See the crate's first lines.
pub struct Failover {
    pub(crate) config: Config,
    /// Drawn at random by the caller at each start of the program.
    pub(crate) boot: u64,
    /// What heartbeats count their milliseconds from.
    pub(crate) origin: Instant,
    pub(crate) peer: peer::Peer,
    pub(crate) reach: reach::Reach,
    pub(crate) witness: witness::Known,
    pub(crate) health: health::OwnHealth,
    pub(crate) rest: rest::Rest,
    pub(crate) wall: wall::WallClocks,
    pub(crate) view: view::ViewState,
    pub(crate) addresses: address::Addresses,
    pub(crate) announcer: announce::Announcer,
    pub(crate) link: link::LinkChoice,
    pub(crate) alarms: BTreeSet<AlarmKind>,
    outputs: VecDeque<Output>,
    sequence: u64,
    next_beat: Instant,
    /// What the last heartbeat said; a change is told at once.
    last_facts: Option<beat::Facts>,
    /// What the last event about this box's health said.
    told_well: bool,
    /// After a pause: only listen until then.
    quiet_until: Option<Instant>,
    last_handled: Instant,
}

impl Failover {
    /// `boot` is random and new at each start of the program.
    #[must_use]
    pub fn new(config: Config, now: Instant, boot: u64) -> Failover {
        Failover {
            peer: peer::Peer::new(config.side.other(), boot),
            reach: reach::Reach::new(config.has_gateway),
            witness: witness::Known::default(),
            health: health::OwnHealth::new(config.well_after_max),
            rest: rest::Rest::new(config.maintenance),
            wall: wall::WallClocks::default(),
            view: view::ViewState::new(now, config.first_boot_may_serve),
            addresses: address::Addresses::default(),
            announcer: announce::Announcer::default(),
            link: link::LinkChoice::default(),
            alarms: BTreeSet::new(),
            outputs: VecDeque::new(),
            sequence: 0,
            next_beat: now,
            last_facts: None,
            told_well: true,
            quiet_until: None,
            last_handled: now,
            origin: now,
            config,
            boot,
        }
    }

    /// Takes one input and brings everything up to `now`. Call it with [`Input::Tick`] at the deadline.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.notice_pause(now);
        match input {
            Input::Tick => {}
            Input::Heartbeat { path, beat } => self.hear(now, path, &beat),
            Input::Carrier { path, up } => self.carrier(now, path, up),
            Input::Gateway { reachable } => self.reach.gateway(now, reachable),
            Input::Health(health) => self.health.hear(now, health),
            Input::Replica(state) => self.replica_is(now, state),
            Input::Syncs { waiting, synced } => self.view.syncs.hear(now, waiting, synced),
            Input::DiskLags(lags) => self.view.disk_lags = lags,
            Input::StoreMayServe(may) => self.view.store_may_serve = may,
            Input::PeerHasTheMail => self.leave_to_the_peer(now),
            Input::StoreWasAlone => self.view.was_alone = true,
            Input::Listener(listener) => self.link.own_listener = Some(listener),
            Input::Admin(wish) => self.admin(now, wish),
            Input::SecondHolder { address } => self.second_holder(now, address),
            Input::HolderAnswered { address, answers } => {
                self.holder_answered(now, address, answers);
            }
            Input::Witness(word) => self.witness.hear(now, word),
            Input::WallClock { unix_ms } => self.wall.set(now, unix_ms),
            Input::Resumed { paused_for } => self.resumed(now, paused_for),
        }
        self.advance(now);
    }

    /// What is to be done, in order; call until `None` after each [`Failover::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Failover::handle`] wants to be called next at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let mut at = self.next_beat;
        let dead_at = self.peer.heard_at().map(|heard| heard + self.config.dead_after);
        for other in [dead_at, self.quiet_until, self.announcer.next()].into_iter().flatten() {
            // A time that passed was dealt with when it did.
            if other > self.last_handled {
                at = at.min(other);
            }
        }
        Some(at)
    }

    fn advance(&mut self, now: Instant) {
        self.last_handled = now;
        self.reach.advance(now, self.witness.answers(now));
        let silent = self.peer.silent(now, self.config.dead_after);
        let (theirs, heard) = (self.config.side.other(), self.peer.heard_at());
        self.witness.advance(now, theirs, silent, heard, self.config.dead_after);
        self.advance_health(now);
        if self.quiet_until.is_some_and(|until| now >= until) {
            self.quiet_until = None;
        }
        self.watch_syncs(now);
        if self.quiet_until.is_none() {
            self.decide_view(now);
            self.decide_addresses(now);
            self.choose_link(now);
            self.raise_alarms(now);
        }
        for address in self.announcer.due(now) {
            self.emit(Output::Announce(address));
        }
        self.send_beats(now);
    }

    /// Sends on every path each 50 ms, and at once when what this box has to say has changed.
    fn send_beats(&mut self, now: Instant) {
        let facts = self.facts(now);
        let due = now >= self.next_beat;
        if !due && self.last_facts.as_ref() == Some(&facts) {
            return;
        }
        self.sequence += 1;
        for path in Path::ALL {
            if path == Path::Serial && !self.config.has_serial {
                continue;
            }
            let beat = Beat {
                path,
                side: self.config.side,
                boot: self.boot,
                sequence: self.sequence,
                sent_us: self.microseconds(now),
                echo: self.peer.echo(path, self.microseconds(now)),
                facts: facts.clone(),
                unix_ms: self.wall.own_ms(now),
            };
            self.outputs.push_back(Output::SendBeat { path, beat });
        }
        self.last_facts = Some(facts);
        if due {
            self.next_beat = now + limits::BEAT_INTERVAL;
        }
    }

    fn facts(&self, now: Instant) -> beat::Facts {
        beat::Facts {
            hears: self.peer.boot_heard(now, self.config.dead_after),
            hears_on: self.peer.paths_heard(now),
            standing: self.view.standing,
            replica: self.view.replica,
            healthy: self.health.well(),
            stores: self.stores(),
            trouble: beat::shorten(self.health.trouble()),
            reachable: self.reach.settled() && self.reach.now(),
            willing: self.rest.willing(),
            maintenance: self.rest.maintenance,
            holds: self.addresses.held,
            claim: self.view.claim.as_ref().map(|claim| claim.told),
            yields: self.view.yields,
            goodbye: self.view.goodbye,
            link_over_lan: self.link.over_lan,
            listener: self.link.own_listener,
            returns: self.rest.returns,
            clean_on: self.peer.clean_paths(),
        }
    }

    fn microseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_micros()).unwrap_or(u64::MAX)
    }

    fn advance_health(&mut self, now: Instant) {
        self.health.advance(now);
        if self.told_well != self.health.well() {
            self.told_well = self.health.well();
            let (what, why) = if self.told_well {
                ("This box is well again".to_owned(), words::WELL.to_owned())
            } else {
                ("This box is not well".to_owned(), self.health.trouble().to_owned())
            };
            self.event(EventKind::Health, what, why);
        }
    }

    fn hear(&mut self, now: Instant, path: Path, beat: &Beat) {
        let now_us = self.microseconds(now);
        let was_silent = self.peer.silent(now, self.config.dead_after);
        let held_mine = self.peer.facts().is_some_and(|facts| facts.holds.has(self.config.side));
        match self.peer.hear(now, now_us, path, beat, self.config.dead_after) {
            peer::Heard::Nothing => return,
            peer::Heard::Beat if was_silent && self.view.thought_dead => {
                self.view.thought_dead = false;
                let (what, why) = words::ALIVE;
                self.event(EventKind::FalseAlarm, what, why);
            }
            peer::Heard::Beat => {}
            peer::Heard::NewBoot => {
                self.view.thought_dead = false;
                self.view.peer_restarted();
            }
        }
        self.wall.hear(now, beat.unix_ms);
        self.peer_said();
        // The peer let go of an address that this box holds too, or may have while it was not heard: what the LAN
        // learned last may be wrong.
        let holds_mine = self.peer.facts().is_some_and(|facts| facts.holds.has(self.config.side));
        if held_mine && !holds_mine {
            self.addresses.peer_let_go = Some(now);
        }
        let let_go = (held_mine || was_silent) && !holds_mine;
        if let_go && self.addresses.held.has(self.config.side) {
            self.announcer.start(now, self.config.side, false);
        }
    }

    fn carrier(&mut self, now: Instant, path: Path, up: bool) {
        self.peer.carrier(path, up);
        if path == Path::Lan {
            self.reach.carrier(now, up);
        }
    }

    /// A box whose loop stood still must not take its own pause for the peer's silence.
    fn notice_pause(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.next_beat);
        if late > self.config.dead_after / 3 {
            self.resumed(now, late);
        }
    }

    fn resumed(&mut self, now: Instant, paused_for: Duration) {
        self.peer.shift(paused_for, now);
        self.view.shift(paused_for, now);
        self.health.shift(paused_for, now);
        self.quiet_until = Some(now + limits::RESUME_LISTEN);
        self.next_beat = now;
        // By then the thread that guards the port has taken the addresses off, or the peer has.
        if paused_for >= self.config.dead_after * 2 / 3 {
            let what = format!("This box stood still for {} ms", paused_for.as_millis());
            self.event(EventKind::Pause, what, words::STOOD_STILL);
            self.drop_all_addresses(words::PAUSED);
        }
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(
        &mut self,
        kind: EventKind,
        what: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.outputs.push_back(Output::Event { kind, what: what.into(), why: why.into() });
    }
}
