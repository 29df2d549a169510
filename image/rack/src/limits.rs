//! Every bound of the rack, in one place.

use std::time::Duration;

/// The longest Ethernet frame taken from a box: a jumbo frame with room to spare.
pub const FRAME_BYTES_MAX: usize = 16 * 1024;
/// The shortest thing that can be an Ethernet frame: two addresses and a type.
pub const FRAME_BYTES_MIN: usize = 14;
/// What may wait for one box to read it; beyond this the rack drops, as a switch does.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What may wait for a host of the rack itself.
pub const INBOX_FRAMES_MAX: usize = 8192;
/// What a delayed cable may hold per way.
pub const CABLE_FRAMES_MAX: usize = 65_536;
/// Hardware addresses the switch remembers; when full it forgets all and floods for a while.
pub const SWITCH_ADDRESSES_MAX: usize = 1024;
/// How much is read from or written to a box's socket at once.
pub const SOCKET_CHUNK_BYTES: usize = 64 * 1024;

/// Frames taken from a software port before others get their turn.
pub const PLUG_FRAMES_AT_ONCE: usize = 64;

/// Buffer of each direction of one TCP connection of the client host.
pub const TCP_BUFFER_BYTES: usize = 64 * 1024;
/// Connections that may wait to be accepted on a port that the client host serves.
pub const TCP_BACKLOG: usize = 128;
/// How often an idle connection is asked whether its far end lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long a box may be silent, when a connection is made or later, before the local client is
/// reset.
pub const FAR_SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long a connection that both sides have closed may take to say goodbye.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a QEMU process may take to exit after SIGKILL.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long KVM may take to run the first instructions before the rack goes on without it.
pub const KVM_PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long QEMU's monitor may take to answer.
pub const MONITOR_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer of a server that the clients take: a message with its literal, or a page.
pub const REPLY_BYTES_MAX: usize = 256 * 1024 * 1024;
