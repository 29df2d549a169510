//! What can be wrong with a command. All of it is the peer's fault; each error knows its reply.

/// A command or address that cannot be used as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a verb of SMTP.
    #[error("command not recognized")]
    UnknownCommand,
    /// A verb of SMTP that this server does not serve.
    #[error("command not implemented")]
    NotImplemented,
    /// Longer than [`crate::limits::COMMAND_LINE_BYTES_MAX`].
    #[error("line too long")]
    LineTooLong,
    /// Ended by LF without CR.
    #[error("lines end in CRLF")]
    BareLineFeed,
    /// Control bytes, or neither ASCII nor UTF-8.
    #[error("not a line of text")]
    NotText,
    /// An argument is missing or stands where none belongs.
    #[error("expected: {expected}")]
    Arguments {
        /// The form that the command has.
        expected: &'static str,
    },
    /// A parameter of MAIL or RCPT that was not announced in EHLO.
    #[error("parameter not supported")]
    UnknownParameter,
    /// A known parameter with a value that it cannot have, or twice.
    #[error("bad value of parameter {name}")]
    ParameterValue {
        /// Which one.
        name: &'static str,
    },
    /// Not an address of RFC 5321 §4.1.2.
    #[error("bad address syntax")]
    Address,
    /// An address outside ASCII: would need SMTPUTF8 (RFC 6531).
    #[error("addresses outside ASCII are not supported")]
    NeedsSmtpUtf8,
}

impl Error {
    /// Reply code and enhanced status code (RFC 3463, RFC 5248).
    pub(crate) fn codes(&self) -> &'static str {
        match self {
            Error::UnknownCommand => "500 5.5.1",
            Error::NotImplemented => "502 5.5.1",
            Error::LineTooLong | Error::BareLineFeed | Error::NotText => "500 5.5.2",
            Error::Arguments { .. } | Error::ParameterValue { .. } => "501 5.5.4",
            Error::UnknownParameter => "555 5.5.4",
            Error::Address => "501 5.1.3",
            Error::NeedsSmtpUtf8 => "553 5.6.7",
        }
    }
}
