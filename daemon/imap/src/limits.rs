//! Every limit of an IMAP session, by name.

use std::time::Duration;

/// One command without its literals, and one line of an AUTHENTICATE exchange. RFC 7162 §4 asks for
/// 8 KiB; sets of UIDs as mail clients send them need more.
pub const COMMAND_BYTES_MAX: usize = 64 << 10;
/// Literals of one command together, APPEND's message apart.
pub const LITERAL_BYTES_MAX: usize = 8 << 10;
/// A literal that is too long but on its way already (RFC 7888) is read over up to this length; a
/// longer one ends the session.
pub const SKIPPED_LITERAL_BYTES_MAX: u64 = 1 << 30;
/// Input kept while a command runs. [`Session::wants_input`](crate::Session::wants_input) says no
/// from half of it on.
pub const BUFFERED_INPUT_BYTES_MAX: usize = 256 << 10;
/// Bytes of one [`Output::Send`](crate::Output::Send), give or take one response line.
pub const SEND_BYTES: usize = 64 << 10;
/// Messages that SEARCH looks at in one step, between two looks at the input.
pub const SEARCH_STEP: usize = 4096;
/// Search keys inside one another: parentheses, NOT, OR.
pub const SEARCH_DEPTH_MAX: usize = 32;
/// Search keys of one command.
pub const SEARCH_KEYS_MAX: usize = 512;
/// Data items of one FETCH, and names of one HEADER.FIELDS.
pub const FETCH_ITEMS_MAX: usize = 128;
/// Part numbers of one section.
pub const SECTION_DEPTH_MAX: usize = 64;
/// Patterns of one LIST.
pub const LIST_PATTERNS_MAX: usize = 32;
/// Bytes of one pattern; matching takes pattern times name.
pub const LIST_PATTERN_BYTES_MAX: usize = 1024;
/// Bytes of a mailbox name in UTF-8.
pub const MAILBOX_NAME_BYTES_MAX: usize = 512;
/// Levels of a mailbox name.
pub const MAILBOX_LEVELS_MAX: usize = 16;
/// Flags in one STORE or APPEND.
pub const FLAGS_MAX: usize = 64;
/// Bytes of one keyword.
pub const KEYWORD_BYTES_MAX: usize = 128;

/// See [`Limits::message_bytes_max`].
pub const MESSAGE_BYTES_MAX: usize = 50 << 20;
/// See [`Limits::bad_commands_max`].
pub const BAD_COMMANDS_MAX: u32 = 20;
/// See [`Limits::failed_logins_max`].
pub const FAILED_LOGINS_MAX: u32 = 3;
/// See [`Limits::login_timeout`].
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// See [`Limits::idle_timeout`].
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The limits that the owner of a box or a test may set otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest message that APPEND takes; announced as APPENDLIMIT (RFC 7889).
    pub message_bytes_max: usize,
    /// The bad command with this number in a row is followed by BYE.
    pub bad_commands_max: u32,
    /// The refused login with this number is followed by BYE.
    pub failed_logins_max: u32,
    /// Time until login. Only a TLS handshake and a refused login start it again.
    pub login_timeout: Duration,
    /// Time without any input after login (RFC 9051 §5.4 asks for 30 minutes at least).
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX,
            bad_commands_max: BAD_COMMANDS_MAX,
            failed_logins_max: FAILED_LOGINS_MAX,
            login_timeout: LOGIN_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
        }
    }
}
