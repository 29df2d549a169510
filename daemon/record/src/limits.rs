//! Every limit of the format.

/// Message bodies are cut into chunks of this many bytes before compression.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// The longest frame, header included: a chunk that did not compress, its operation, some room.
pub const FRAME_BYTES_MAX: usize = CHUNK_BYTES + 64 * 1024;

/// UIDs are handed out in blocks (lanes) of this many while one side is alone.
pub const LANE_BLOCK: u32 = 1 << 16;

/// The largest message that is taken in, in bytes. SMTP announces it (RFC 1870).
pub const MESSAGE_BYTES_MAX: usize = 50 * 1024 * 1024;
