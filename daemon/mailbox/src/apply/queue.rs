//! Messages for other hosts: who has tried, and who has got them.

use record::{Address, AttemptId, QueueId, Sent};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::rows::{QueueRow, encode, load, merge};
use crate::tables::Table;

impl Batch<'_> {
    /// An attempt is over. What is known of a recipient never gets worse: whoever has the message has it,
    /// whatever another attempt says.
    pub(super) fn outcome(
        &mut self,
        at: Address,
        message: QueueId,
        attempt: AttemptId,
        recipients: &[(u32, Sent)],
    ) -> Result<(), Error> {
        self.change_queued(message, |row| {
            row.attempts.entry(attempt).or_default().over = true;
            row.ended.insert(at.writer, at.index + 1);
            for (recipient, sent) in recipients {
                let known = row.sent.entry(*recipient).or_insert_with(|| sent.clone());
                *known = known.clone().max(sent.clone());
            }
        })
    }

    /// Changes a message's row, and with it who needs its bytes.
    pub(super) fn change_queued(
        &mut self,
        message: QueueId,
        change: impl FnOnce(&mut QueueRow),
    ) -> Result<(), Error> {
        let key = keys::queued(message);
        let before: QueueRow = load(self.tables, Table::Queue, &key)?.unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        if let Some(queued) = &after.queued {
            let was_there = before.queued.is_some();
            let lived = was_there && !before.is_settled();
            let lives = !after.is_settled();
            self.change_body(queued.body, |row| {
                row.parts = row.parts.max(queued.body.parts);
                row.entries += u64::from(!was_there);
                row.living = row.living + u64::from(lives) - u64::from(lived);
                merge(&mut row.ended, &after.ended);
            })?;
            match lives {
                true => self.tables.put(Table::Unsent, &key, &[])?,
                false => self.tables.remove(Table::Unsent, &key)?,
            }
        }
        self.tables.put(Table::Queue, &key, &encode(&after))
    }
}
