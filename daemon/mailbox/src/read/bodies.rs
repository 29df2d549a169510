//! What reclaim asks: which bytes of messages nobody needs any more.

use std::ops::{ControlFlow, Range};

use record::{Address, Vector, Writer};

use super::BodyState;
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::rows::{BodyUse, decode, key_part};
use crate::tables::{Order, Table};

impl Index {
    /// Of the body that the record at `address` is a part of.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn body_state(&self, address: Address) -> Result<BodyState, Error> {
        self.read(|tables| {
            let mut state = BodyState::Unknown;
            let first = keys::body(Address { index: 0, ..address });
            let last = keys::body(address);
            tables.range(Table::Bodies, &first, &last, Order::Descending, &mut |key, bytes| {
                let start = key_part(Table::Bodies, keys::body_index(key))?;
                let body: BodyUse = decode(Table::Bodies, bytes)?;
                if address.index < start + u64::from(body.parts) && body.entries > 0 {
                    state = match body.living {
                        0 => BodyState::Dead { ended: body.ended },
                        _ => BodyState::Living,
                    };
                }
                Ok(ControlFlow::Break(()))
            })?;
            Ok(state)
        })
    }

    /// May the bytes go? Only when every entry that has them is expunged, and both boxes hold the records
    /// that did it. Bytes of which nothing is known stay.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn body_is_dead(&self, address: Address, held_by_both: &Vector) -> Result<bool, Error> {
        Ok(match self.body_state(address)? {
            BodyState::Dead { ended } => covers(held_by_both, &ended),
            BodyState::Unknown | BodyState::Living => false,
        })
    }

    /// The records of one writer, within `within`, that may go by the same rule: ascending ranges.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn dead_bodies(
        &self,
        writer: Writer,
        within: Range<u64>,
        held_by_both: &Vector,
    ) -> Result<Vec<Range<u64>>, Error> {
        self.read(|tables| {
            let mut dead: Vec<Range<u64>> = Vec::new();
            // A body that begins before may reach into the range.
            let mut from = within.start;
            let (zero, at) = (
                keys::body(Address { writer, index: 0 }),
                keys::body(Address { writer, index: within.start }),
            );
            tables.range(Table::Bodies, &zero, &at, Order::Descending, &mut |key, _| {
                from = key_part(Table::Bodies, keys::body_index(key))?;
                Ok(ControlFlow::Break(()))
            })?;
            let Some(last) = within.end.checked_sub(1) else { return Ok(dead) };
            let first = keys::body(Address { writer, index: from });
            let last = keys::body(Address { writer, index: last });
            tables.range(Table::Bodies, &first, &last, Order::Ascending, &mut |key, bytes| {
                let start = key_part(Table::Bodies, keys::body_index(key))?;
                let body: BodyUse = decode(Table::Bodies, bytes)?;
                let end = (start + u64::from(body.parts)).min(within.end);
                let start = start.max(within.start);
                let is_dead = body.entries > 0 && body.living == 0;
                if is_dead && start < end && covers(held_by_both, &body.ended) {
                    match dead.last_mut() {
                        Some(before) if before.end == start => before.end = end,
                        _ => dead.push(start..end),
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(dead)
        })
    }
}

fn covers(held: &Vector, needed: &Vector) -> bool {
    needed.iter().all(|(writer, count)| held.get(writer).is_some_and(|held| held >= count))
}
