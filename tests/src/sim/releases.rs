//! Boxes with different releases of the program: each reads one more record format than the one before.
//!
//! No operation needs a newer format yet, so the boxes' own word for it ([`Op::Format`]) and settings of a
//! certain name stand for what an older release could not read.

use record::{Formats, Op, Side, decode_head};
use replica::{Message, Wish};

use super::random::Random;
use super::world::{Step, World, at};

const NEWEST: u16 = 3;
const UPDATE_PERMILLE: u64 = 400;
const TAKE_BACK_PERMILLE: u64 = 200;
const KEY: &str = "of format ";

/// What is installed on a box, and what its disk says of it.
pub struct Release {
    newest: u16,
    /// Goes with the disk.
    blessed: u16,
    /// The newest format that its log was seen to be in.
    seen: u16,
}

impl Release {
    /// What a box begins with.
    pub fn first(random: &mut Random) -> Release {
        Release { newest: 1 + random.below(2) as u16, blessed: 1, seen: 1 }
    }

    pub fn formats(&self) -> Formats {
        Formats::new(1..=self.newest, "a release", self.blessed)
    }

    /// The newest format that its log was seen to be in.
    pub fn seen(&self) -> u16 {
        self.seen
    }

    pub fn new_disk(&mut self) {
        (self.blessed, self.seen) = (1, 1);
    }

    /// Nothing comes from the peer that this release cannot read.
    pub fn check(&mut self, side: Side, message: &Message) -> Step {
        let Message::Record(frame) = message else { return Ok(()) };
        let Ok(record) = decode_head(frame) else { return Ok(()) };
        let format = match &record.op {
            Op::Format { version } => *version,
            Op::Setting { key, .. } => {
                key.strip_prefix(KEY).and_then(|format| format.parse().ok()).unwrap_or(1)
            }
            _ => 1,
        };
        self.seen = self.seen.max(format);
        if format > self.newest {
            return Err(format!("P2: {side} got a record that it cannot read: {:?}", record.op));
        }
        Ok(())
    }
}

/// What only a release of this format reads.
pub fn wish_of(format: u16, random: &mut Random) -> Wish {
    Wish::Setting { key: format!("{KEY}{format}"), value: random.next().to_be_bytes().to_vec() }
}

impl World {
    /// A box that starts may have got another release: the next, or the one before when nothing on its
    /// disk hinders that.
    pub(super) fn maybe_another_release(&mut self, side: Side) {
        if self.is_healing() {
            // Whoever has just been told to install the newer one does not take it back.
            return;
        }
        let (update, back) =
            (self.random.permille(UPDATE_PERMILLE), self.random.permille(TAKE_BACK_PERMILLE));
        let release = &mut self.side_box(side).release;
        let free = release.newest > release.blessed.max(release.seen);
        if update && release.newest < NEWEST {
            release.newest += 1;
        } else if back && free {
            release.newest -= 1;
        } else {
            return;
        }
        let newest = release.newest;
        self.tell(|| format!("{side} has the release of format {newest}"));
    }

    /// The release has proved itself.
    pub(super) fn maybe_bless(&mut self, side: Side) -> Step {
        let release = &mut self.side_box(side).release;
        let format = release.newest;
        if release.blessed == format {
            return Ok(());
        }
        release.blessed = format;
        self.tell(|| format!("{side} blesses format {format}"));
        self.give(side, node::core::Input::Bless { format })
    }

    /// What a box writes itself counts as seen, too.
    pub(super) fn look_at_format(&mut self, side: Side) {
        let one = self.side_box(side);
        if let Some(core) = &one.core {
            one.release.seen = one.release.seen.max(core.replica_state().format());
        }
    }

    /// A box whose peer's log it cannot read gets the newer release, as the alarm says.
    pub(super) fn update_who_is_refused(&mut self) {
        let written = self.boxes.iter().map(|one| one.release.seen).max().unwrap_or(1);
        for side in Side::BOTH {
            if self.boxes[at(side)].release.newest < written {
                self.tell(|| format!("{side} gets the release of format {written}"));
                self.counts.refused_releases += 1;
                self.stop(side, false);
                self.side_box(side).release.newest = written;
            }
        }
    }
}
