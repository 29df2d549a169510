//! Every limit of the replication rules.

use std::time::Duration;

use record::limits::LANE_BLOCK;

/// A lane begins at least this many blocks above everything known.
pub const LANE_JUMP_BLOCKS: u32 = 2;

/// So many blocks may lie between what the peer's disk knows of a mailbox and what this side gives there.
///
/// It is not what keeps a box from placing: that would stop the survivor of a long absence. It follows from
/// how lanes are entered. What `both` gave and the peer has not on its disk ends in the next block
/// ([`PLACEMENTS_AHEAD`]); a lane begins two or three above what is known, which the peer's disk knows, too, or
/// this side gave it in a lane before; and the first lane of an episode is on the peer's disk before the
/// episode ends, which no restart does. So 7 blocks ([`FIRST_LANE_BLOCKS`]), whatever happens. Beyond that only
/// full blocks lead, two for each 65 536 messages that one mailbox gets in one absence of the peer: so
/// this is room for 16 million. A mailbox that gets more goes on, with an alarm; only the loss of that disk,
/// with those 16 million messages, could then give a UID twice.
pub const LANE_LEAD_BLOCKS: u32 = 510;

/// Of these, so many may be behind the first UID of an episode.
pub const FIRST_LANE_BLOCKS: u32 = 7;

/// When the peer's disk is lost, UIDs this many blocks above everything known are burnt: only that disk knew
/// how far it had gone.
pub const FLOOR_BLOCKS: u32 = LANE_LEAD_BLOCKS + LANE_JUMP_BLOCKS;

/// In `both` the home places no more than so many entries beyond what the peer has on its disk (half a lane
/// block, and one wish more).
pub const PLACEMENTS_AHEAD: usize = LANE_BLOCK as usize / 2;

/// Entries of one wish that places.
pub const WISH_ENTRIES_MAX: usize = 16_384;

/// Above this UID a mailbox cannot take a new lane; it goes on without a jump and an alarm is due.
pub const UID_ALARM: u32 = u32::MAX - 64 * LANE_BLOCK;

/// A box that is alone stops placing for a join only when the peer lacks less than this, in bytes.
pub const JOIN_TAIL_BYTES: u64 = 1024 * 1024;

/// Wishes of this box's clients that may wait for an order at the same time.
pub const WISHES_MAX: usize = 16_384;

/// So many episodes that burnt UIDs are no reason to wait with a join.
pub const JOINS_AT_ONCE: u32 = 8;

/// After one more a session must last this long before a box leaves its lanes for a join; after each further one
/// twice as long.
pub const JOIN_WAIT_MIN: Duration = Duration::from_secs(1);

/// Longer than this no join waits. So a mailbox burns three blocks in this time at most, whatever the link does:
/// 2³² UIDs last for a year and more.
pub const JOIN_WAIT_MAX: Duration = Duration::from_secs(30 * 60);

/// When no session breaks for so long, one of the episodes is forgotten.
pub const CALM: Duration = Duration::from_secs(60 * 60);
