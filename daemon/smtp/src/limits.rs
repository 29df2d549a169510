//! Every limit of an SMTP session, by name.

use std::time::Duration;

/// Longest command line without its CRLF. RFC 5321 §4.5.3.1.4 asks for 512 and extensions for more.
pub const COMMAND_LINE_BYTES_MAX: usize = 2048;
/// Longest AUTH command and longest line of an AUTH exchange (RFC 4954 §4).
pub const AUTH_LINE_BYTES_MAX: usize = 12_288;
/// Input kept while a question is outstanding. A pipelining client has to stop at DATA
/// (RFC 2920 §3.1), so this holds more than any group of commands that it may send.
pub const BUFFERED_INPUT_BYTES_MAX: usize = 256 * 1024;
/// Longest local part. RFC 5321 §4.5.3.1.1 guarantees 64; bounce addresses of mailing lists exceed
/// it.
pub const LOCAL_PART_BYTES_MAX: usize = 255;
/// Longest domain, also the longest name accepted in EHLO (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;
/// Longest text that a reply quotes from an answer; a reply line has 512 bytes (§4.5.3.1.5).
pub const REPLY_TEXT_BYTES_MAX: usize = 400;
/// While a message arrives, its deadline starts again each time this many bytes have come: a peer
/// that drips single bytes does not hold a connection for ever.
pub const DATA_PROGRESS_BYTES: usize = 64 * 1024;

/// See [`Limits::message_bytes_max`].
pub const MESSAGE_BYTES_MAX: usize = 50 * 1024 * 1024;
/// See [`Limits::recipients_max`].
pub const RECIPIENTS_MAX: usize = 1000;
/// See [`Limits::bad_commands_max`].
pub const BAD_COMMANDS_MAX: u32 = 20;
/// See [`Limits::failed_authentications_max`].
pub const FAILED_AUTHENTICATIONS_MAX: u32 = 3;
/// See [`Limits::command_timeout`].
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// See [`Limits::data_timeout`].
pub const DATA_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The limits that the owner of a box or a test may set otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, counted after dot-unstuffing; announced as SIZE. More gets 552 5.3.4.
    pub message_bytes_max: usize,
    /// Recipients of one message. More get 452 4.5.3 each.
    pub recipients_max: usize,
    /// The bad command with this number is followed by 421.
    pub bad_commands_max: u32,
    /// The refused AUTH with this number is followed by 421.
    pub failed_authentications_max: u32,
    /// Time for one whole command line, and for a TLS handshake (RFC 5321 §4.5.3.2.7).
    pub command_timeout: Duration,
    /// Time for each [`DATA_PROGRESS_BYTES`] of a message.
    pub data_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            recipients_max: RECIPIENTS_MAX,
            bad_commands_max: BAD_COMMANDS_MAX,
            failed_authentications_max: FAILED_AUTHENTICATIONS_MAX,
            command_timeout: COMMAND_TIMEOUT,
            data_timeout: DATA_TIMEOUT,
        }
    }
}
