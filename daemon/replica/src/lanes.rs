//! UIDs and MODSEQs: which number comes next, so that none ever names two things (P3).
//!
//! In `both` the home goes on right above everything known. In `alone` a mailbox's first placement of an
//! episode jumps into a block of this side's parity (a even, b odd), at least two blocks above everything
//! known, and again whenever something above the lane is learned or the block is full.
//!
//! An episode ends when this side promises to place nothing more as `alone` (`View::Leaving`), and by
//! nothing else: neither a restart nor a session that broke before that promise. Until then the peer
//! places in no block of this side's parity, so going on in the same lane is safe, as long as the peer never
//! gets what a power cut could take back ([`crate::Replica::stream_limit`]).

use record::Side;
use record::limits::LANE_BLOCK;

use crate::limits::{LANE_JUMP_BLOCKS, UID_ALARM};

/// What this side has given in a mailbox in an alone episode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lane {
    /// The number of the view `alone`.
    pub episode: u64,
    /// The first and the last UID, 0 while there is none, and the last MODSEQ.
    pub first_uid: u32,
    pub uid: u32,
    pub modseq: u64,
}

impl Lane {
    /// Something was given in an episode: by a record of this side.
    pub(crate) fn give(&mut self, episode: u64, uid: u32, modseq: u64) {
        if self.episode < episode {
            *self = Lane { episode, ..Lane::default() };
        }
        if self.episode == episode {
            if self.first_uid == 0 {
                self.first_uid = uid;
            }
            self.uid = self.uid.max(uid);
            self.modseq = self.modseq.max(modseq);
        }
    }
}

/// A number that was given, and whether it opened a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub number: u64,
    pub entered: bool,
}

/// The next UID in a mailbox whose highest known is `top`. `alone`: this side, and the last UID it gave
/// there in the present episode (0: none).
pub(crate) fn next_uid(top: u32, alone: Option<(Side, u32)>) -> Given {
    // Near the end of the number space a jump would not fit: go on without, which is safe as long as
    // only one side places, and loud in the panel.
    let alone = alone.filter(|_| top < UID_ALARM);
    next(u64::from(top), alone.map(|(side, last)| (side, u64::from(last))))
}

/// The next MODSEQ, by the same rule.
pub(crate) fn next_modseq(top: u64, alone: Option<(Side, u64)>) -> Given {
    next(top, alone)
}

fn next(top: u64, alone: Option<(Side, u64)>) -> Given {
    let Some((side, last)) = alone else {
        return Given { number: top + 1, entered: false };
    };
    let block_size = u64::from(LANE_BLOCK);
    let entered = last == 0 || top > last || (last + 1).is_multiple_of(block_size);
    if !entered {
        return Given { number: last + 1, entered };
    }
    let mut block = top / block_size + u64::from(LANE_JUMP_BLOCKS);
    if (block % 2 == 1) != (side == Side::B) {
        block += 1;
    }
    Given { number: block * block_size, entered }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u32 = LANE_BLOCK;

    fn uid(top: u32, alone: Option<(Side, u32)>) -> u32 {
        next_uid(top, alone).number as u32
    }

    #[test]
    fn both_goes_on_above_everything() {
        assert_eq!(uid(0, None), 1);
        assert_eq!(uid(7 * BLOCK + 3, None), 7 * BLOCK + 4);
    }

    #[test]
    fn alone_jumps_once_then_counts() {
        for (side, first) in [(Side::A, 2 * BLOCK), (Side::B, 3 * BLOCK)] {
            assert_eq!(uid(9, Some((side, 0))), first);
            assert_eq!(uid(first, Some((side, first))), first + 1);
            assert_eq!(uid(first + 1, Some((side, first + 1))), first + 2);
        }
    }

    #[test]
    fn something_higher_makes_it_jump_again() {
        let first = uid(0, Some((Side::A, 0)));
        assert_eq!(uid(first + 5 * BLOCK, Some((Side::A, first))), 10 * BLOCK);
    }

    #[test]
    fn a_full_block_is_left_for_one_of_the_same_parity() {
        let last = 3 * BLOCK - 1;
        assert_eq!(uid(last, Some((Side::A, last))), 4 * BLOCK);
    }

    #[test]
    fn the_last_blocks_are_counted_without_a_jump() {
        assert_eq!(uid(UID_ALARM + 1, Some((Side::A, 0))), UID_ALARM + 2);
    }

    #[test]
    fn an_episode_has_lanes_of_its_own() {
        let mut lane = Lane::default();
        lane.give(4, 2 * BLOCK, 7);
        lane.give(4, 2 * BLOCK + 1, 8);
        let of_four = Lane { episode: 4, first_uid: 2 * BLOCK, uid: 2 * BLOCK + 1, modseq: 8 };
        assert_eq!(lane, of_four);
        lane.give(3, 9 * BLOCK, 9);
        assert_eq!(lane, of_four, "of an episode long over");
        lane.give(6, 0, 70);
        assert_eq!(lane, Lane { episode: 6, first_uid: 0, uid: 0, modseq: 70 });
    }
}
