//! The two boxes, the cable between them, and what may happen next.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use node::core::{Answer, Input, OpenError, Output};
use record::Side;
use replica::Mode;

use super::boxes::{SimBox, Synced};
use super::cable::Cable;
use super::checks::{self, Checks};
use super::clients::Clients;
use super::counts::{Counts, Fault};
use super::faults::Weather;
use super::options::Options;
use super::outbound::{Elsewhere, Sender};
use super::random::Random;

/// After the faults stop, all must be well within so many rounds.
const HEAL_ROUNDS: usize = 40;
/// What the scrub finds is mended within so many more.
const MENDING_ROUNDS: usize = 12;
/// Steps of a run: many short stories, some long ones.
const LENGTHS: [u64; 3] = [60, 200, 600];
/// Milliseconds that one step takes at most.
const STEP_MS_MAX: usize = 100;
/// A box that is off is switched on in so many steps of a thousand.
const START_PERMILLE: u64 = 40;
/// In so many of a thousand cases the core hears of a sync later.
const LATE_PERMILLE: u64 = 200;
/// In so many of a thousand steps some time passes first.
const IDLE_PERMILLE: u64 = 5;
const IDLE_MINUTES_MAX: usize = 200;
/// Records applied in one go, when it is not all of them.
const BATCH_RECORDS_MAX: usize = 30;
/// Messages read in one go at most.
const BURST: usize = 12;

pub struct World {
    pub options: Options,
    seed: u64,
    pub random: Random,
    pub boxes: [SimBox; 2],
    pub cable: Cable,
    pub clients: Clients,
    pub checks: Checks,
    pub senders: [Sender; 2],
    pub elsewhere: Elsewhere,
    pub story: Vec<String>,
    pub counts: Counts,
    pub weather: Weather,
    /// The step that is being taken.
    pub step: u64,
    start: Instant,
    unix_ms: u64,
    /// Time in which nothing happened; not counted as simulated.
    idle: Duration,
}

/// The place of a side in every array here.
pub fn at(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

pub(super) type Step = Result<(), String>;

impl World {
    #[must_use]
    pub fn new(seed: u64, options: Options) -> World {
        let mut random = Random::new(seed);
        let boxes = Side::BOTH.map(|side| SimBox::new(side, &mut random, options.broken));
        let weather = Weather::of(&mut random);
        let checks = Checks::default();
        let senders = Side::BOTH.map(|side| Sender::new(side, options.broken));
        World {
            options,
            seed,
            random,
            boxes,
            cable: Cable::default(),
            clients: Clients::default(),
            checks,
            senders,
            elsewhere: Elsewhere::default(),
            story: Vec::new(),
            counts: Counts::of_one_run(),
            weather,
            step: 0,
            start: Instant::now(),
            unix_ms: 1_800_000_000_000,
            idle: Duration::ZERO,
        }
    }

    /// How many steps the run of this seed has.
    #[must_use]
    pub fn length(seed: u64) -> u64 {
        LENGTHS[Random::of_step(seed, u64::MAX).below(LENGTHS.len())]
    }

    /// The whole run.
    ///
    /// # Errors
    /// The broken promises.
    pub fn run(&mut self) -> Step {
        for side in Side::BOTH {
            self.start(side)?;
        }
        self.connect()?;
        self.settle(3)?;
        for (request, wish) in Clients::first_accounts(self) {
            self.give(Side::A, Input::Submit { request, wish, answer: Answer::AtApply })?;
        }
        self.settle(3)?;
        for step in 1..=World::length(self.seed) {
            if self.options.only.as_ref().is_none_or(|only| only.contains(&step)) {
                self.step = step;
                self.random = Random::of_step(self.seed, step);
                self.take_step()?;
            }
        }
        self.step = u64::MAX;
        self.random = Random::of_step(self.seed, u64::MAX - 1);
        self.heal()
    }

    /// A line of the story, if anybody wants it.
    pub fn tell(&mut self, text: impl FnOnce() -> String) {
        if self.options.story {
            let step = match self.step {
                0 => "    -".into(),
                u64::MAX => "  end".into(),
                step => format!("{step:5}"),
            };
            self.story.push(format!("{step}  {}", text()));
        }
    }

    pub fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    /// Since the beginning of the run.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.counts.virtual_ms) + self.idle
    }

    /// Nothing happens for so long.
    pub(super) fn idle(&mut self, time: Duration) {
        self.idle += time;
        self.unix_ms += time.as_millis() as u64;
    }

    /// A box that waits for its time gets it.
    fn wait_for_deadlines(&mut self) -> Step {
        let deadlines =
            self.boxes.iter().filter_map(|one| one.core.as_ref()?.replica_state().deadline());
        let Some(latest) = deadlines.max() else { return Ok(()) };
        let time = latest.saturating_duration_since(self.now());
        self.counts.waits += 1;
        self.tell(|| format!("{} s pass", time.as_secs()));
        self.idle(time);
        for side in Side::BOTH {
            let unix_ms = self.clock(side);
            self.give(side, Input::WallClock { unix_ms })?;
        }
        Ok(())
    }

    pub fn side_box(&mut self, side: Side) -> &mut SimBox {
        &mut self.boxes[at(side)]
    }

    /// What this box's clock says.
    pub fn clock(&self, side: Side) -> u64 {
        self.unix_ms.saturating_add_signed(self.boxes[at(side)].clock_off_ms)
    }

    /// The faults have stopped.
    pub fn is_healing(&self) -> bool {
        self.step == u64::MAX
    }

    /// Hands an input to a box and carries out what comes of it.
    ///
    /// # Errors
    /// The broken promise.
    pub fn give(&mut self, side: Side, input: Input) -> Step {
        let now = self.now();
        let before = self.boxes[at(side)].release.seen();
        let outputs = self.side_box(side).handle(now, input);
        self.look_at_format(side);
        self.counts.raised_formats += u64::from(self.boxes[at(side)].release.seen() > before);
        self.carry_out(side, outputs)
    }

    fn carry_out(&mut self, side: Side, outputs: Vec<Output>) -> Step {
        for output in outputs {
            match output {
                Output::Send(message) => {
                    if let Some(session) = self.boxes[at(side)].session {
                        self.cable.send(side.other(), session, message);
                    }
                }
                Output::Apply { end } => self.side_box(side).apply_to = end,
                Output::Done { request } => {
                    self.counts.acknowledged += 1;
                    let ends = self.boxes[at(side)].ending.is_some();
                    self.counts.acknowledged_late += u64::from(ends);
                    let both_since = self.boxes[at(side)].both_since;
                    self.clients.done(side, request, both_since);
                    self.senders[at(side)].done(request);
                }
                Output::Refused { request } => {
                    self.counts.refused += 1;
                    self.clients.refused(side, request);
                }
                Output::Failed { reason } => {
                    self.tell(|| format!("the log of {side} takes nothing more: {reason}"));
                    self.disk_failed(side);
                }
                Output::Mend { damaged, frames } => self.mend(side, damaged, &frames)?,
                Output::Agreed(agreed) => {
                    self.tell(|| format!("{side} knows what is dead for both"));
                    self.side_box(side).agreed = Some(agreed);
                }
                Output::Mode(mode) => {
                    self.tell(|| format!("{side} is {mode:?}"));
                    let asked = self.clients.asked_so_far();
                    self.elsewhere.mode(side, mode, self.elapsed());
                    let one = self.side_box(side);
                    one.both_since = None;
                    if mode == Mode::Both {
                        one.both_since = Some(asked);
                        (one.blank, one.old_copy, one.copying) = (false, false, false);
                        one.behind = false;
                    } else {
                        self.lie_is_over(side)?;
                    }
                }
                Output::Serving => self.checks.observe_later(side),
                Output::EndSession { reason } => {
                    self.tell(|| format!("{side} ends the session: {reason}"));
                    if let Some(session) = self.side_box(side).session.take() {
                        self.cable.end(session);
                    }
                }
                Output::Again => {
                    let unix_ms = self.clock(side);
                    self.give(side, Input::WallClock { unix_ms })?;
                }
            }
        }
        self.tell_standing(side);
        Ok(())
    }

    fn take_step(&mut self) -> Step {
        let ms = 1 + self.random.below(STEP_MS_MAX) as u64;
        self.counts.steps += 1;
        self.counts.virtual_ms += ms;
        self.unix_ms += ms;
        self.make_room();
        self.end_what_ends()?;
        if self.random.permille(self.weather.fault_permille) {
            return self.fault();
        }
        if self.random.permille(IDLE_PERMILLE) {
            let minutes = self.random.below(IDLE_MINUTES_MAX) as u64;
            self.tell(|| format!("{minutes} minutes pass"));
            self.idle(Duration::from_secs(60 * minutes));
        }
        let side = if self.random.permille(500) { Side::A } else { Side::B };
        if !self.boxes[at(side)].is_up() {
            return if self.random.permille(START_PERMILLE) { self.start(side) } else { Ok(()) };
        }
        if self.is_paused(side) {
            return Ok(());
        }
        let unix_ms = self.clock(side);
        self.give(side, Input::WallClock { unix_ms })?;
        match self.random.below(100) {
            0..5 => self.maybe_connect(),
            5..8 => self.notice_cut(side),
            8..10 => self.maybe_take_over(side),
            10..43 => {
                let burst = if self.random.permille(200) { BURST } else { 1 };
                (0..burst).try_for_each(|_| self.receive(side))
            }
            43..57 => self.sync(side),
            57..69 => Clients::deliver(self, side),
            69..71 => Clients::send_elsewhere(self, side),
            71..80 => Clients::change(self, side),
            80..83 => self.send_some(side),
            83 => self.maybe_bless(side),
            84..92 if self.boxes[at(side)].ending.is_some() => Ok(()),
            84 => {
                let answers = self.clients.answers;
                self.side_box(side).take_copy(answers);
                Ok(())
            }
            85..87 => self.scrub(side),
            87..92 => self.keep_tidy(side),
            92 => self.hear_of_syncs(side),
            _ => {
                let all = self.random.permille(600);
                let some = 1 + self.random.below(BATCH_RECORDS_MAX) as u64;
                self.apply(side, if all { u64::MAX } else { some })
            }
        }
    }

    pub fn is_paused(&self, side: Side) -> bool {
        self.boxes[at(side)].paused_until > self.step
    }

    /// A full disk has room again after its time.
    fn make_room(&mut self) {
        for side in Side::BOTH {
            let step = self.step;
            let one = self.side_box(side);
            if one.full_until != 0 && one.full_until <= step {
                one.full_until = 0;
                one.disk.set_capacity(None);
                self.tell(|| format!("there is room on the disk of {side} again"));
            }
        }
    }

    pub fn start(&mut self, side: Side) -> Step {
        self.maybe_another_release(side);
        let (incarnation, unix_ms) = (self.random.id(), self.clock(side));
        match self.side_box(side).start(incarnation, unix_ms) {
            Ok(()) => {
                self.tell(|| format!("{side} starts"));
                self.elsewhere.started(side, self.elapsed());
            }
            // It tries again later.
            Err(OpenError::Log(error @ journal::Error::DiskFull { .. })) => {
                self.tell(|| format!("{side} cannot start: {error}"));
                self.side_box(side).stop(false);
                return Ok(());
            }
            Err(error) => return Err(format!("P1: {side} cannot start: {error}")),
        }
        self.give(side, Input::WallClock { unix_ms })
    }

    pub fn stop(&mut self, side: Side, power_cut: bool) {
        if let Some(session) = self.boxes[at(side)].session {
            self.cable.end(session);
        }
        self.side_box(side).stop(power_cut);
        self.clients.stopped(side);
        self.find_the_lie(side);
        self.senders[at(side)] = Sender::new(side, self.options.broken);
    }

    fn maybe_connect(&mut self) -> Step {
        let [a, b] = &self.boxes;
        let in_session = a.session.is_some() && a.session == b.session;
        let awake = Side::BOTH.into_iter().all(|side| !self.is_paused(side));
        if !self.cable.is_whole() || !a.is_up() || !b.is_up() || in_session || !awake {
            return Ok(());
        }
        self.connect()
    }

    pub fn connect(&mut self) -> Step {
        self.tell(|| "the boxes connect".into());
        self.counts.joins += 1;
        for side in Side::BOTH {
            self.lose_session(side)?;
        }
        let [Some(a), Some(b)] = &self.boxes.each_ref().map(|one| one.core.as_ref()) else {
            // One of them was at its end.
            return Ok(());
        };
        let (a, b) = (a.hello(), b.hello());
        let session = self.cable.connect();
        for (side, peer) in [(Side::A, b), (Side::B, a)] {
            let one = self.side_box(side);
            one.session = Some(session);
            one.peer_told = peer.synced.clone();
            one.copying |= one.blank && !peer.blank;
            self.give(side, Input::LinkUp { peer })?;
        }
        Ok(())
    }

    pub fn lose_session(&mut self, side: Side) -> Step {
        match self.side_box(side).session.take() {
            Some(session) => {
                self.cable.end(session);
                self.give(side, Input::LinkDown)
            }
            None => Ok(()),
        }
    }

    fn notice_cut(&mut self, side: Side) -> Step {
        let Some(session) = self.boxes[at(side)].session else { return Ok(()) };
        if self.cable.is_over(session) && !self.cable.carries(side, session) {
            self.tell(|| format!("{side} notices that the session is over"));
            return self.lose_session(side);
        }
        Ok(())
    }

    /// Nothing is heard of the peer: it is dead, or all cables are cut.
    fn maybe_take_over(&mut self, side: Side) -> Step {
        let silent = !self.boxes[at(side.other())].is_up() || !self.cable.is_whole();
        let one = &self.boxes[at(side)];
        if silent && one.may_go_alone() && one.mode() != Some(Mode::Alone) {
            self.counts.takeovers += 1;
            self.tell(|| format!("{side} takes over"));
            return self.give(side, Input::GoAlone { forced: false });
        }
        Ok(())
    }

    pub fn receive(&mut self, side: Side) -> Step {
        let Some((session, message)) = self.cable.receive(side) else { return Ok(()) };
        let one = self.side_box(side);
        if one.session != Some(session) {
            // Bytes of a session long over: the link passes over them.
            self.counts.late_messages += 1;
            return Ok(());
        }
        if let replica::Message::Synced(vector) = &message {
            for (writer, count) in vector {
                let told = one.peer_told.entry(*writer).or_default();
                *told = (*told).max(*count);
            }
        }
        self.tell(|| format!("{side} reads {}", super::cable::told(&message)));
        self.boxes[at(side)].release.check(side, &message)?;
        self.give(side, Input::Link(message))
    }

    pub fn sync(&mut self, side: Side) -> Step {
        let one = &self.boxes[at(side)];
        if one.hangs_until > self.step || one.ending.is_some() {
            return Ok(());
        }
        match self.side_box(side).sync() {
            None => Ok(()),
            Some(Synced::Done) => {
                if self.random.permille(LATE_PERMILLE) {
                    self.tell(|| format!("{side} syncs, and has not heard of it"));
                    return Ok(());
                }
                self.tell(|| format!("{side} syncs"));
                self.hear_of_syncs(side)
            }
            Some(Synced::Full) => {
                self.tell(|| format!("{side} cannot sync: its disk is full"));
                Ok(())
            }
            Some(Synced::Failed) => {
                self.tell(|| format!("the disk of {side} fails"));
                self.disk_failed(side);
                Ok(())
            }
        }
    }

    /// What the thread that syncs has left for the core.
    pub(super) fn hear_of_syncs(&mut self, side: Side) -> Step {
        while let Some(end) = self.side_box(side).completions.pop_front() {
            self.give(side, Input::Synced { end })?;
        }
        Ok(())
    }

    pub fn apply(&mut self, side: Side, records: u64) -> Step {
        let now = self.now();
        let mut changed = BTreeSet::new();
        if let Some(applied) = self.side_box(side).apply(now, records) {
            self.tell(|| format!("{side} applies"));
            changed = applied.changed;
            self.carry_out(side, applied.outputs)?;
            if !applied.damaged.is_empty() {
                self.damaged(side, applied.damaged)?;
            }
        }
        let one = &self.boxes[at(side)];
        if let (Some(core), true) = (&one.core, one.is_serving()) {
            self.checks.observe(side, core, &changed)?;
        }
        Ok(())
    }

    /// Lets everything that is under way arrive.
    pub(super) fn settle(&mut self, rounds: usize) -> Step {
        for _ in 0..rounds {
            for side in Side::BOTH {
                while self.cable.has(side) {
                    self.receive(side)?;
                }
                self.sync(side)?;
                self.hear_of_syncs(side)?;
                self.apply(side, u64::MAX)?;
            }
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        Side::BOTH.into_iter().all(|side| {
            let one = &self.boxes[at(side)];
            let Some(core) = &one.core else { return false };
            let end = core.log().end().0;
            let quiet = core.log().synced().0 == end && one.applied == end;
            quiet && !self.cable.has(side) && one.mode() == Some(Mode::Both)
        })
    }

    /// Stops the faults; all must be well soon.
    fn heal(&mut self) -> Step {
        self.tell(|| "the faults stop".into());
        self.cable.mend();
        self.update_who_is_refused();
        for side in Side::BOTH {
            self.lie_is_over(side)?;
            let one = self.side_box(side);
            (one.paused_until, one.full_until, one.hangs_until) = (0, 0, 0);
            one.disk.set_capacity(None);
            if one.failing || one.powerless || one.ending.is_some() {
                self.stop(side, false);
            }
            if !self.boxes[at(side)].is_up() {
                self.start(side)?;
            }
        }
        self.connect()?;
        let mut rounds = 0;
        while rounds < HEAL_ROUNDS && !self.is_quiet() {
            self.settle(1)?;
            self.wait_for_deadlines()?;
            rounds += 1;
        }
        self.scrub_all()?;
        self.settle(MENDING_ROUNDS)?;
        self.send_all()?;
        checks::at_the_end(self)
    }

    pub fn count(&mut self, fault: Fault) {
        self.counts.fault(fault);
    }
}
