//! What clients see of an entry, and what is counted of it.

use record::{Address, MailboxId};

use super::Batch;
use crate::error::Error;
use crate::keys;
use crate::rows::{EntryRow, PlacementRow, Row, encode};
use crate::tables::Table;

impl Batch<'_> {
    /// Takes an entry from where it was seen to where it is to be seen.
    pub(super) fn show(
        &mut self,
        before: Option<&Shown>,
        after: Option<&Shown>,
    ) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        let stays = match (before, after) {
            (Some(before), Some(after)) => before.same_place(after),
            _ => false,
        };
        if let Some(shown) = before {
            if !stays {
                self.withdraw(shown)?;
            }
            self.count(shown, u64::saturating_sub)?;
        }
        if let Some(shown) = after {
            if !stays {
                self.put_up(shown)?;
            }
            if !shown.hidden {
                self.tables.put(Table::Rows, &shown.row_key(), &encode(&shown.row))?;
            }
            self.count(shown, |n, step| n + step)?;
        }
        Ok(())
    }

    fn withdraw(&mut self, shown: &Shown) -> Result<(), Error> {
        if shown.hidden {
            return self.tables.remove(Table::Hidden, &shown.row_key());
        }
        self.tables.remove(Table::Rows, &shown.row_key())?;
        self.tables.remove(Table::Fresh, &shown.placement_key())
    }

    fn put_up(&mut self, shown: &Shown) -> Result<(), Error> {
        if shown.hidden {
            return self.tables.put(Table::Hidden, &shown.row_key(), &[]);
        }
        let placement = PlacementRow { uid: shown.row.uid, entry: shown.row.entry };
        self.tables.put(Table::Fresh, &shown.placement_key(), &encode(&placement))
    }

    fn count(&mut self, shown: &Shown, step: impl Fn(u64, u64) -> u64) -> Result<(), Error> {
        let tally = self.tally(shown.mailbox)?;
        tally.alive = step(tally.alive, 1);
        if !shown.hidden {
            tally.messages = step(tally.messages, 1);
            tally.unseen = step(tally.unseen, u64::from(shown.unseen));
            tally.deleted = step(tally.deleted, u64::from(shown.deleted));
            tally.size_bytes = step(tally.size_bytes, shown.row.size_bytes.into());
            let rows = self.rows_changed.entry(shown.mailbox).or_default();
            rows.insert((shown.row.uid, shown.row.entry));
        }
        Ok(())
    }
}

/// A living, placed entry and where it is seen.
#[derive(PartialEq, Eq)]
pub(super) struct Shown {
    mailbox: MailboxId,
    at: Address,
    /// Overtaken: seen by nobody.
    hidden: bool,
    unseen: bool,
    deleted: bool,
    row: Row,
}

impl Shown {
    pub(super) fn of(entry: &EntryRow) -> Option<Shown> {
        let place = entry.place.as_ref().filter(|_| !entry.expunged())?;
        let flags = entry.flags();
        let has = |wanted: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(wanted));
        let (unseen, deleted) = (!has("\\Seen"), has("\\Deleted"));
        Some(Shown {
            mailbox: place.entry.mailbox,
            at: place.at,
            hidden: place.overtaken,
            unseen,
            deleted,
            row: Row {
                uid: place.uid,
                entry: place.entry.entry,
                flags,
                modseq: entry.modseq,
                size_bytes: place.entry.body.size_bytes,
                internal_date_s: place.entry.internal_date_s,
                body: place.entry.body,
            },
        })
    }

    fn same_place(&self, other: &Shown) -> bool {
        (self.at, self.hidden) == (other.at, other.hidden) && self.row_key() == other.row_key()
    }

    fn row_key(&self) -> Vec<u8> {
        keys::row(self.mailbox, self.row.uid, self.row.entry)
    }

    fn placement_key(&self) -> Vec<u8> {
        keys::placement(self.mailbox, self.at)
    }
}
