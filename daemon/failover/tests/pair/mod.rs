//! Two [`Failover`] machines, cables between them, and a stand-in for `replica`, under a virtual clock.
//!
//! The stand-in knows only what matters here: a session comes about some time after both boxes run and
//! a cable works in both directions, a join takes a while, the two boxes enter `both` a moment apart, and a
//! session ends by a cut, a crash, or a word of either box.

#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use failover::beat::{Beat, Key};
use failover::{
    Admin, AlarmKind, Config, EventKind, Failover, Health, Holds, Input, Output, Path,
    ReplicaState, Side, Standing, Why,
};

pub const KEY: [u8; 32] = [7; 32];

/// A cable in one direction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wire {
    pub up: bool,
    /// Of 100 heartbeats so many are lost.
    pub loss_percent: u64,
}

pub struct Box_ {
    pub machine: Option<Failover>,
    pub config: Config,
    pub replica: ReplicaState,
    pub held: Holds,
    pub paused_until_ms: Option<u64>,
    /// Its gateway answers each probe.
    gateway: bool,
    /// What each look at the peer's syncs finds: whether something waits, and how far they are.
    pub syncs: (bool, u64),
    /// What came while it was paused.
    inbox: Vec<(Path, Vec<u8>)>,
    joined_once: bool,
    was_alone: bool,
    boots: u64,
}

#[derive(Debug)]
enum Coming {
    Beat { to: Side, path: Path, bytes: Vec<u8> },
    Report { to: Side, state: ReplicaState, session: u64 },
}

/// What somebody might want to look back at.
#[derive(Clone, PartialEq, Debug)]
pub enum Happened {
    Take(Side, Side),
    Give(Side, Side),
    /// The own address was taken from a peer that served it.
    Handed(Side),
    Announce(Side, Side),
    GoAlone(Side, Why),
    EndSession(Side),
    Link(Side, Path),
    HandedOver(Side, bool),
    Probe(Side, Side),
    AskHolder(Side, Side),
    Maintenance(Side, bool),
    Event(Side, EventKind),
    Stands(Side, Standing),
    Told(Side, String),
}

pub struct World {
    pub origin: Instant,
    pub now_ms: u64,
    pub boxes: [Box_; 2],
    /// `wires[from][path]`
    pub wires: [[Wire; 3]; 2],
    pub history: Vec<(u64, Happened)>,
    /// Those that stand.
    pub alarms: [BTreeSet<AlarmKind>; 2],
    pub random: Random,
    coming: BTreeMap<(u64, u64), Coming>,
    count: u64,
    session: Session,
    /// What a cut cable does to it is not noticed.
    pub session_hangs: bool,
    sessions: u64,
    pub seed: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Session {
    Down { since_ms: u64 },
    Up { over: Path, since_ms: u64, joined: bool },
}

impl Box_ {
    /// Without a word about it yet.
    pub fn gateway_answers(&mut self, answers: bool) {
        self.gateway = answers;
    }
}

impl World {
    /// Both boxes are off. `first` may serve from a blank disk: side a.
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    pub fn new(seed: u64) -> World {
        let wire = Wire { up: true, loss_percent: 0 };
        let new_box = |side| {
            let mut config = Config::new(side);
            config.first_boot_may_serve = side == Side::A;
            Box_ {
                machine: None,
                config,
                replica: ReplicaState::Starting,
                held: Holds::default(),
                paused_until_ms: None,
                gateway: false,
                syncs: (false, 0),
                inbox: Vec::new(),
                joined_once: false,
                was_alone: false,
                boots: 0,
            }
        };
        World {
            origin: Instant::now(),
            now_ms: 0,
            boxes: [new_box(Side::A), new_box(Side::B)],
            wires: [[wire; 3]; 2],
            history: Vec::new(),
            alarms: Default::default(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            coming: BTreeMap::new(),
            count: 0,
            session: Session::Down { since_ms: 0 },
            session_hangs: false,
            sessions: 0,
            seed,
        }
    }

    /// Two boxes in `both`, each with its own address, nothing going on.
    pub fn settled(seed: u64) -> World {
        let mut world = World::new(seed);
        world.start(Side::A);
        world.start(Side::B);
        world.run(5_000);
        assert_eq!(world.standings(), [Standing::Both, Standing::Both]);
        world.assert_each_its_own();
        world.history.clear();
        world
    }

    pub fn start(&mut self, side: Side) {
        let now = self.now();
        let b = &mut self.boxes[side as usize];
        assert!(b.machine.is_none());
        b.boots += 1;
        let boot = (b.boots << 8) + side as u64 + (self.seed << 16);
        b.machine = Some(Failover::new(b.config.clone(), now, boot));
        b.replica = ReplicaState::NoSession;
        b.inbox.clear();
        let (may, was_alone) = (b.joined_once, b.was_alone);
        self.input(side, Input::StoreMayServe(may));
        if was_alone {
            self.input(side, Input::StoreWasAlone);
        }
        self.input(side, Input::Replica(ReplicaState::NoSession));
    }

    /// Without a word: power cut.
    pub fn crash(&mut self, side: Side) {
        let b = &mut self.boxes[side as usize];
        b.machine = None;
        self.alarms[side as usize].clear();
        b.held = Holds::default();
        b.replica = ReplicaState::Starting;
        b.paused_until_ms = None;
        self.end_session();
    }

    pub fn pause(&mut self, side: Side, for_ms: u64) {
        self.boxes[side as usize].paused_until_ms = Some(self.now_ms + for_ms);
    }

    pub fn cut(&mut self, path: Path) {
        self.set_path(path, false);
    }

    pub fn mend(&mut self, path: Path) {
        self.set_path(path, true);
    }

    fn set_path(&mut self, path: Path, up: bool) {
        for side in Side::BOTH {
            self.wires[side as usize][path as usize].up = up;
        }
    }

    /// Both ways.
    pub fn set_loss(&mut self, path: Path, percent: u64) {
        for side in Side::BOTH {
            self.wires[side as usize][path as usize].loss_percent = percent;
        }
    }

    pub fn may_join(&self, side: Side) -> bool {
        self.boxes[side as usize].machine.as_ref().is_some_and(Failover::may_join)
    }

    /// The plug of this box's port: it sees the carrier go, and nothing passes.
    pub fn plug(&mut self, side: Side, path: Path, up: bool) {
        self.set_path(path, up);
        self.input(side, Input::Carrier { path, up });
    }

    pub fn admin(&mut self, side: Side, wish: Admin) {
        self.input(side, Input::Admin(wish));
    }

    pub fn health(&mut self, side: Side, ok: bool) {
        let ill = Health::Ill { reason: "the disk does not sync".into() };
        self.input(side, Input::Health(if ok { Health::Well } else { ill }));
    }

    pub fn limp(&mut self, side: Side) {
        let reason = "the disk is nearly full".into();
        self.input(side, Input::Health(Health::Limping { reason }));
    }

    pub fn input(&mut self, side: Side, input: Input) {
        let now = self.now();
        if let Input::Gateway { reachable } = input {
            self.boxes[side as usize].gateway = reachable;
        }
        if let Input::Syncs { waiting, synced } = input {
            self.boxes[side as usize].syncs = (waiting, synced);
        }
        let Some(machine) = &mut self.boxes[side as usize].machine else { return };
        machine.handle(now, input);
        self.drain(side);
    }

    pub fn run(&mut self, for_ms: u64) {
        let until = self.now_ms + for_ms;
        while self.now_ms < until {
            self.step();
        }
    }

    /// One millisecond.
    pub fn step(&mut self) {
        self.now_ms += 1;
        while let Some(entry) = self.coming.first_entry() {
            if entry.key().0 > self.now_ms {
                break;
            }
            let coming = entry.remove();
            self.arrive(coming);
        }
        for side in Side::BOTH {
            self.wake(side);
            self.probe_gateway(side);
            self.look_at_syncs(side);
        }
        self.session_step();
    }

    fn probe_gateway(&mut self, side: Side) {
        let b = &self.boxes[side as usize];
        if b.gateway && b.paused_until_ms.is_none() && self.now_ms.is_multiple_of(250) {
            self.input(side, Input::Gateway { reachable: true });
        }
    }

    fn look_at_syncs(&mut self, side: Side) {
        let b = &self.boxes[side as usize];
        let (waiting, synced) = b.syncs;
        if b.paused_until_ms.is_none() && self.now_ms.is_multiple_of(50) {
            self.input(side, Input::Syncs { waiting, synced });
        }
    }

    fn arrive(&mut self, coming: Coming) {
        match coming {
            Coming::Beat { to, path, bytes } => {
                let target = &mut self.boxes[to as usize];
                if target.machine.is_none() {
                } else if target.paused_until_ms.is_some() {
                    target.inbox.push((path, bytes));
                } else {
                    self.beat(to, path, &bytes);
                }
            }
            Coming::Report { to, state, session } => {
                let before = self.boxes[to as usize].replica;
                let in_session = matches!(before, ReplicaState::Both | ReplicaState::Joining);
                let ended = state == ReplicaState::NoSession;
                if session == self.sessions && (in_session || !ended) {
                    self.report(to, state);
                }
            }
        }
    }

    fn beat(&mut self, to: Side, path: Path, bytes: &[u8]) {
        let beat = Beat::open(bytes, &Key::new(KEY)).expect("sealed by this test");
        self.input(to, Input::Heartbeat { path, beat });
    }

    fn wake(&mut self, side: Side) {
        let now = self.now();
        let b = &mut self.boxes[side as usize];
        if let Some(until) = b.paused_until_ms {
            if until > self.now_ms {
                return;
            }
            b.paused_until_ms = None;
            // As the program does: what is pending is read before anything else happens.
            for (path, bytes) in std::mem::take(&mut b.inbox) {
                self.beat(side, path, &bytes);
            }
        }
        let b = &mut self.boxes[side as usize];
        let Some(machine) = &mut b.machine else { return };
        if machine.deadline().is_some_and(|at| at <= now) {
            machine.handle(now, Input::Tick);
            self.drain(side);
        }
    }

    fn drain(&mut self, side: Side) {
        let mut outputs = VecDeque::new();
        if let Some(machine) = &mut self.boxes[side as usize].machine {
            while let Some(output) = machine.poll() {
                outputs.push_back(output);
            }
        }
        for output in outputs {
            self.carry_out(side, output);
        }
    }

    fn carry_out(&mut self, side: Side, output: Output) {
        match output {
            Output::SendBeat { path, beat } => self.send(side, path, &beat),
            Output::Take { address, handed } => {
                let b = &mut self.boxes[side as usize];
                assert!(!b.held.has(address), "taken twice");
                b.held.set(address, true);
                self.note(Happened::Take(side, address));
                if handed {
                    self.note(Happened::Handed(side));
                }
            }
            Output::Give(address) => {
                let b = &mut self.boxes[side as usize];
                assert!(b.held.has(address), "gave what it had not");
                b.held.set(address, false);
                self.note(Happened::Give(side, address));
            }
            Output::Announce(address) => {
                assert!(self.boxes[side as usize].held.has(address), "announces what it has not");
                self.note(Happened::Announce(side, address));
            }
            Output::Probe(address) => self.note(Happened::Probe(side, address)),
            Output::GoAlone { why } => {
                self.note(Happened::GoAlone(side, why));
                self.end_session();
                self.boxes[side as usize].was_alone = true;
                self.report(side, ReplicaState::Alone);
            }
            Output::EndSession => {
                self.note(Happened::EndSession(side));
                self.end_session();
                self.report(side, ReplicaState::NoSession);
            }
            Output::Link(path) => {
                self.note(Happened::Link(side, path));
                self.end_session();
            }
            Output::HandedOver { peer_serves } => {
                self.note(Happened::HandedOver(side, peer_serves));
            }
            Output::AskHolder(address) => self.note(Happened::AskHolder(side, address)),
            Output::Maintenance(on) => {
                self.boxes[side as usize].config.maintenance = on;
                self.note(Happened::Maintenance(side, on));
            }
            Output::Event { kind, what, why } => {
                self.note(Happened::Event(side, kind));
                self.note(Happened::Told(side, format!("{what}: {why}")));
            }
            Output::Alarm { kind, raised, .. } => {
                let alarms = &mut self.alarms[side as usize];
                if raised {
                    assert!(alarms.insert(kind), "raised twice");
                } else {
                    assert!(alarms.remove(&kind), "over, but was not raised");
                }
            }
        }
    }

    fn send(&mut self, from: Side, path: Path, beat: &Beat) {
        let wire = self.wires[from as usize][path as usize];
        if !wire.up || self.random.below(100) < wire.loss_percent {
            return;
        }
        let at = self.now_ms + self.random.below(3);
        let bytes = beat.seal(&Key::new(KEY));
        self.later(at, Coming::Beat { to: from.other(), path, bytes });
    }

    fn later(&mut self, at_ms: u64, coming: Coming) {
        self.count += 1;
        self.coming.insert((at_ms, self.count), coming);
    }

    fn report(&mut self, side: Side, state: ReplicaState) {
        let b = &mut self.boxes[side as usize];
        if b.machine.is_none() || b.replica == state {
            return;
        }
        b.replica = state;
        if state == ReplicaState::Both {
            b.joined_once = true;
            b.was_alone = false;
        }
        self.input(side, Input::Replica(state));
    }

    fn session_step(&mut self) {
        let carries = |world: &World, path: Path| {
            Side::BOTH.iter().all(|side| {
                let wire = world.wires[*side as usize][path as usize];
                wire.up && wire.loss_percent < 50
            })
        };
        let awake = Side::BOTH.iter().all(|side| {
            let b = &self.boxes[*side as usize];
            b.machine.is_some() && b.paused_until_ms.is_none()
        });
        match self.session {
            Session::Down { since_ms } => {
                let path = [Path::Crossover, Path::Lan]
                    .into_iter()
                    .find(|path| Side::BOTH.iter().all(|s| self.link_of(*s) == Some(*path)))
                    .filter(|path| carries(self, *path));
                let may = Side::BOTH.iter().all(|side| {
                    let machine = self.boxes[*side as usize].machine.as_ref();
                    machine.is_some_and(Failover::may_join)
                });
                if let Some(over) = path.filter(|_| awake && may && self.now_ms > since_ms + 120) {
                    self.sessions += 1;
                    self.session = Session::Up { over, since_ms: self.now_ms, joined: false };
                    for side in Side::BOTH {
                        if self.boxes[side as usize].replica == ReplicaState::NoSession {
                            self.report(side, ReplicaState::Joining);
                        }
                    }
                }
            }
            Session::Up { .. } if self.session_hangs => {}
            Session::Up { over, .. } if !carries(self, over) => self.end_session(),
            Session::Up { over, since_ms, joined } => {
                if awake && !joined && self.now_ms > since_ms + 300 {
                    self.session = Session::Up { over, since_ms, joined: true };
                    for side in Side::BOTH {
                        let at = self.now_ms + self.random.below(40);
                        let session = self.sessions;
                        let state = ReplicaState::Both;
                        self.later(at, Coming::Report { to: side, state, session });
                    }
                }
            }
        }
    }

    fn link_of(&self, side: Side) -> Option<Path> {
        let machine = self.boxes[side as usize].machine.as_ref()?;
        Some(machine.report(self.now()).link)
    }

    /// Whoever ended it: both notice.
    fn end_session(&mut self) {
        if matches!(self.session, Session::Down { .. }) {
            return;
        }
        self.session = Session::Down { since_ms: self.now_ms };
        self.sessions += 1;
        for side in Side::BOTH {
            if matches!(
                self.boxes[side as usize].replica,
                ReplicaState::Both | ReplicaState::Joining
            ) {
                let at = self.now_ms + self.random.below(20);
                let session = self.sessions;
                let state = ReplicaState::NoSession;
                self.later(at, Coming::Report { to: side, state, session });
            }
        }
    }

    fn note(&mut self, happened: Happened) {
        self.history.push((self.now_ms, happened));
    }

    pub fn now(&self) -> Instant {
        self.origin + Duration::from_millis(self.now_ms)
    }

    pub fn standing(&self, side: Side) -> Option<Standing> {
        let machine = self.boxes[side as usize].machine.as_ref()?;
        Some(machine.report(self.now()).standing)
    }

    /// An absent box counts as outside.
    pub fn standings(&self) -> [Standing; 2] {
        Side::BOTH.map(|side| self.standing(side).unwrap_or(Standing::Outside))
    }

    pub fn holders(&self, address: Side) -> Vec<Side> {
        Side::BOTH.into_iter().filter(|side| self.boxes[*side as usize].held.has(address)).collect()
    }

    pub fn assert_each_its_own(&self) {
        for address in Side::BOTH {
            assert_eq!(self.holders(address), [address], "address {address}: {}", self.story());
        }
    }

    pub fn assert_serves_both(&self, side: Side) {
        for address in Side::BOTH {
            assert_eq!(self.holders(address), [side], "address {address}: {}", self.story());
        }
    }

    /// When it happened first, ms.
    pub fn when(&self, wanted: &Happened) -> u64 {
        let found = self.history.iter().find(|(_, happened)| happened == wanted);
        found.unwrap_or_else(|| panic!("never: {wanted:?}; {}", self.story())).0
    }

    pub fn never(&self, wanted: &Happened) -> bool {
        self.history.iter().all(|(_, happened)| happened != wanted)
    }

    /// Addresses and views that changed since the history was cleared.
    pub fn moves(&self) -> usize {
        let counts = |happened: &Happened| {
            matches!(happened, Happened::Take(..) | Happened::Give(..) | Happened::GoAlone(..))
        };
        self.history.iter().filter(|(_, happened)| counts(happened)).count()
    }

    pub fn story(&self) -> String {
        let mut story = format!("seed {}\n", self.seed);
        for (at, happened) in &self.history {
            story.push_str(&format!("{at:>8} ms  {happened:?}\n"));
        }
        story
    }
}

/// xorshift64*: a seed in, always the same out.
pub struct Random(u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }
}
