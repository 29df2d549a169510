//! Every limit of the local messages and of the site file.

/// The longest message on a local socket, without its length prefix. A [`crate::Digest`] with
/// thousands of writers is the largest.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// A backup goes over the socket in messages of at most this many bytes.
pub const BACKUP_PART_BYTES: usize = 64 * 1024;

/// The longest line of the log; what is over it is cut.
pub const LOG_LINE_BYTES_MAX: usize = 1000;

/// The most lines of the log in one answer.
pub const LOG_LINES_MAX: usize = 200;

/// The most events that are kept, and so the most in one answer.
pub const EVENTS_KEPT: usize = 300;

/// The longest text of an event; what is over it is cut.
pub const EVENT_TEXT_BYTES_MAX: usize = 200;

/// The longest site file that is read.
pub const SITE_BYTES_MAX: usize = 64 * 1024;

/// The shortest pairing token: the keys of the pair are derived from it.
pub const PAIR_TOKEN_CHARACTERS_MIN: usize = 16;
/// The longest pairing token.
pub const PAIR_TOKEN_CHARACTERS_MAX: usize = 256;

/// The shortest admin password.
pub const ADMIN_PASSWORD_CHARACTERS_MIN: usize = 8;
/// The longest admin password.
pub const ADMIN_PASSWORD_CHARACTERS_MAX: usize = 256;

/// The longest host or domain name, and the longest label in one (RFC 1035 §2.3.4).
pub const HOSTNAME_BYTES_MAX: usize = 253;
/// See [`HOSTNAME_BYTES_MAX`].
pub const HOSTNAME_LABEL_BYTES_MAX: usize = 63;

/// The kernel's own limit on the name that a box gives itself (`__NEW_UTS_LEN`).
pub const KERNEL_HOSTNAME_BYTES_MAX: usize = 64;

/// Silence for this long means dead, unless the site file says otherwise.
pub const DEAD_AFTER_MS_DEFAULT: u64 = 600;
/// Shorter than some heartbeats is not silence.
pub const DEAD_AFTER_MS_MIN: u64 = 200;
/// Longer than a minute is not failover.
pub const DEAD_AFTER_MS_MAX: u64 = 60_000;

/// How long a box that starts and hears no peer waits before it serves alone.
pub const COLD_START_WAIT_MS_DEFAULT: u64 = 60_000;
/// The longest such wait that a site file may ask for.
pub const COLD_START_WAIT_MS_MAX: u64 = 3_600_000;

/// Values in one list of the site file: addresses, gateways, servers.
pub const LIST_MAX: usize = 4;

/// VLAN ids (IEEE 802.1Q §9.6): 0 is no VLAN and 4095 is reserved.
pub const VLAN_MIN: u16 = 1;
/// See [`VLAN_MIN`].
pub const VLAN_MAX: u16 = 4094;

/// The shortest longest packet: what every IPv4 host takes (RFC 791 §3.1).
pub const MTU_MIN: u16 = 576;
/// Jumbo frames as most switches have them.
pub const MTU_MAX: u16 = 9216;
/// With IPv6 (RFC 8200 §5).
pub const MTU_IPV6_MIN: u16 = 1280;
