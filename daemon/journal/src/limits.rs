//! Every limit of the log.

use record::limits::FRAME_BYTES_MAX;

/// Segments are this long unless the caller says otherwise.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Offsets within a segment are kept in 32 bits, with room for one frame that is larger than the rest.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// One write and one `fdatasync` carry at most this much (or a single record).
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// And at most so many records: settling them keeps appenders waiting for a moment.
pub const BATCH_RECORDS_MAX: usize = 4096;

/// Records that wait for the disk may hold this much memory; [`crate::Log::append`] refuses more.
pub const UNWRITTEN_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Side indexes of sealed segments kept in memory, all together.
pub const INDEX_CACHE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Sealed segments kept open.
pub const OPEN_SEGMENTS_MAX: usize = 32;

/// A scan or a recovery reads this much at a time.
pub const WINDOW_BYTES: usize = 1024 * 1024;

/// A side index file longer than this is not read but built anew.
pub const INDEX_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A segment header longer than this is not a header: a quarter of a million writers.
pub const HEADER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The next segment is zeroed ahead only while this many more would still fit on the disk.
pub const ZERO_AHEAD_SPARE_SEGMENTS: u64 = 2;

/// Zeroing syncs each time it has written this much, so that it never piles up before a commit.
pub const ZERO_SYNC_BYTES: u64 = 4 * 1024 * 1024;

/// The committer tries again after this long when the disk was full.
pub const FULL_RETRY_MS: u64 = 1000;

/// A sealed segment is rewritten when what is alive of its records is at most this share, percent.
pub const RECLAIM_LIVE_PERCENT_MAX: u64 = 50;

/// A segment with more ranges of dropped records than this is left as it is: its header must stay small.
pub const DROPPED_RANGES_MAX: usize = 500_000;

/// What the entry of a gap takes, bytes, besides its hashes; for estimates.
pub const GAP_ENTRY_BYTES: u64 = 112;

/// One gap stands for at most so many records: 64 KiB of hashes.
pub const GAP_RECORDS_MAX: u64 = 8192;

/// Gaps are joined while what they have seen names no more writers than this.
pub const GAP_WRITERS_MAX: usize = 1024;

/// Every record is read and checked this often, seconds: the pace for [`crate::Log::scrub_step`].
pub const SCRUB_ROUND_S: u64 = 7 * 24 * 3600;

/// A step of the scrub ends when it has found this many damaged records.
pub const SCRUB_DAMAGED_MAX: usize = 256;

/// A backup that names more writers than this is none.
pub const BACKUP_WRITERS_MAX: u32 = 1 << 18;

/// Whoever looks for reclaimable segments need not do so more often, seconds.
pub const RECLAIM_INTERVAL_S: u64 = 3600;

const _: () = assert!(DROPPED_RANGES_MAX * 8 < HEADER_BYTES_MAX / 2);
const _: () = assert!(FRAME_BYTES_MAX < WINDOW_BYTES && FRAME_BYTES_MAX < BATCH_BYTES_MAX);
