//! The log's upkeep in the simulation: rot, scrub, mending, reclaim.

use std::collections::BTreeSet;

use journal::{Disk, Log, Position, SimDisk};
use node::core::{Core, Input};
use node::upkeep::{Agreed, dead};
use record::{Address, Side};
use replica::Mode;

use super::counts::Fault;
use super::options::Break;
use super::world::{Step, World, at};

/// A step of the scrub reads so much.
const SCRUB_BYTES: u64 = 6 * 1024;
/// Before each frame in a segment: what the log says of it.
const ENTRY_HEAD_BYTES: usize = 20;
const FRAME_MAGIC: &[u8] = b"TPR1";
/// A record gets rotten in so many places at most.
const FLIPS_MAX: usize = 3;

impl World {
    /// A step of the scrub; what it finds is mended when the peer has answered.
    pub(super) fn scrub(&mut self, side: Side) -> Step {
        self.scrub_some(side, SCRUB_BYTES).map(drop)
    }

    /// Did it come to the end?
    fn scrub_some(&mut self, side: Side, bytes: u64) -> Result<bool, String> {
        let Some(core) = &self.boxes[at(side)].core else { return Ok(true) };
        match core.log().scrub_step(bytes) {
            Ok(step) => self.damaged(side, step.damaged).map(|()| step.done),
            // An injected fault: later again.
            Err(_) => Ok(false),
        }
    }

    /// Tells a box of its damaged records.
    pub(super) fn damaged(&mut self, side: Side, found: Vec<journal::Damaged>) -> Step {
        if self.options.broken == Some(Break::DamageUnnoticed) {
            return Ok(());
        }
        if !found.is_empty() {
            self.tell(|| format!("{side} finds damaged: {found:?}"));
        }
        self.give(side, Input::Damaged(found))
    }

    pub(super) fn mend(
        &mut self,
        side: Side,
        damaged: journal::Damaged,
        frames: &[Vec<u8>],
    ) -> Step {
        let Some(core) = &self.boxes[at(side)].core else { return Ok(()) };
        let done = core.log().mend(&damaged, frames);
        self.tell(|| format!("{side} mends {damaged:?}: {done:?}"));
        self.counts.mended += u64::from(done.is_ok());
        if done.is_err() && self.boxes[at(side)].failing {
            // A disk that fails in the middle of it breaks the log, also when nothing waits for a sync.
            self.disk_failed(side);
            return Ok(());
        }
        self.give(side, Input::Mended { position: damaged.position.0, done: done.is_ok() })
    }

    /// Reclaim, in the middle of things or in a quiet moment.
    pub(super) fn keep_tidy(&mut self, side: Side) -> Step {
        let [a, b] = &self.boxes;
        let joined = a.session.is_some() && a.session == b.session && self.cable.is_whole();
        let awake = Side::BOTH
            .into_iter()
            .all(|side| !self.is_paused(side) && self.boxes[at(side)].mode() == Some(Mode::Both));
        if joined && awake && self.random.permille(300) {
            self.tell(|| "a quiet moment".into());
            self.settle(2)?;
            self.give(side, Input::AskWhatIsDead)?;
            self.settle(2)?;
        }
        self.reclaim(side)
    }

    /// Agrees with the peer on what is dead, or gives back the room of what they agreed on.
    fn reclaim(&mut self, side: Side) -> Step {
        // What both boxes know for good rests on what both have on their disks.
        if self.boxes.iter().any(|one| one.lying.is_some() || one.behind) {
            return Ok(());
        }
        if self.options.broken == Some(Break::ReclaimAlone) {
            self.boxes[at(side)].agree_alone();
        }
        let one = &self.boxes[at(side)];
        let (Some(core), Some(agreed)) = (&one.core, &one.agreed) else {
            return self.give(side, Input::AskWhatIsDead);
        };
        if !dead::is_ripe(agreed, core.index(), core.users()) {
            return Ok(());
        }
        let agreed = agreed.clone();
        let segments = dead::worth(core.log(), core.index(), &agreed);
        self.boxes[at(side)].agreed = None;
        for segment in segments {
            self.reclaim_one(side, &agreed, segment)?;
        }
        Ok(())
    }

    fn reclaim_one(&mut self, side: Side, agreed: &Agreed, segment: Position) -> Step {
        if !self.boxes[at(side)].is_up() {
            return Ok(());
        }
        let power_goes = self.random.permille(50);
        if power_goes {
            let operations = self.random.next() % 12;
            self.boxes[at(side)].disk.cut_power_after(operations);
        }
        let Some(core) = &self.boxes[at(side)].core else { return Ok(()) };
        let done = dead::reclaim(core.log(), core.index(), agreed, segment);
        if power_goes {
            self.count(Fault::TornSync);
            self.tell(|| format!("the power of {side} goes while it reclaims {segment}"));
            self.stop(side, true);
            return Ok(());
        }
        match done {
            Ok(Some(_)) => {
                self.counts.reclaimed += 1;
                self.tell(|| format!("{side} reclaims the segment at {segment}"));
                Ok(())
            }
            Err(journal::Error::Damaged { position: Some(position), .. }) => {
                let found = core.log().damaged_at(position);
                self.damaged(side, vec![found])
            }
            // Not worth it, or an injected fault: nothing is lost.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Bytes of one record rot, on the disk of a box that is up. Never both copies of a record, and not in
    /// the last batch: to an opening that looks like a torn tail. Nor the last durable record of a writer: an opening
    /// does not know whose it was, so the box would go on without it, and without its index.
    pub(super) fn rot(&mut self, side: Side) -> Step {
        self.boxes.iter_mut().for_each(super::boxes::SimBox::look_for_rot);
        let peer_has = self.sound_at(side.other());
        let one = &self.boxes[at(side)];
        let (Some(core), Some(peer_has)) = (&one.core, peer_has) else { return Ok(()) };
        let disk = one.disk.clone();
        let Some((name, entry)) = pick_entry(&disk, &mut self.random) else { return Ok(()) };
        let mut flips = Vec::new();
        for _ in 0..1 + self.random.below(FLIPS_MAX) {
            let offset = entry.start + self.random.below(entry.len());
            flips.push((offset as u64, 1 << self.random.below(8)));
        }
        flips.iter().for_each(|(offset, mask)| disk.flip(&name, *offset, *mask));
        let lost = lost_records(core.log());
        let synced = core.hello().synced;
        let is_last = |address: &Address| {
            synced.get(&address.writer).is_none_or(|count| *count <= address.index + 1)
        };
        let harmless = lost.iter().all(|(position, address)| {
            let may_go = |address| !is_last(&address) && peer_has.contains(&address);
            *position < one.vouched && address.is_none_or(may_go)
        });
        if !harmless {
            flips.iter().for_each(|(offset, mask)| disk.flip(&name, *offset, *mask));
            return Ok(());
        }
        let rotten = lost.into_iter().filter_map(|(_, address)| address).collect();
        self.boxes[at(side)].rotten = rotten;
        self.count(Fault::Rot);
        self.tell(|| format!("{name} of {side} rots at {flips:?}"));
        Ok(())
    }

    /// The records that a box has whole on its disk; nothing when it is down or its disk not to be relied on.
    fn sound_at(&self, side: Side) -> Option<BTreeSet<Address>> {
        let one = &self.boxes[at(side)];
        let core = one.core.as_ref().filter(|_| self.is_sound(side))?;
        let synced = core.hello().synced;
        let all = synced.iter().flat_map(|(writer, count)| {
            (0..*count).map(|index| Address { writer: *writer, index })
        });
        Some(all.filter(|address| !one.rotten.contains(address)).collect())
    }

    /// Both boxes scrub all that they have, and mend it.
    pub(super) fn scrub_all(&mut self) -> Step {
        for side in Side::BOTH {
            // From wherever it was to the end, and once more from the beginning.
            for _ in 0..2 {
                while !self.scrub_some(side, u64::MAX)? {}
            }
        }
        Ok(())
    }
}

/// Where an entry of a segment is.
fn pick_entry(
    disk: &SimDisk,
    random: &mut super::random::Random,
) -> Option<(String, std::ops::Range<usize>)> {
    let names = disk.list().ok()?;
    let segments: Vec<String> = names.into_iter().filter(|name| name.ends_with(".log")).collect();
    let name = random.pick(&segments)?.clone();
    let bytes = disk.contents(&name)?;
    let mut entries = Vec::new();
    for at in 0..bytes.len().saturating_sub(FRAME_MAGIC.len()) {
        if at >= ENTRY_HEAD_BYTES
            && bytes[at..].starts_with(FRAME_MAGIC)
            && let Ok(length) = record::frame_length(&bytes[at..])
            && at + length <= bytes.len()
        {
            entries.push(at - ENTRY_HEAD_BYTES..at + length);
        }
    }
    random.pick(&entries).cloned().map(|entry| (name, entry))
}

/// Every durable record that cannot be read, and whose it is.
pub(super) fn lost_records(log: &Log<SimDisk>) -> Vec<(u64, Option<Address>)> {
    let mut lost = Vec::new();
    for position in 0..log.synced().0 {
        let position = Position(position);
        let whole = match log.frame(position) {
            Ok(frame) => record::check(&frame).is_ok(),
            Err(journal::Error::Reclaimed { .. }) => true,
            Err(_) => false,
        };
        if whole {
            continue;
        }
        let damaged = log.damaged_at(position);
        let Some(first) = damaged.address else {
            lost.push((position.0, None));
            continue;
        };
        let all = first.index..first.index + damaged.records;
        lost.extend(all.map(|index| (position.0, Some(Address { index, ..first }))));
    }
    lost
}

/// Is this record readable here?
pub(super) fn is_rotten(core: &Core<SimDisk>, address: Address) -> bool {
    core.log().frame_of(address).is_ok_and(|frame| record::check(&frame).is_err())
        || matches!(core.log().frame_of(address), Err(journal::Error::Damaged { .. }))
}
