//! What the records of a healed pair say about where an entry went.

use std::collections::{BTreeMap, BTreeSet};

use journal::{Error, Log, Position, SimDisk};
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
            let record = match row {
                Ok((_, record)) => record,
                Err(Error::Damaged { position: Some(at), .. }) if log.is_nobodys(at) => continue,
                Err(error) => return Err(format!("P1: {error}")),
            };
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
    /// writer that held the entry, or when it was moved and that other entry is there or may be gone. What
    /// is said of an entry that it became, as its mailbox was joined to another, is said of it.
    pub fn may_be_gone(&self, world: &World, side: Side, entry: EntryId) -> Result<bool, String> {
        let core = world.boxes[at(side)].core.as_ref().ok_or("P6: a box is down")?;
        let is_alive = |entry| -> Result<bool, String> {
            let state = core.index().entry(entry).map_err(|e| e.to_string())?;
            Ok(state.is_some_and(|state| !state.expunged))
        };
        let asked = &world.clients.asked_expunged;
        for one in self.all_of(world, entry) {
            if asked.contains(&one) || self.went_with_mailbox(world, one) || is_alive(one)? {
                return Ok(true);
            }
            let moved = self.moved.get(&one).into_iter().flatten();
            for to in moved.filter(|to| world.clients.asked_placed.contains(to)) {
                // A client's move never leads back to an entry that was there before.
                if is_alive(*to)? || self.may_be_gone(world, side, *to)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The entry, and what it became as its mailbox was joined to others: by moves that no client asked for.
    pub fn all_of(&self, world: &World, entry: EntryId) -> BTreeSet<EntryId> {
        let mut heirs = BTreeSet::from([entry]);
        let mut next = vec![entry];
        while let Some(from) = next.pop() {
            for to in self.moved.get(&from).into_iter().flatten() {
                if !world.clients.asked_placed.contains(to) && heirs.insert(*to) {
                    next.push(*to);
                }
            }
        }
        heirs
    }

    /// The entry that became this one as its mailbox was joined to another, or this one.
    pub fn root(&self, world: &World, entry: EntryId) -> EntryId {
        let is_asked = |entry: &EntryId| world.clients.asked_placed.contains(entry);
        let mut root = entry;
        while !is_asked(&root) {
            let from = self.moved.iter().find(|(_, to)| to.contains(&root));
            match from {
                Some((from, _)) => root = *from,
                None => break,
            }
        }
        root
    }

    fn went_with_mailbox(&self, world: &World, entry: EntryId) -> bool {
        let places = self.placements.get(&entry).map_or(&[][..], Vec::as_slice);
        self.deletions.iter().any(|(mailbox, _, seen)| {
            world.clients.asked_deleted.contains(mailbox)
                && places.iter().any(|(of, at)| of == mailbox && seen.saw(at.writer, at.index))
        })
    }
}
