//! Messages for other hosts that somebody has still to get.

use std::ops::ControlFlow;

use record::{Outbound, QueueId, Sent};

use super::{Attempt, Queued};
use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::rows::{QueueRow, key_part, load};
use crate::tables::{Table, Tables};

impl Index {
    /// Up to `limit` of them, by their ids.
    ///
    /// # Errors
    /// When the disk fails; so with every read here.
    pub fn unsent(&self, limit: usize) -> Result<Vec<Queued>, Error> {
        self.read(|tables| {
            let mut ids = Vec::new();
            tables.under(Table::Unsent, &[], &mut |key, _| {
                if ids.len() >= limit {
                    return Ok(ControlFlow::Break(()));
                }
                ids.push(QueueId(key_part(Table::Unsent, keys::first_id(key))?));
                Ok(ControlFlow::Continue(()))
            })?;
            let rows = ids.into_iter().map(|id| queued(tables, id));
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// A message that the pair has taken for other hosts, sent or not.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn queued(&self, message: QueueId) -> Result<Option<Queued>, Error> {
        self.read(|tables| queued(tables, message))
    }
}

fn queued(tables: &dyn Tables, message: QueueId) -> Result<Option<Queued>, Error> {
    let row: Option<QueueRow> = load(tables, Table::Queue, &keys::queued(message))?;
    Ok(row.and_then(|row| {
        let settled = row.is_settled();
        let Outbound { owner, sender, recipients, body, .. } = row.queued?;
        let sent = |recipient: usize| -> Option<Sent> {
            row.sent.get(&u32::try_from(recipient).ok()?).cloned()
        };
        let recipients =
            recipients.into_iter().enumerate().map(|(at, address)| (address, sent(at))).collect();
        let attempts = row.attempts.into_iter().filter_map(|(id, attempt)| {
            Some(Attempt { id, side: attempt.side?, over: attempt.over })
        });
        let attempts = attempts.collect();
        Some(Queued { message, owner, sender, recipients, body, attempts, settled })
    }))
}
