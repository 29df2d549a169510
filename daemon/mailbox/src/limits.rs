//! Every limit of the index.

/// Memory that redb may use for pages, in bytes; its own default is 1 GiB.
pub const INDEX_CACHE_BYTES: usize = 16 * 1024 * 1024;
