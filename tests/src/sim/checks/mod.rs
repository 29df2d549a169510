//! One file for each promise of the design. What is checked all the time is in [`Checks`]; what must hold
//! when all is well again, in [`at_the_end`].
//!
//! | promise | all the time | at the end |
//! |---|---|---|
//! | P1 durability | nothing that was shown is unknown | every acknowledged thing is there, byte for byte, once |
//! | P2 convergence | | journals, index and users equal; nothing hidden, nothing left to do |
//! | P3 identity | one entry for each UID that was ever shown; UIDVALIDITY stays | |
//! | P4 UIDNEXT | nothing new below the UIDNEXT told; UIDNEXT and MODSEQ never fall | a client that goes by MODSEQ knows all |
//! | P5 resurrection | what was seen going stays away | what was expunged is gone; flags are as asked |
//! | P6 liveness | | both boxes serve in `both` and owe nobody an answer |
//! | queue | no message is sent twice without need (`outbound`) | every recipient has heard |
//! | P9 scrub | | every record readable on both disks, and the same |

mod convergence;
mod durability;
mod history;
mod identity;
mod liveness;
mod log_facts;
mod modseq;
mod queue;
mod resurrection;
mod scrub;
mod uidnext;

use std::collections::BTreeSet;

use journal::{Damaged, SimDisk};
use mailbox::{Mailbox, Row};
use node::core::Core;
use record::{Address, BodyRef, MailboxId, Side};

use super::world::{World, at};
use history::History;
use log_facts::LogFacts;

/// What went wrong, of all checkers.
pub(super) type Broken = Vec<String>;

#[derive(Default)]
pub struct Checks {
    /// This box has begun to show what it holds: look at all of it.
    look_at_all: [bool; 2],
    history: History,
    identity: identity::Identity,
    uidnext: uidnext::UidNext,
    modseq: modseq::ModSeqs,
    resurrection: resurrection::Resurrection,
}

/// One mailbox as a client of one box sees it now.
pub(super) struct View<'a> {
    side: Side,
    mailbox: &'a Mailbox,
    rows: &'a [Row],
}

impl Checks {
    pub fn observe_later(&mut self, side: Side) {
        self.look_at_all[at(side)] = true;
    }

    /// Looks at everything that a client of this box can see now and that changed.
    ///
    /// # Errors
    /// The broken promises.
    pub fn observe(
        &mut self,
        side: Side,
        core: &Core<SimDisk>,
        changed: &BTreeSet<MailboxId>,
    ) -> Result<(), String> {
        let text = |error: mailbox::Error| error.to_string();
        let mailboxes = if std::mem::take(&mut self.look_at_all[at(side)]) {
            core.index().mailboxes_all().map_err(text)?
        } else {
            let known = changed.iter().map(|id| core.index().mailbox(*id));
            known.filter_map(Result::transpose).collect::<Result<_, _>>().map_err(text)?
        };
        let mut broken = Broken::new();
        for mailbox in &mailboxes {
            let rows = core.index().messages(mailbox.id).map_err(text)?;
            let view = View { side, mailbox, rows: &rows };
            let vanished = self.history.look(&view);
            broken.extend(durability::vanished(&view, core.index(), &vanished)?);
            broken.extend(self.identity.observe(&view));
            broken.extend(self.uidnext.observe(&view));
            self.modseq.observe(&view);
            broken.extend(self.resurrection.observe(&view, core.index(), &vanished)?);
        }
        verdict(broken)
    }

    /// The disk of this box will be lost: is all that it gave near what its peer's disk knows?
    ///
    /// # Errors
    /// The broken promise.
    pub fn before_disk_is_lost(&self, side: Side, peer: &Core<SimDisk>) -> Result<(), String> {
        // A disk that has not joined, or lacks records, is not the one that is left.
        let unsound = peer.replica_state().blank() || peer.replica_state().is_damaged();
        if unsound { Ok(()) } else { verdict(self.identity.lead(side, peer.log())) }
    }

    /// The clients of this box know that its disk is another one.
    pub fn disk_lost(&mut self, side: Side) {
        self.identity.disk_lost(side);
        self.history.disk_lost(side);
        self.uidnext.disk_lost(side);
        self.modseq.disk_lost(side);
        self.resurrection.disk_lost(side);
    }
}

/// After the faults have stopped.
///
/// # Errors
/// The broken promises, every one.
pub fn at_the_end(world: &World) -> Result<(), String> {
    let mut broken = liveness::check(world);
    if broken.is_empty() {
        broken.extend(scrub::check(world)?);
    }
    if broken.is_empty() {
        broken.extend(convergence::check(world)?);
        for side in Side::BOTH {
            let core = world.boxes[at(side)].core.as_ref().ok_or("P6: a box is down")?;
            let facts = LogFacts::of(core.log())?;
            broken.extend(durability::check(world, side, core, &facts)?);
            broken.extend(resurrection::check(world, side, core, &facts)?);
        }
        broken.extend(world.checks.modseq.check(world)?);
        broken.extend(queue::check(world)?);
    }
    verdict(broken)
}

fn verdict(broken: Broken) -> Result<(), String> {
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
}

/// What of a message cannot be read at a box, because it is rotten.
#[must_use]
pub fn rotten_part(core: &Core<SimDisk>, body: BodyRef) -> Option<Damaged> {
    let parts = body.index..body.index + u64::from(body.parts);
    let address = |index| Address { writer: body.writer, index };
    let rotten = parts.map(address).find(|part| crate::sim::keep::is_rotten(core, *part))?;
    let position = core.log().position_of(rotten).ok()??;
    Some(core.log().damaged_at(position))
}

/// The bytes of a message, from a box's own log.
///
/// # Errors
/// What cannot be read.
pub fn read(core: &Core<SimDisk>, body: BodyRef) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for part in 0..u64::from(body.parts) {
        let address = Address { writer: body.writer, index: body.index + part };
        let record = core.log().read(address).map_err(|e| format!("P1: {e}"))?;
        bytes.extend(node::body::plain(&record)?);
    }
    Ok(bytes)
}
