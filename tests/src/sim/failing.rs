//! A disk that fails while its box goes on for a moment: its other threads finish what is under way.
//!
//! | while the box ends | at its end |
//! |---|---|
//! | syncs that were done before are heard of, and told to the peer | the program dies, or the power goes, too |
//! | the peer's records and clients' wishes come in, answers go out | a goodbye, at which the peer serves alone at once, or none |
//! | it may go alone itself | with the power, what it had sent last is lost |
//!
//! A disk that lies (it says that it writes, and has lost all of it when the power goes) costs its box
//! what it wrote meanwhile. What was acknowledged in `both` is on the other disk. Alone, no box can
//! survive that, so disks lie only in `both`, and while nothing is reclaimed: what both know for good rests on
//! what both have written. (What a box wrote and somebody takes from it later, whatever the view, is
//! `Fault::OldDisk`, where whoever put the copy back knows.)

use record::Side;
use replica::Mode;

use node::core::Input;

use super::counts::Fault;
use super::world::{Step, World, at};

/// Steps that a box goes on after its disk failed, at most.
const LATE_STEPS_MAX: usize = 40;
/// Steps that a sync takes at most.
const HANG_STEPS_MAX: usize = 80;
/// Operations of the disk before its power goes.
const OPERATIONS_MAX: u64 = 4;
/// In so many of a thousand steps the power goes of a disk that lies.
const LIE_OVER_PERMILLE: u64 = 30;

/// How a box ends whose disk has failed.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// The step.
    at: u64,
    power_cut: bool,
    goodbye: Goodbye,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Goodbye {
    None,
    /// The peer goes alone before it has read what was sent to it.
    First,
    Last,
}

impl World {
    pub(super) fn ends_late(&mut self, side: Side) -> Step {
        let operations = self.random.next() % OPERATIONS_MAX;
        let one = self.side_box(side);
        if !one.is_up() || one.powerless || one.lying.is_some() {
            return Ok(());
        }
        one.disk.cut_power_of_writes_after(operations);
        (one.powerless, one.failing) = (true, true);
        let text = || format!("the disk of {side} has power for {operations} more operations");
        self.note(Fault::EndsLate, text);
        Ok(())
    }

    /// It goes on later, or its box ends without it.
    pub(super) fn sync_hangs(&mut self, side: Side) -> Step {
        if !self.boxes[at(side)].is_up() || self.boxes[at(side)].ending.is_some() {
            return Ok(());
        }
        let steps = 1 + self.random.below(HANG_STEPS_MAX) as u64;
        self.note(Fault::SyncHangs, || format!("the disk of {side} hangs for {steps} steps"));
        self.side_box(side).hangs_until = self.step + steps;
        if self.random.permille(500) {
            let ending = Ending { at: self.step + steps, ..self.some_ending() };
            self.side_box(side).ending = Some(ending);
        }
        Ok(())
    }

    pub(super) fn disk_lies(&mut self, side: Side) -> Step {
        // Of two disks that lie, nobody has what was acknowledged.
        if !self.is_sound(side.other()) {
            return Ok(());
        }
        let answers = self.clients.answers;
        let one = self.side_box(side);
        let begins = one.mode() == Some(Mode::Both)
            && !(one.failing || one.ending.is_some() || one.lying.is_some())
            && one.agreed.is_none()
            && one.lie(answers);
        if begins {
            self.note(Fault::LyingDisk, || format!("the disk of {side} begins to lie"));
        }
        Ok(())
    }

    /// A box leaves `both`, or the power goes.
    pub(super) fn lie_is_over(&mut self, side: Side) -> Step {
        if self.boxes[at(side)].lying.is_none() {
            return Ok(());
        }
        if self.is_sound(side.other()) {
            self.look_before_loss(side)?;
        }
        self.stop(side, true);
        Ok(())
    }

    /// A box that stopped finds that its disk did not write what it said.
    pub(super) fn find_the_lie(&mut self, side: Side) {
        let Some(copy) = self.side_box(side).lying.take() else { return };
        self.tell(|| format!("what the disk of {side} said to have written is lost"));
        let seed = self.random.next();
        let one = self.side_box(side);
        one.stop(true);
        one.put_back(&copy, seed);
        (one.old_copy, one.behind) = (false, true);
        one.full_until = 0;
        self.clients.disk_lost(side, copy.answers);
        self.checks.disk_lost(side);
    }

    /// A box finds that its disk has failed: it ends, now or in a moment.
    pub(super) fn disk_failed(&mut self, side: Side) {
        if !self.boxes[at(side)].is_up() || self.boxes[at(side)].ending.is_some() {
            return;
        }
        let ending = self.some_ending();
        if self.is_healing() || self.random.permille(400) {
            self.tell(|| format!("{side} stops"));
            self.stop(side, ending.power_cut);
        } else {
            self.tell(|| format!("{side} will end: {ending:?}"));
            self.side_box(side).ending = Some(ending);
        }
    }

    fn some_ending(&mut self) -> Ending {
        let steps = 1 + self.random.below(LATE_STEPS_MAX) as u64;
        let goodbye = [Goodbye::None, Goodbye::First, Goodbye::Last][self.random.below(3)];
        let at = self.step.saturating_add(steps);
        Ending { at, power_cut: self.random.permille(500), goodbye }
    }

    /// Whose time has come.
    pub(super) fn end_what_ends(&mut self) -> Step {
        for side in Side::BOTH {
            if self.boxes[at(side)].lying.is_some() && self.random.permille(LIE_OVER_PERMILLE) {
                self.lie_is_over(side)?;
            }
            let ending = self.boxes[at(side)].ending;
            if let Some(ending) = ending.filter(|ending| ending.at <= self.step) {
                self.end(side, ending)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, side: Side, ending: Ending) -> Step {
        self.tell(|| format!("{side} ends at last: {ending:?}"));
        if ending.power_cut {
            self.cable.lose_tail(side.other(), &mut self.random);
        }
        self.stop(side, ending.power_cut);
        let peer = side.other();
        if ending.goodbye == Goodbye::None || self.is_paused(peer) {
            return Ok(());
        }
        while ending.goodbye == Goodbye::Last && self.cable.has(peer) {
            self.receive(peer)?;
        }
        let one = &self.boxes[at(peer)];
        if one.may_go_alone() && one.mode() != Some(Mode::Alone) {
            self.counts.takeovers += 1;
            self.tell(|| format!("{peer} hears the goodbye and takes over"));
            return self.give(peer, Input::GoAlone { forced: false });
        }
        Ok(())
    }
}
