//! Every limit of the replication rules.

use record::limits::LANE_BLOCK;

/// A lane begins at least this many blocks above everything known.
pub const LANE_JUMP_BLOCKS: u32 = 2;

/// When the peer's disk is blank, UIDs this many blocks up are burnt: only the lost disk knew how far
/// it had gone.
pub const FLOOR_BLOCKS: u32 = 18;

/// Above this UID a mailbox cannot take a new lane; it goes on without a jump and an alarm is due.
pub const UID_ALARM: u32 = u32::MAX - 64 * LANE_BLOCK;

/// A box that is alone stops placing for a join only when the peer lacks less than this, in bytes.
pub const JOIN_TAIL_BYTES: u64 = 1024 * 1024;

/// Wishes of this box's clients that may wait for an order at the same time. It also keeps the home
/// less than a lane block ahead of what the peer has acknowledged.
pub const WISHES_MAX: usize = 16_384;
