//! Tables in memory, for the simulator and for tests.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use super::{Rows, Table, Tables, Visit};
use crate::error::Error;

#[derive(Default)]
pub(crate) struct Memory {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Memory {
    pub(crate) fn write(&self, changes: Rows) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for ((table, key), value) in changes {
            let key = table.key(&key);
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
}

impl Tables for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        Ok(rows.get(&table.key(key)).cloned())
    }

    fn under(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<(), Error> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let prefix = table.key(prefix);
        for (key, value) in rows.range(prefix.clone()..) {
            if !key.starts_with(&prefix) {
                break;
            }
            visit(&key[1..], value)?;
        }
        Ok(())
    }
}
