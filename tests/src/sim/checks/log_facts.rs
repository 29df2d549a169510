//! What the records of a healed pair say about where an entry went.

use std::collections::{BTreeMap, BTreeSet};

use journal::{Log, Position, SimDisk};
use record::op::Seen;
use record::{Address, EntryId, MailboxId, Op, Side, Writer};

use crate::sim::world::{World, at};

#[derive(Default)]
pub struct LogFacts {
    moved: BTreeMap<EntryId, Vec<EntryId>>,
    placements: BTreeMap<EntryId, Vec<(MailboxId, Address)>>,
    /// With what the deleting writer held.
    deletions: Vec<(MailboxId, Writer, Seen)>,
}

impl LogFacts {
    pub fn of(log: &std::sync::Arc<Log<SimDisk>>) -> Result<LogFacts, String> {
        let mut facts = LogFacts::default();
        let mut seen = BTreeMap::<Writer, Seen>::new();
        for row in log.scan(Position(0)) {
            let (_, record) = row.map_err(|e| format!("P1: {e}"))?;
            let writer_seen = seen.entry(record.writer).or_default();
            writer_seen.fold(&record.seen);
            writer_seen.0.insert(record.writer, record.index);
            if let Some((entry, _)) = record.op.placement() {
                let place = (entry.mailbox, record.address());
                facts.placements.entry(entry.entry).or_default().push(place);
            }
            match &record.op {
                Op::Move { entry, from, .. } => {
                    facts.moved.entry(*from).or_default().push(entry.entry);
                }
                Op::DeleteMailbox { mailbox } => {
                    facts.deletions.push((*mailbox, record.writer, writer_seen.clone()));
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    /// May this entry be gone? Only when a client asked for its end, or for the end of a mailbox by a
    /// writer that held the entry, or when it was moved and that other entry is there or may be gone.
    pub fn may_be_gone(&self, world: &World, side: Side, entry: EntryId) -> Result<bool, String> {
        let clients = &world.clients;
        if clients.asked_expunged.contains(&entry) || self.went_with_mailbox(world, entry) {
            return Ok(true);
        }
        let core = world.boxes[at(side)].core.as_ref().ok_or("P6: a box is down")?;
        // A move never leads back to an entry that was there before.
        let mut all_moves = BTreeSet::new();
        for to in self.moved.get(&entry).into_iter().flatten() {
            let state = core.index().entry(*to).map_err(|e| e.to_string())?;
            let alive = state.is_some_and(|state| !state.expunged);
            all_moves.insert(alive || self.may_be_gone(world, side, *to)?);
        }
        Ok(all_moves.contains(&true) && !all_moves.contains(&false))
    }

    fn went_with_mailbox(&self, world: &World, entry: EntryId) -> bool {
        let places = self.placements.get(&entry).map_or(&[][..], Vec::as_slice);
        self.deletions.iter().any(|(mailbox, _, seen)| {
            world.clients.asked_deleted.contains(mailbox)
                && places.iter().any(|(of, at)| of == mailbox && seen.saw(at.writer, at.index))
        })
    }
}
