//! Every limit of this crate.

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
