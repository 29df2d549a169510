//! What was found out about messages by reading them, on its way into the index.
//!
//! Sessions find facts out on their own threads; the applier puts them, many at a time, because each batch
//! takes its turn among those of the log.

use std::sync::{Arc, Mutex};

use imap::Facts;
use imap::facts::FORMAT;
use mailbox::Index;
use record::BodyRef;

use crate::limits::FACTS_WAITING_MAX;

#[derive(Default)]
pub(crate) struct FactsKeeper {
    found: Mutex<Vec<(BodyRef, Vec<u8>)>>,
}

impl FactsKeeper {
    /// Those that the index has. An index that cannot be read has none: the message is read instead.
    pub fn known(&self, index: &Index, body: BodyRef) -> Option<Arc<Facts>> {
        let bytes = index.facts(FORMAT, body).ok()??;
        Facts::from_bytes(&bytes).map(Arc::new)
    }

    /// Keeps facts for the next batch; above [`FACTS_WAITING_MAX`] they are found out again some time.
    pub fn keep(&self, body: BodyRef, facts: &Facts) {
        let mut found = self.found.lock().expect("no holder panics");
        if found.len() < FACTS_WAITING_MAX {
            found.push((body, facts.to_bytes()));
        }
    }

    /// Puts what there is; was there anything?
    ///
    /// # Errors
    /// When the disk fails.
    pub fn put(&self, index: &Index) -> Result<bool, mailbox::Error> {
        let found = std::mem::take(&mut *self.found.lock().expect("no holder panics"));
        if found.is_empty() {
            return Ok(false);
        }
        index.put_facts(FORMAT, found)?;
        Ok(true)
    }
}
