//! Every limit of a POP3 session, by name.

use std::time::Duration;

/// Longest command line without its CRLF. RFC 2449 §4 guarantees 253; passwords may be longer.
pub const COMMAND_LINE_BYTES_MAX: usize = 1024;
/// Longest AUTH command and longest line of an AUTH exchange (RFC 5034 §4, as in RFC 4954 §4).
pub const AUTH_LINE_BYTES_MAX: usize = 12_288;
/// Input kept while a question is outstanding or replies wait to be taken.
pub const BUFFERED_INPUT_BYTES_MAX: usize = 64 * 1024;
/// Commands wait while more than this of the replies to earlier ones has not been taken: a small
/// pipelined group may ask for a large listing many times.
pub const QUEUED_REPLY_BYTES_MAX: usize = 64 * 1024;
/// A message is sent in pieces of about this size.
pub const SEND_CHUNK_BYTES: usize = 64 * 1024;
/// Longest text that a reply quotes from an answer; a reply line has 512 bytes (RFC 1939 §3).
pub const REPLY_TEXT_BYTES_MAX: usize = 400;

/// See [`Limits::bad_commands_max`].
pub const BAD_COMMANDS_MAX: u32 = 20;
/// See [`Limits::failed_logins_max`].
pub const FAILED_LOGINS_MAX: u32 = 3;
/// See [`Limits::command_timeout`].
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The limits that the owner of a box or a test may set otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The bad command with this number ends the session.
    pub bad_commands_max: u32,
    /// The refused login with this number ends the session.
    pub failed_logins_max: u32,
    /// Time for one whole command line, and for a TLS handshake; at least ten minutes (RFC 1939
    /// §3).
    pub command_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bad_commands_max: BAD_COMMANDS_MAX,
            failed_logins_max: FAILED_LOGINS_MAX,
            command_timeout: COMMAND_TIMEOUT,
        }
    }
}
