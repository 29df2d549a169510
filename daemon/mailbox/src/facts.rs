//! What is found out about a message by reading it, kept so that it is read once: the caller's bytes
//! (ENVELOPE, BODYSTRUCTURE, header fields), in the caller's format.
//!
//! Not derived from the log, so not in the digest, and bounded: the oldest go first. They belong to the
//! body, so copies share them, and they go with its last entry.

use std::ops::ControlFlow;

use record::{Address, BodyRef};

use crate::error::Error;
use crate::index::Index;
use crate::keys;
use crate::limits::{FACTS_BYTES_MAX, FACTS_TOTAL_BYTES_MAX};
use crate::rows::{BodyUse, FactsAge, FactsRow, decode, encode, load};
use crate::tables::{Order, Table, Tables, TablesMut};

impl Index {
    /// The facts that were put for this body in this format; none is an invitation to find them out.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn facts(&self, format: u32, body: BodyRef) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.facts_of(format, &[body])?.pop().flatten())
    }

    /// Those of several bodies, in their order.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn facts_of(&self, format: u32, bodies: &[BodyRef]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.read(|tables| {
            let one = |body: &BodyRef| {
                let row: Option<FactsRow> = load(tables, Table::Facts, &key(*body))?;
                Ok(row.filter(|row| row.format == format).map(|row| row.bytes))
            };
            bodies.iter().map(one).collect()
        })
    }

    /// Keeps facts, in one batch. Those that are longer than [`FACTS_BYTES_MAX`], or about a body that no
    /// living entry has, are passed over. Takes its turn among the batches of [`Index::apply`]: put many
    /// at a time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn put_facts(&self, format: u32, facts: Vec<(BodyRef, Vec<u8>)>) -> Result<(), Error> {
        self.write(|tables| {
            let mut total: u64 = load(tables, Table::Meta, keys::FACTS_BYTES)?.unwrap_or(0);
            for (body, bytes) in facts {
                let key = key(body);
                let in_use: Option<BodyUse> = load(tables, Table::Bodies, &key)?;
                if bytes.len() > FACTS_BYTES_MAX || in_use.is_none_or(|row| row.living == 0) {
                    continue;
                }
                total = total.saturating_sub(take_out(tables, &key)?);
                let age = youngest(tables)? + 1;
                let length = bytes.len() as u64;
                let note = FactsAge { key: key.clone(), bytes: length };
                tables.put(Table::FactsAge, &age.to_be_bytes(), &encode(&note))?;
                tables.put(Table::Facts, &key, &encode(&FactsRow { format, age, bytes }))?;
                total += length;
                while total > FACTS_TOTAL_BYTES_MAX {
                    let Some(oldest) = oldest(tables)? else { break };
                    total = total.saturating_sub(take_out(tables, &oldest.key)?);
                }
            }
            tables.put(Table::Meta, keys::FACTS_BYTES, &encode(&total))
        })
    }
}

/// Drops the facts of a body.
pub(crate) fn forget(tables: &mut dyn TablesMut, key: &[u8]) -> Result<(), Error> {
    let gone = take_out(tables, key)?;
    if gone > 0 {
        let total: u64 = load(tables, Table::Meta, keys::FACTS_BYTES)?.unwrap_or(0);
        tables.put(Table::Meta, keys::FACTS_BYTES, &encode(&total.saturating_sub(gone)))?;
    }
    Ok(())
}

/// The bytes that went.
fn take_out(tables: &mut dyn TablesMut, key: &[u8]) -> Result<u64, Error> {
    let Some(row) = load::<FactsRow>(tables, Table::Facts, key)? else { return Ok(0) };
    tables.remove(Table::Facts, key)?;
    tables.remove(Table::FactsAge, &row.age.to_be_bytes())?;
    Ok(row.bytes.len() as u64)
}

fn oldest(tables: &dyn Tables) -> Result<Option<FactsAge>, Error> {
    let mut found = None;
    ages(tables, Order::Ascending, &mut |_, bytes| {
        found = Some(decode(Table::FactsAge, bytes)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn youngest(tables: &dyn Tables) -> Result<u64, Error> {
    let mut found = 0;
    ages(tables, Order::Descending, &mut |key, _| {
        found = keys::body_index(key).unwrap_or(0);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn ages(tables: &dyn Tables, order: Order, visit: crate::tables::Visit<'_>) -> Result<(), Error> {
    tables.range(Table::FactsAge, &[0; 8], &[0xff; 8], order, visit)
}

fn key(body: BodyRef) -> Vec<u8> {
    keys::body(Address { writer: body.writer, index: body.index })
}
