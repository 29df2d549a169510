//! Every limit of the index.

/// An index file up to this size, in bytes, is read and checked whole at each open (25 ms for 18 MiB, when
/// nothing else runs): redb would serve a rotten page, or panic over it. A larger one is trusted.
pub const INDEX_CHECK_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory that redb may use for pages, in bytes; its own default is 1 GiB.
pub const INDEX_CACHE_BYTES: usize = 16 * 1024 * 1024;
