//! What can be wrong with a command. All of it is the client's fault; the text stands behind
//! `-ERR`.

/// A command that cannot be used as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a verb of POP3.
    #[error("unknown command")]
    UnknownCommand,
    /// Longer than [`crate::limits::COMMAND_LINE_BYTES_MAX`].
    #[error("line too long")]
    LineTooLong,
    /// Ended by LF without CR.
    #[error("lines end in CRLF")]
    BareLineFeed,
    /// Control bytes, or neither ASCII nor UTF-8.
    #[error("not a line of text")]
    NotText,
    /// An argument is missing, is not a number, or stands where none belongs.
    #[error("expected: {expected}")]
    Arguments {
        /// The form that the command has.
        expected: &'static str,
    },
}
