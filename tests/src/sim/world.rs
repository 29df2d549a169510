//! The two boxes, the cable between them, and what may happen next.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use journal::SimDisk;
use node::core::{Input, Output};
use record::Side;
use replica::{Message, Mode};

use super::boxes::SimBox;
use super::checks;
use super::clients::Clients;
use super::random::Random;

/// One fault in so many steps of a thousand.
const FAULT_PERMILLE: u64 = 60;
/// After the faults stop, all must be well within so many rounds.
const HEAL_ROUNDS: usize = 40;

/// What a run did.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    pub steps: u64,
    pub crashes: u64,
    pub torn_syncs: u64,
    pub cuts: u64,
    pub new_disks: u64,
    pub alone: u64,
    pub deliveries: u64,
    pub acknowledged: u64,
    pub changes: u64,
    pub unix_ms: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.torn_syncs += other.torn_syncs;
        self.cuts += other.cuts;
        self.new_disks += other.new_disks;
        self.alone += other.alone;
        self.deliveries += other.deliveries;
        self.acknowledged += other.acknowledged;
        self.changes += other.changes;
        self.unix_ms += other.unix_ms;
    }
}

pub struct World {
    pub random: Random,
    pub boxes: [SimBox; 2],
    /// Messages on their way to each box, with the session that they belong to.
    wires: [VecDeque<(u64, Message)>; 2],
    cable: bool,
    sessions: u64,
    /// Sessions that ended, noticed or not.
    broken: BTreeSet<u64>,
    pub clients: Clients,
    pub checks: checks::Checks,
    pub story: Vec<String>,
    pub counts: Counts,
    start: Instant,
    unix_ms: u64,
}

/// The place of a side in every array here.
pub fn at(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

type Step = Result<(), String>;

impl World {
    #[must_use]
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let boxes = Side::BOTH.map(|side| SimBox::new(side, SimDisk::new(random.next())));
        World {
            random,
            boxes,
            wires: Default::default(),
            cable: true,
            sessions: 0,
            broken: BTreeSet::new(),
            clients: Clients::default(),
            checks: checks::Checks::default(),
            story: Vec::new(),
            counts: Counts::default(),
            start: Instant::now(),
            unix_ms: 1_800_000_000_000,
        }
    }

    /// The whole run.
    ///
    /// # Errors
    /// The broken promise.
    pub fn run(&mut self) -> Step {
        for side in Side::BOTH {
            self.start(side)?;
        }
        self.connect()?;
        self.settle(HEAL_ROUNDS)?;
        self.make_accounts()?;
        self.settle(HEAL_ROUNDS)?;
        let length = [60, 200, 600][self.random.below(3)];
        for _ in 0..length {
            self.step()?;
        }
        self.heal()
    }

    pub fn tell(&mut self, text: impl Into<String>) {
        self.story.push(text.into());
    }

    pub fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.counts.steps)
    }

    pub fn side_box(&mut self, side: Side) -> &mut SimBox {
        &mut self.boxes[at(side)]
    }

    /// Hands an input to a box and carries out what comes of it.
    ///
    /// # Errors
    /// The broken promise.
    pub fn give(&mut self, side: Side, input: Input) -> Step {
        let now = self.now();
        let outputs = self.side_box(side).handle(now, input);
        self.carry_out(side, outputs)
    }

    fn carry_out(&mut self, side: Side, outputs: Vec<Output>) -> Step {
        for output in outputs {
            match output {
                Output::Send(message) => {
                    if let Some(session) = self.side_box(side).session
                        && !self.broken.contains(&session)
                    {
                        self.wires[at(side.other())].push_back((session, message));
                    }
                }
                Output::Apply { end } => self.side_box(side).apply_to = end,
                Output::Done { request } => {
                    let mode = self.side_box(side).mode();
                    self.counts.acknowledged += 1;
                    self.clients.done(side, request, mode == Some(Mode::Both));
                }
                Output::Mode(mode) => {
                    self.tell(format!("{side} is {mode:?}"));
                    if mode == Mode::Both {
                        self.side_box(side).blank = false;
                    }
                }
                Output::Serving => {}
                Output::EndSession { reason } => {
                    self.tell(format!("{side} ends the session: {reason}"));
                    let ended = self.side_box(side).session.take();
                    self.broken.extend(ended);
                }
                Output::Again => {
                    let unix_ms = self.unix_ms;
                    self.give(side, Input::WallClock { unix_ms })?;
                }
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Step {
        self.counts.steps += 1;
        self.counts.unix_ms += 50;
        self.unix_ms += 50;
        let up: Vec<Side> =
            Side::BOTH.into_iter().filter(|side| self.boxes[at(*side)].is_up()).collect();
        if self.random.permille(FAULT_PERMILLE) {
            return self.fault(&up);
        }
        let Some(side) = self.random.pick(&up).copied() else { return Ok(()) };
        let unix_ms = self.unix_ms;
        self.give(side, Input::WallClock { unix_ms })?;
        match self.random.below(100) {
            0..5 => self.maybe_connect(),
            5..8 => self.notice_cut(side),
            8..45 => self.receive(side),
            45..60 => self.sync(side),
            60..75 => Clients::deliver(self, side),
            75..83 => Clients::change(self, side),
            _ => self.apply(side),
        }
    }

    fn fault(&mut self, up: &[Side]) -> Step {
        let down: Vec<Side> = Side::BOTH.into_iter().filter(|side| !up.contains(side)).collect();
        match self.random.below(100) {
            0..25 => {
                let Some(side) = self.random.pick(up).copied() else { return Ok(()) };
                if self.random.permille(300) {
                    self.tear(side);
                }
                self.crash(side);
                Ok(())
            }
            25..65 => {
                let Some(side) = self.random.pick(&down).copied() else { return Ok(()) };
                if self.random.permille(100) && self.boxes.iter().all(|b| !b.blank) {
                    self.new_disk(side);
                    return Ok(());
                }
                self.start(side)
            }
            65..80 => {
                self.cable = !self.cable;
                let word = if self.cable { "joined" } else { "cut" };
                self.tell(format!("the cable is {word}"));
                if !self.cable {
                    self.counts.cuts += 1;
                    self.broken.insert(self.sessions);
                    for wire in &mut self.wires {
                        // What had arrived may still be read before the cut is noticed.
                        let kept = self.random.below(wire.len() + 1);
                        wire.truncate(kept);
                    }
                }
                Ok(())
            }
            _ => {
                let Some(side) = self.random.pick(up).copied() else { return Ok(()) };
                let one = &self.boxes[at(side)];
                if one.mode() != Some(Mode::Alone) && !one.blank {
                    self.counts.alone += 1;
                    self.tell(format!("{side} declares its peer dead"));
                    return self.give(side, Input::GoAlone);
                }
                Ok(())
            }
        }
    }

    fn start(&mut self, side: Side) -> Step {
        self.tell(format!("{side} starts"));
        let (incarnation, unix_ms) = (self.random.id(), self.unix_ms);
        self.side_box(side).start(incarnation, unix_ms)?;
        self.give(side, Input::WallClock { unix_ms })
    }

    fn crash(&mut self, side: Side) {
        self.counts.crashes += 1;
        self.tell(format!("{side} crashes"));
        let ended = self.side_box(side).session;
        self.broken.extend(ended);
        self.side_box(side).crash();
        self.clients.crashed(side);
    }

    /// The power goes somewhere in the middle of a sync.
    fn tear(&mut self, side: Side) {
        self.counts.torn_syncs += 1;
        let operations = self.random.next() % 4;
        let one = self.side_box(side);
        one.disk.cut_power_after(operations);
        if let Some(core) = &one.core {
            let _ = core.log().flush();
        }
    }

    /// The disk is gone for good: what only it held is lost, and with it what only its clients saw.
    fn new_disk(&mut self, side: Side) {
        self.counts.new_disks += 1;
        self.tell(format!("{side} gets a new disk"));
        let disk = SimDisk::new(self.random.next());
        let one = self.side_box(side);
        (one.disk, one.blank) = (disk, true);
        self.clients.disk_lost(side);
        self.checks.disk_lost(side);
    }

    fn maybe_connect(&mut self) -> Step {
        let [a, b] = &self.boxes;
        let in_session = a.session.is_some() && a.session == b.session;
        if !self.cable || !a.is_up() || !b.is_up() || in_session {
            return Ok(());
        }
        self.connect()
    }

    fn connect(&mut self) -> Step {
        self.tell("the boxes connect");
        self.disconnect()?;
        self.sessions += 1;
        let hellos = [Side::A, Side::B].map(|side| {
            let core = self.boxes[at(side)].core.as_ref();
            core.expect("both boxes are up").hello()
        });
        let [a, b] = hellos;
        for (side, peer) in [(Side::A, b), (Side::B, a)] {
            self.side_box(side).session = Some(self.sessions);
            self.give(side, Input::LinkUp { peer })?;
        }
        Ok(())
    }

    fn disconnect(&mut self) -> Step {
        for side in Side::BOTH {
            self.wires[at(side)].clear();
            if self.side_box(side).session.take().is_some() {
                self.give(side, Input::LinkDown)?;
            }
        }
        Ok(())
    }

    fn notice_cut(&mut self, side: Side) -> Step {
        let one = &self.boxes[at(side)];
        let Some(session) = one.session else { return Ok(()) };
        let ended =
            self.broken.contains(&session) || self.boxes[at(side.other())].session != Some(session);
        if ended && self.wires[at(side)].is_empty() {
            self.side_box(side).session = None;
            self.tell(format!("{side} notices that the session is over"));
            return self.give(side, Input::LinkDown);
        }
        Ok(())
    }

    fn receive(&mut self, side: Side) -> Step {
        let Some((session, message)) = self.wires[at(side)].pop_front() else { return Ok(()) };
        if self.boxes[at(side)].session != Some(session) {
            return Ok(());
        }
        self.give(side, Input::Link(message))
    }

    fn sync(&mut self, side: Side) -> Step {
        let now = self.now();
        match self.side_box(side).sync(now) {
            Some(outputs) => self.carry_out(side, outputs),
            None => Ok(()),
        }
    }

    fn apply(&mut self, side: Side) -> Step {
        let now = self.now();
        if let Some(outputs) = self.side_box(side).apply(now) {
            self.carry_out(side, outputs)?;
        }
        let one = &self.boxes[at(side)];
        if let (Some(core), true) = (&one.core, one.is_serving()) {
            self.checks.observe(side, core.index())?;
        }
        Ok(())
    }

    /// Lets everything that is under way arrive.
    fn settle(&mut self, rounds: usize) -> Step {
        for _ in 0..rounds {
            for side in Side::BOTH {
                while !self.wires[at(side)].is_empty() {
                    self.receive(side)?;
                }
                self.sync(side)?;
                self.apply(side)?;
            }
        }
        Ok(())
    }

    fn make_accounts(&mut self) -> Step {
        let wishes = Clients::accounts(self);
        for (request, wish) in wishes {
            let answer = node::core::Answer::AtApply;
            self.give(Side::A, Input::Submit { request, wish, answer })?;
        }
        Ok(())
    }

    /// Stops the faults; all must be well soon.
    fn heal(&mut self) -> Step {
        self.tell("the faults stop");
        self.cable = true;
        for side in Side::BOTH {
            if !self.boxes[at(side)].is_up() {
                self.start(side)?;
            }
        }
        self.connect()?;
        self.settle(HEAL_ROUNDS)?;
        checks::liveness::check(self)?;
        checks::convergence::check(self)?;
        checks::durability::check(self)?;
        checks::resurrection::check(self)
    }
}
