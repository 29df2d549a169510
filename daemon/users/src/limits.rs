//! Every limit of the user store.

use std::time::Duration;

/// Memory that sled may use for pages, in bytes; its own default is 1 GiB.
pub const STORE_CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// Memory for one password check, in KiB. Below the 19 MiB that are often recommended: the boxes are
/// small, several clients log in at once, and a check must stay under a second where the CPU is
/// emulated. Hashes name their own cost, so this can rise without a migration.
pub const PASSWORD_MEMORY_KIB: u32 = 8 * 1024;

/// Passes over that memory.
pub const PASSWORD_PASSES: u32 = 2;

/// A stored hash that asks for more than this, in KiB, is not computed: it would take the box down.
pub const PASSWORD_MEMORY_KIB_MAX: u32 = 64 * 1024;

/// A stored hash that asks for more passes than this is not computed.
pub const PASSWORD_PASSES_MAX: u32 = 16;

/// A longer password, in bytes, is wrong.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// How often a lock that only a passing copy of the file can hold is tried again.
pub const LOCK_TRIES: u32 = 100;

/// Between two such tries: a second in all.
pub const LOCK_PAUSE: Duration = Duration::from_millis(10);
