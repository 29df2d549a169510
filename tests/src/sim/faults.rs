//! What goes wrong. Each run has a weather of its own: how often something happens, and which kinds.

use record::Side;
use replica::Mode;
use replica::limits::JOINS_AT_ONCE;

use journal::SimOp;
use node::core::Input;

use super::boxes::SimBox;
use super::clients::Clients;
use super::counts::Fault;
use super::random::Random;
use super::world::{Step, World, at};

pub struct Weather {
    pub fault_permille: u64,
    kinds: Vec<Fault>,
}

impl Weather {
    /// Half of all kinds, so that each run has room for what it has.
    pub fn of(random: &mut Random) -> Weather {
        let mut kinds: Vec<Fault> =
            Fault::ALL.into_iter().filter(|_| random.permille(500)).collect();
        if kinds.is_empty() {
            kinds.push(Fault::PowerCut);
        }
        Weather { fault_permille: [20, 60, 120][random.below(3)], kinds }
    }
}

const SECOND_MS: i64 = 1000;
const HOUR_MS: i64 = 3600 * SECOND_MS;
/// Steps that a pause and a full disk last at most.
const SPELL_STEPS_MAX: usize = 80;
/// In so many of a thousand cases a link comes and goes very often.
const OFTEN_PERMILLE: u64 = 100;

impl World {
    pub(super) fn fault(&mut self) -> Step {
        let Some(fault) = self.random.pick(&self.weather.kinds).copied() else { return Ok(()) };
        let side = if self.random.permille(500) { Side::A } else { Side::B };
        if !self.cable.is_whole() && self.random.permille(300) {
            self.tell(|| "the cable is whole".into());
            self.cable.mend();
            return Ok(());
        }
        match fault {
            Fault::PowerCut | Fault::TornSync | Fault::Killed => self.take_down(side, fault),
            Fault::BothCut => {
                self.note(fault, || "both boxes lose power".into());
                Side::BOTH.into_iter().for_each(|side| self.stop(side, true));
                Ok(())
            }
            Fault::NewDisk => self.new_disk(side),
            Fault::OldDisk => self.old_disk(side),
            Fault::DiskError => self.disk_error(side),
            Fault::EndsLate => self.ends_late(side),
            Fault::SyncHangs => self.sync_hangs(side),
            Fault::LyingDisk => self.disk_lies(side),
            Fault::DiskFull => self.disk_full(side),
            Fault::Rot => self.rot(side),
            Fault::Cut => {
                self.note(fault, || "the cable is cut".into());
                self.cable.cut(&mut self.random);
                Ok(())
            }
            Fault::OneWayCut => {
                self.note(fault, || format!("nothing arrives at {side}"));
                self.cable.cut_towards(side);
                Ok(())
            }
            Fault::CutInCatchUp => self.cut_in_catch_up(),
            Fault::Flapping => self.flapping(side),
            Fault::Split => self.split(),
            Fault::FalseAlarm => self.false_alarm(side),
            Fault::Withdrawn => {
                if self.boxes[at(side)].is_up() {
                    self.note(fault, || format!("{side} is to wait for its peer"));
                    return self.give(side, Input::EndSession);
                }
                Ok(())
            }
            Fault::Pause => {
                let steps = 1 + self.random.below(SPELL_STEPS_MAX) as u64;
                self.note(fault, || format!("{side} stands still for {steps} steps"));
                self.side_box(side).paused_until = self.step + steps;
                Ok(())
            }
            Fault::ClockJump => {
                let far = if self.random.permille(300) { 12 * HOUR_MS } else { 600 * SECOND_MS };
                let off = (self.random.next() % (2 * far) as u64) as i64 - far;
                self.note(fault, || format!("the clock of {side} is {off} ms off"));
                self.side_box(side).clock_off_ms = off;
                Ok(())
            }
        }
    }

    pub(super) fn note(&mut self, fault: Fault, text: impl FnOnce() -> String) {
        self.count(fault);
        self.tell(text);
    }

    fn take_down(&mut self, side: Side, fault: Fault) -> Step {
        if !self.boxes[at(side)].is_up() {
            return Ok(());
        }
        if fault == Fault::TornSync {
            let operations = self.random.next() % 4;
            let one = self.side_box(side);
            one.disk.cut_power_after(operations);
            if let Some(core) = &one.core {
                // It fails, or it was done just before.
                let _ = core.log().flush();
            }
        }
        self.note(fault, || format!("{fault:?} at {side}"));
        self.stop(side, fault != Fault::Killed);
        Ok(())
    }

    /// The disk is gone for good: what only it held is lost, and with it what only its clients saw.
    fn new_disk(&mut self, side: Side) -> Step {
        // The peer must be able to give it all back.
        if !self.is_sound(side.other()) || self.is_rotten(side.other()) {
            return Ok(());
        }
        self.note(Fault::NewDisk, || format!("{side} gets a new disk"));
        self.look_before_loss(side)?;
        self.stop(side, true);
        let disk = journal::SimDisk::new(self.random.next());
        let one = self.side_box(side);
        (one.disk, one.blank, one.old_copy, one.copy) = (disk, true, false, None);
        one.copying = false;
        one.rotten.clear();
        one.release.new_disk();
        one.full_until = 0;
        self.clients.disk_lost(side, 0);
        self.checks.disk_lost(side);
        Ok(())
    }

    /// Somebody puts back an earlier copy of the disk. Only such copies that the peer can recognise: of
    /// what nobody knows, nobody can take care.
    fn old_disk(&mut self, side: Side) -> Step {
        if self.is_rotten(side.other()) {
            return Ok(());
        }
        let peer = &self.boxes[at(side.other())];
        let copy = self.boxes[at(side)].copy.as_ref();
        if !self.is_sound(side.other()) || !copy.is_some_and(|copy| peer.would_recognise(copy)) {
            return Ok(());
        }
        let Some(copy) = self.side_box(side).copy.take() else { return Ok(()) };
        self.note(Fault::OldDisk, || format!("{side} gets an old copy of its disk"));
        self.look_before_loss(side)?;
        self.stop(side, true);
        let seed = self.random.next();
        let one = self.side_box(side);
        one.put_back(&copy, seed);
        one.full_until = 0;
        self.clients.disk_lost(side, copy.answers);
        self.checks.disk_lost(side);
        Ok(())
    }

    /// Is anything on its disk rotten, as far as one can tell?
    fn is_rotten(&mut self, side: Side) -> bool {
        let one = self.side_box(side);
        one.look_for_rot();
        !one.rotten.is_empty()
    }

    pub(super) fn look_before_loss(&mut self, side: Side) -> Step {
        match &self.boxes[at(side.other())].core {
            Some(peer) => self.checks.before_disk_is_lost(side, peer),
            None => Ok(()),
        }
    }

    /// Has this box a disk that knows all that it ever did?
    pub(super) fn is_sound(&self, side: Side) -> bool {
        let one = &self.boxes[at(side)];
        !one.blank && !one.old_copy && one.lying.is_none() && !one.behind
    }

    fn disk_error(&mut self, side: Side) -> Step {
        if !self.boxes[at(side)].is_up() {
            return Ok(());
        }
        let ops = [SimOp::Write, SimOp::SyncData, SimOp::SyncDir, SimOp::Names];
        let op = ops[self.random.below(ops.len())];
        let nth = self.random.next() % 3;
        self.note(Fault::DiskError, || format!("{op:?} number {nth} from now fails at {side}"));
        let one = self.side_box(side);
        one.disk.fail(op, nth, std::io::ErrorKind::Other);
        one.failing = true;
        Ok(())
    }

    fn disk_full(&mut self, side: Side) -> Step {
        let steps = 1 + self.random.below(SPELL_STEPS_MAX) as u64;
        self.note(Fault::DiskFull, || format!("the disk of {side} is full for {steps} steps"));
        let full_until = self.step + steps;
        let room = self.random.below(2000) as u64;
        let one = self.side_box(side);
        one.full_until = full_until;
        one.disk.set_capacity(Some(used_bytes(one) + room));
        Ok(())
    }

    /// A join that breaks somewhere in the middle.
    fn cut_in_catch_up(&mut self) -> Step {
        if !self.both_could_join() {
            return Ok(());
        }
        self.count(Fault::CutInCatchUp);
        self.connect()?;
        for _ in 0..self.random.below(30) {
            let side = if self.random.permille(500) { Side::A } else { Side::B };
            if self.random.permille(300) {
                self.sync(side)?;
            } else {
                self.receive(side)?;
            }
        }
        self.tell(|| "the cable is cut in the middle of the join".into());
        self.cable.cut(&mut self.random);
        Ok(())
    }

    /// The peer reads everything and syncs nothing, then the cable is cut, and this side goes on alone.
    fn flapping(&mut self, side: Side) -> Step {
        // Many in a row make joins wait, and that only works for boxes that go on all the while.
        let often = self.random.permille(OFTEN_PERMILLE);
        let times = if often { 2 * JOINS_AT_ONCE as usize } else { 2 + self.random.below(4) };
        for _ in 0..times {
            let failing = self.boxes.iter().any(|one| one.failing);
            if failing || !self.both_could_join() || !self.boxes[at(side)].may_go_alone() {
                break;
            }
            self.count(Fault::Flapping);
            self.connect()?;
            for _ in 0..2 {
                for reader in Side::BOTH {
                    while self.cable.has(reader) {
                        self.receive(reader)?;
                    }
                }
                self.sync(side)?;
            }
            self.tell(|| "the cable is cut just before the boxes have joined".into());
            self.cable.cut(&mut self.random);
            self.lose_session(side)?;
            for alone in Side::BOTH {
                let too = alone == side || self.random.permille(300);
                if too && self.boxes[at(alone)].may_go_alone() {
                    self.lose_session(alone)?;
                    self.give(alone, Input::GoAlone { forced: false })?;
                    Clients::deliver(self, alone)?;
                    self.sync(alone)?;
                    self.hear_of_syncs(alone)?;
                    self.apply(alone, u64::MAX)?;
                }
            }
            self.cable.mend();
        }
        // What if that disk were lost now?
        if self.is_sound(side.other()) { self.look_before_loss(side) } else { Ok(()) }
    }

    fn both_could_join(&self) -> bool {
        let mut both = Side::BOTH.into_iter();
        both.all(|side| self.boxes[at(side)].is_up() && !self.is_paused(side))
            && self.cable.is_whole()
    }

    fn split(&mut self) -> Step {
        self.note(Fault::Split, || "all cables are cut".into());
        self.cable.cut(&mut self.random);
        for side in Side::BOTH {
            let one = &self.boxes[at(side)];
            if one.may_go_alone() && !self.is_paused(side) && one.mode() != Some(Mode::Alone) {
                self.tell(|| format!("{side} goes on alone"));
                self.give(side, Input::GoAlone { forced: false })?;
            }
        }
        Ok(())
    }

    fn false_alarm(&mut self, side: Side) -> Step {
        let one = &self.boxes[at(side)];
        if one.may_go_alone() && one.mode() != Some(Mode::Alone) && !self.is_paused(side) {
            self.note(Fault::FalseAlarm, || format!("{side} declares its peer dead"));
            return self.give(side, Input::GoAlone { forced: false });
        }
        Ok(())
    }
}

fn used_bytes(one: &SimBox) -> u64 {
    use journal::Disk;
    let names = one.disk.list().unwrap_or_default();
    names.iter().filter_map(|name| one.disk.contents(name)).map(|bytes| bytes.len() as u64).sum()
}
