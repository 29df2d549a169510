//! One file for each promise of the design. What is checked all the time is in [`Checks`].

pub mod convergence;
pub mod durability;
pub mod identity;
pub mod liveness;
pub mod resurrection;
pub mod uidnext;

use journal::SimDisk;
use mailbox::Index;
use node::core::Core;
use record::{Address, BodyRef, Side};

#[derive(Default)]
pub struct Checks {
    identity: identity::Identity,
    uidnext: uidnext::UidNext,
    resurrection: resurrection::Resurrection,
}

impl Checks {
    /// Looks at everything a client of this box could see now.
    ///
    /// # Errors
    /// The broken promise.
    pub fn observe(&mut self, side: Side, index: &Index) -> Result<(), String> {
        for mailbox in index.mailboxes_all().map_err(|e| e.to_string())? {
            let rows = index.messages(mailbox.id).map_err(|e| e.to_string())?;
            self.identity.observe(side, &mailbox, &rows)?;
            self.uidnext.observe(side, &mailbox, &rows)?;
            self.resurrection.observe(side, &mailbox, &rows, index)?;
        }
        Ok(())
    }

    /// The clients of this box know that its disk is new.
    pub fn disk_lost(&mut self, side: Side) {
        self.uidnext.disk_lost(side);
        self.resurrection.disk_lost(side);
    }
}

/// The bytes of a message, from a box's own log.
///
/// # Errors
/// What cannot be read.
pub fn read(core: &Core<SimDisk>, body: BodyRef) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for part in 0..u64::from(body.parts) {
        let address = Address { writer: body.writer, index: body.index + part };
        let record = core.log().read(address).map_err(|e| e.to_string())?;
        bytes.extend(node::body::plain(&record)?);
    }
    Ok(bytes)
}
