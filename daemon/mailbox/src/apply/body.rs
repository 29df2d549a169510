//! Who needs the bytes of a message: what reclaim asks.

use record::{Address, BodyRef};

use super::Batch;
use crate::error::Error;
use crate::facts;
use crate::keys;
use crate::rows::{BodyUse, EntryRow, encode, load, merge};
use crate::tables::Table;

impl Batch<'_> {
    /// Counts an entry's body anew.
    pub(super) fn use_body(&mut self, before: &EntryRow, after: &EntryRow) -> Result<(), Error> {
        let same = body(before) == body(after)
            && (&before.ended, &before.left) == (&after.ended, &after.left);
        if same {
            return Ok(());
        }
        if let Some(old) = body(before) {
            self.change_body(old, |row| {
                row.entries -= 1;
                row.living -= u64::from(!before.expunged());
            })?;
        }
        if let Some(new) = body(after) {
            self.change_body(new, |row| {
                row.parts = row.parts.max(new.parts);
                row.entries += 1;
                row.living += u64::from(!after.expunged());
                merge(&mut row.ended, &after.ended);
                merge(&mut row.ended, &after.left);
            })?;
        }
        Ok(())
    }

    pub(super) fn change_body(
        &mut self,
        body: BodyRef,
        change: impl FnOnce(&mut BodyUse),
    ) -> Result<(), Error> {
        let key = keys::body(Address { writer: body.writer, index: body.index });
        let mut row: BodyUse = load(self.tables, Table::Bodies, &key)?.unwrap_or_default();
        change(&mut row);
        if row.living == 0 {
            facts::forget(self.tables, &key)?;
        }
        self.tables.put(Table::Bodies, &key, &encode(&row))
    }
}

fn body(entry: &EntryRow) -> Option<BodyRef> {
    entry.place.as_ref().map(|place| place.entry.body)
}
