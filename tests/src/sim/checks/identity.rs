//! P3: (mailbox, UIDVALIDITY, UID) never names two messages, at any box, ever; UIDVALIDITY never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::{Log, Position, SimDisk};
use record::limits::LANE_BLOCK;
use record::{EntryId, MailboxId, Op, Side, Uid};
use replica::limits::FIRST_LANE_BLOCKS;

use super::{Broken, View};

/// Everything any client of any box was ever shown. No disk's loss takes anything out of it.
#[derive(Default)]
pub struct Identity {
    entries: BTreeMap<(MailboxId, Uid), EntryId>,
    uid_validities: BTreeMap<MailboxId, u32>,
    /// The highest UID that clients of each box were shown.
    highest: BTreeMap<(Side, MailboxId), Uid>,
}

impl Identity {
    pub fn observe(&mut self, view: &View<'_>) -> Broken {
        let mut broken = Broken::new();
        let View { side, mailbox, rows } = view;
        let first = *self.uid_validities.entry(mailbox.id).or_insert(mailbox.uid_validity);
        if first != mailbox.uid_validity {
            broken.push(format!(
                "P3: UIDVALIDITY of {} was {first}, is {} at {side}",
                mailbox.name, mailbox.uid_validity
            ));
        }
        if let Some(last) = rows.iter().map(|row| row.uid).max() {
            let highest = self.highest.entry((*side, mailbox.id)).or_default();
            *highest = (*highest).max(last);
        }
        for row in *rows {
            let first = *self.entries.entry((mailbox.id, row.uid)).or_insert(row.entry);
            if first != row.entry {
                broken.push(format!(
                    "P3: UID {:#x} of {} was {first:?}, is {:?} at {side}",
                    row.uid.0, mailbox.name, row.entry
                ));
            }
        }
        broken
    }

    /// The disk of `side` is about to be lost: what its clients saw is not far above what is on the disk of
    /// the peer, or a floor could miss it. (No block is ever full here.)
    pub fn lead(&self, side: Side, peer: &Arc<Log<SimDisk>>) -> Broken {
        let mut tops = BTreeMap::<MailboxId, Uid>::new();
        let (mut accounts, mut floors) = (BTreeMap::new(), BTreeMap::new());
        for row in peer.scan(Position(0)) {
            // A disk that rots is sound no more: it may not be the one that is left.
            let Ok((position, record)) = row else { return Broken::new() };
            if position >= peer.synced() {
                break;
            }
            if let Some((entry, uid)) = record.op.placement() {
                let top = tops.entry(entry.mailbox).or_default();
                *top = (*top).max(uid);
            }
            match record.op {
                Op::CreateMailbox { mailbox, account, .. } => {
                    accounts.insert(mailbox, account);
                }
                Op::Floor { account, uid, .. } => {
                    floors.insert(account, uid);
                }
                _ => {}
            }
        }
        let mut broken = Broken::new();
        for ((_, mailbox), shown) in self.highest.iter().filter(|((of, _), _)| *of == side) {
            let floor = match accounts.get(mailbox) {
                Some(account) => floors.get(account).copied(),
                // Of a mailbox that the peer's disk does not know: floors hold for later ones, too.
                None => floors.values().max().copied(),
            };
            let known =
                tops.get(mailbox).copied().unwrap_or_default().max(floor.unwrap_or_default());
            let lead = (shown.0 / LANE_BLOCK).saturating_sub(known.0 / LANE_BLOCK);
            if lead > FIRST_LANE_BLOCKS {
                broken.push(format!(
                    "P3: {mailbox:?} leads by {lead} blocks at {side}: {:#x}, its peer's disk knows {:#x}",
                    shown.0, known.0
                ));
            }
        }
        broken
    }

    pub fn disk_lost(&mut self, side: Side) {
        self.highest.retain(|(of, _), _| *of != side);
    }
}
