//! Every limit of the panel.

use std::time::Duration;

/// A session ends this long after signing in.
pub const SESSION_LASTS: Duration = Duration::from_secs(12 * 3600);

/// Longest request body, bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Longest mail address, bytes (RFC 5321 §4.5.3.1.3 less the angle brackets).
pub const ADDRESS_BYTES_MAX: usize = 254;

/// Shortest password that the panel sets, characters.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// Longest password, bytes: hashing is paid per byte.
pub const PASSWORD_BYTES_MAX: usize = 256;

/// So many wrong passwords from one client,
pub const WRONG_PER_CLIENT_MAX: u32 = 5;

/// and from all clients together,
pub const WRONG_IN_ALL_MAX: u32 = 60;

/// within this time, then it is to wait for the rest of it.
pub const WRONG_WINDOW: Duration = Duration::from_secs(60);

/// So many clients with wrong passwords are told apart; the rest count as one.
pub const CLIENTS_MAX: usize = 1024;

/// Passwords checked at the same time: each takes memory and a core.
pub const CHECKS_AT_ONCE_MAX: usize = 2;
