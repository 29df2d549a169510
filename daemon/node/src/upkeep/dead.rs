//! Judges records by an agreement of both boxes ([`super::agree`]), and rewrites the segments in which
//! less than half is alive.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use journal::{Disk, Log, Position, Reclaimed};
use mailbox::Index;
use record::{Address, Writer};
use users::Users;

use super::Agreed;
use crate::limits::DEAD_LOOKED_UP;

/// Is all applied, durably, that the agreement is about? Before, nothing may be judged.
#[must_use]
pub fn is_ripe(agreed: &Agreed, index: &Index, users: &Users) -> bool {
    index.durable_applied() >= agreed.from_end && users.durable_applied() >= agreed.from_end
}

/// Looks up a range of each writer's records at a time: a segment holds its writers' records in order.
pub struct Judge<'a> {
    index: &'a Index,
    agreed: &'a Agreed,
    known: RefCell<BTreeMap<Writer, Known>>,
}

#[derive(Default)]
struct Known {
    within: Range<u64>,
    /// Ascending.
    dead: Vec<Range<u64>>,
}

impl<'a> Judge<'a> {
    #[must_use]
    pub fn new(agreed: &'a Agreed, index: &'a Index) -> Judge<'a> {
        Judge { index, agreed, known: RefCell::default() }
    }

    #[must_use]
    pub fn is_dead(&self, address: Address) -> bool {
        let mut known = self.known.borrow_mut();
        let known = known.entry(address.writer).or_default();
        if !known.within.contains(&address.index) {
            *known = self.look_up(address);
        }
        let after = known.dead.partition_point(|range| range.start <= address.index);
        after.checked_sub(1).is_some_and(|at| known.dead[at].contains(&address.index))
    }

    fn look_up(&self, from: Address) -> Known {
        let within = from.index..from.index.saturating_add(DEAD_LOOKED_UP);
        let dead = self.index.dead_bodies(from.writer, within.clone(), &self.agreed.both);
        let dead = dead.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is dead cannot be told, so nothing is");
            Vec::new()
        });
        Known { within, dead }
    }
}

/// Rewrites one segment without its dead records; `None` when that is not worth it (any more).
///
/// # Errors
/// See [`Log::reclaim`].
pub fn reclaim<D: Disk>(
    log: &Log<D>,
    index: &Index,
    agreed: &Agreed,
    segment: Position,
) -> Result<Option<Reclaimed>, journal::Error> {
    let judge = Judge::new(agreed, index);
    log.reclaim(segment, |address| judge.is_dead(address))
}

/// The segments that are worth rewriting, the deadest first.
#[must_use]
pub fn worth<D: Disk>(log: &Log<D>, index: &Index, agreed: &Agreed) -> Vec<Position> {
    let judge = Judge::new(agreed, index);
    log.reclaimable(|address| judge.is_dead(address)).iter().map(|one| one.segment).collect()
}
