//! Tables in memory, for the simulator and for tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock};

use super::{Order, Table, Tables, TablesMut, Visit};
use crate::error::Error;

#[derive(Default)]
pub(crate) struct Memory {
    maps: RwLock<Maps>,
}

impl Memory {
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&dyn Tables) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read(&*self.maps.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// There is no way back from half a batch: nothing in memory fails.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut dyn TablesMut) -> Result<T, Error>,
    ) -> Result<T, Error> {
        write(&mut *self.maps.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Default)]
struct Maps([BTreeMap<Vec<u8>, Vec<u8>>; Table::ALL.len()]);

impl Tables for Maps {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0[table as usize].get(key).cloned())
    }

    fn range(
        &self,
        table: Table,
        first: &[u8],
        last: &[u8],
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        if first > last {
            return Ok(());
        }
        let mut rows = self.0[table as usize].range(first.to_vec()..=last.to_vec());
        loop {
            let row = match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            let Some((key, value)) = row else { return Ok(()) };
            if let ControlFlow::Break(()) = visit(key, value)? {
                return Ok(());
            }
        }
    }
}

impl TablesMut for Maps {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.0[table as usize].insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Error> {
        self.0[table as usize].remove(key);
        Ok(())
    }
}
