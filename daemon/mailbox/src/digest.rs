//! The digest of the logical state.

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::rows::{Tally, decode, encode};
use crate::tables::{Table, Tables};

/// Rows that are functions of the set of records, byte for byte. `meta` and `writers` hold positions and
/// `fresh`, `touched`, `unsent` and `unsettled`
/// repeat what other tables say; `facts` are not derived from the log.
const TABLES: [Table; 13] = [
    Table::Accounts,
    Table::Addresses,
    Table::Subscriptions,
    Table::Boxes,
    Table::AccountBoxes,
    Table::Entries,
    Table::Placements,
    Table::Rows,
    Table::Hidden,
    Table::Stale,
    Table::StaleHeirs,
    Table::Bodies,
    Table::Queue,
];

pub(crate) fn digest(tables: &dyn Tables) -> Result<[u8; 32], Error> {
    let mut hash = Sha256::new();
    for table in TABLES {
        section(&mut hash, table);
        tables.under(table, &[], &mut |key, value| {
            field(&mut hash, key);
            field(&mut hash, value);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    section(&mut hash, Table::Tallies);
    tables.under(Table::Tallies, &[], &mut |key, value| {
        let tally: Tally = decode(Table::Tallies, value)?;
        let tops = (tally.top_uid, tally.top_modseq);
        let counts = (tally.alive, tally.messages, tally.unseen, tally.deleted, tally.size_bytes);
        let logical = (tops, counts);
        // Whether a mailbox of which nothing is known has a row depends on the order of arrival.
        if logical != Default::default() {
            field(&mut hash, key);
            field(&mut hash, &encode(&logical));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(hash.finalize().into())
}

fn section(hash: &mut Sha256, table: Table) {
    field(hash, table.name().as_bytes());
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
