//! Every limit of the index.

/// An index file up to this size, in bytes, is read and checked whole at each open (25 ms for 18 MiB, when
/// nothing else runs): redb would serve a rotten page, or panic over it. A larger one is trusted.
pub const INDEX_CHECK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory that redb may use for pages, in bytes; its own default is 1 GiB.
pub const INDEX_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The longest facts about one message that are kept, in bytes.
pub const FACTS_BYTES_MAX: usize = 16 * 1024;

/// All facts together, in bytes; the oldest go first.
pub const FACTS_TOTAL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Changed rows that are remembered for [`crate::Index::delta`], over all mailboxes (about 64 bytes each).
pub const RECENT_ROWS_MAX: usize = 32 * 1024;
