//! Every limit of this crate.

use std::time::Duration;

/// Room for one datagram of the kernel's netlink answers (it sends at most 32 KiB at a time).
pub const NETLINK_DATAGRAM_BYTES: usize = 64 * 1024;

/// How many datagrams one answer may have: thousands of addresses.
pub const NETLINK_DATAGRAMS_MAX: usize = 1024;

/// Receive buffer of the link watch. A flapping port makes tens of messages a second.
pub const LINK_WATCH_BUFFER_BYTES: usize = 256 * 1024;

/// The longest Ethernet frame without jumbo frames, header included, checksum not.
pub const FRAME_BYTES_MAX: usize = 1514;

/// The shortest frame that goes on a wire, checksum not counted (IEEE 802.3 §3.2.8).
pub const FRAME_BYTES_MIN: usize = 60;

/// How many input devices are looked at for a power button.
pub const INPUT_DEVICES_MAX: usize = 32;

/// The longest DHCP message that is sent: what every server takes (RFC 2131 §2).
pub const DHCP_MESSAGE_BYTES_MAX: usize = 576;

/// Addresses that are taken from one list of a DHCP answer.
pub const DHCP_LIST_MAX: usize = 4;

/// A DHCP question without an answer is asked again after this, then after twice that, and so on,
pub const DHCP_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// and this many times before it is given up for another one.
pub const DHCP_TRIES: u32 = 4;

/// The shortest pause between two questions of a renewal (RFC 2131 §4.4.5).
pub const DHCP_RENEW_AGAIN_MIN: Duration = Duration::from_secs(60);

/// The pause after an address that somebody else had (RFC 2131 §3.1.5).
pub const DHCP_DECLINED_WAIT: Duration = Duration::from_secs(10);

/// The shortest lease that is taken.
pub const LEASE_S_MIN: u32 = 30;

/// The longest lease, about 34 years: "for ever" would overflow what is added to it.
pub const LEASE_S_MAX: u32 = 1 << 30;

/// The longest frame on a serial line: 44 ms at 115 200 baud.
pub const SERIAL_FRAME_BYTES_MAX: usize = 512;

/// Before an address is used for the first time, the LAN is asked this often who has it,
pub const PROBES: u32 = 3;

/// with this pause behind each question.
pub const PROBE_EVERY: Duration = Duration::from_millis(80);

/// Bytes of a greeting that are looked at.
pub const GREETING_BYTES: usize = 1024;

/// While a greeting is waited for, the connection is looked after at least this often.
pub const GREETING_POLL_MAX: Duration = Duration::from_millis(50);

/// Each port's carrier is looked at this often, besides what the kernel tells of it by itself.
pub const CARRIER_LOOK: Duration = Duration::from_millis(50);
