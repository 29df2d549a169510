//! UIDs and MODSEQs: which number comes next, so that none ever names two things (P3).
//!
//! In `both` the home goes on right above everything known. In `alone` a mailbox's first placement jumps
//! into a block of this side's parity (a even, b odd), at least two blocks above everything known, and
//! again whenever something above the lane is learned or the block is full.

use std::collections::HashMap;

use record::limits::LANE_BLOCK;
use record::{MailboxId, Side};

use crate::limits::{LANE_JUMP_BLOCKS, UID_ALARM};

/// The lanes of one alone episode: per mailbox the next number to give.
#[derive(Default, Debug)]
pub(crate) struct Lanes {
    uid: HashMap<MailboxId, u64>,
    modseq: HashMap<MailboxId, u64>,
}

/// A number that was given, and whether it opened a lane (which must be durable here before the peer
/// hears of it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub number: u64,
    pub entered: bool,
}

impl Lanes {
    /// A new alone episode.
    pub fn clear(&mut self) {
        self.uid.clear();
        self.modseq.clear();
    }

    /// The next UID in a mailbox whose highest known is `top`.
    pub fn uid_given(&mut self, mailbox: MailboxId, top: u32, alone: Option<Side>) -> Given {
        // Near the end of the number space a jump would not fit: go on without, which is safe as long
        // as only one side places, and loud in the panel.
        let alone = alone.filter(|_| top < UID_ALARM);
        next(&mut self.uid, mailbox, u64::from(top), alone)
    }

    /// The next MODSEQ, by the same rule.
    pub fn modseq_given(&mut self, mailbox: MailboxId, top: u64, alone: Option<Side>) -> Given {
        next(&mut self.modseq, mailbox, top, alone)
    }
}

fn next(
    lanes: &mut HashMap<MailboxId, u64>,
    mailbox: MailboxId,
    top: u64,
    alone: Option<Side>,
) -> Given {
    let Some(side) = alone else {
        return Given { number: top + 1, entered: false };
    };
    let block_size = u64::from(LANE_BLOCK);
    let lane = lanes.entry(mailbox).or_insert(0);
    let entered = top >= *lane || lane.is_multiple_of(block_size);
    if entered {
        let mut block = top / block_size + u64::from(LANE_JUMP_BLOCKS);
        if (block % 2 == 1) != (side == Side::B) {
            block += 1;
        }
        *lane = block * block_size;
    }
    *lane += 1;
    Given { number: *lane - 1, entered }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INBOX: MailboxId = MailboxId(1);
    const BLOCK: u32 = LANE_BLOCK;

    fn uid(lanes: &mut Lanes, mailbox: MailboxId, top: u32, alone: Option<Side>) -> u32 {
        lanes.uid_given(mailbox, top, alone).number as u32
    }

    #[test]
    fn both_goes_on_above_everything() {
        let mut lanes = Lanes::default();
        assert_eq!(uid(&mut lanes, INBOX, 0, None), 1);
        assert_eq!(uid(&mut lanes, INBOX, 7 * BLOCK + 3, None), 7 * BLOCK + 4);
    }

    #[test]
    fn alone_jumps_once_then_counts() {
        for (side, first) in [(Side::A, 2 * BLOCK), (Side::B, 3 * BLOCK)] {
            let mut lanes = Lanes::default();
            assert_eq!(uid(&mut lanes, INBOX, 9, Some(side)), first);
            assert_eq!(uid(&mut lanes, INBOX, first, Some(side)), first + 1);
            assert_eq!(uid(&mut lanes, INBOX, first + 1, Some(side)), first + 2);
        }
    }

    #[test]
    fn something_higher_makes_it_jump_again() {
        let mut lanes = Lanes::default();
        let first = uid(&mut lanes, INBOX, 0, Some(Side::A));
        assert_eq!(uid(&mut lanes, INBOX, first + 5 * BLOCK, Some(Side::A)), 10 * BLOCK);
    }

    #[test]
    fn a_full_block_is_left_for_one_of_the_same_parity() {
        let mut lanes = Lanes::default();
        let mut top = uid(&mut lanes, INBOX, 0, Some(Side::A));
        for _ in 1..BLOCK {
            top = uid(&mut lanes, INBOX, top, Some(Side::A));
        }
        assert_eq!(top, 3 * BLOCK - 1);
        assert_eq!(uid(&mut lanes, INBOX, top, Some(Side::A)), 4 * BLOCK);
    }

    #[test]
    fn the_last_blocks_are_counted_without_a_jump() {
        let mut lanes = Lanes::default();
        assert_eq!(uid(&mut lanes, INBOX, UID_ALARM + 1, Some(Side::A)), UID_ALARM + 2);
    }
}
