//! What a session asks of the box, and what it can be told.

use std::fmt;

/// A question. At most one is outstanding; the session goes on when it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Are these the credentials of an account?
    Login {
        /// The name that the client gave, usually an address.
        user: String,
        /// Its password.
        password: Password,
    },
    /// What lies in the account's inbox? The answer holds for the whole session.
    OpenMaildrop {
        /// Who has logged in.
        account: u128,
    },
    /// The bytes of a message.
    Read {
        /// Who has logged in.
        account: u128,
        /// One of the maildrop's entries.
        entry: u128,
        /// How much of it is needed; more does no harm.
        part: Part,
    },
    /// Delete all these, and say so only when that is committed. Asked at QUIT only.
    Delete {
        /// Who has logged in.
        account: u128,
        /// Some of the maildrop's entries, at least one, in its order.
        entries: Vec<u128>,
    },
}

/// How much of a message to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Up to and with the empty line behind the header.
    Header,
    /// All of it.
    Whole,
}

/// The answer to the [`Ask`] of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Login`].
    Login(LoginAnswer),
    /// To [`Ask::OpenMaildrop`].
    OpenMaildrop(MaildropAnswer),
    /// To [`Ask::Read`].
    Read(ReadAnswer),
    /// To [`Ask::Delete`].
    Delete(DeleteAnswer),
}

/// Whether the credentials are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginAnswer {
    /// They are.
    Accepted {
        /// Whose.
        account: u128,
    },
    /// They are not: `-ERR [AUTH]`.
    Denied,
    /// Nobody can tell at the moment: `-ERR [SYS/TEMP]`.
    Unavailable,
}

/// What lies in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaildropAnswer {
    /// These messages; message 1 is the first.
    Open(Vec<Row>),
    /// Another session has it: `-ERR [IN-USE]`.
    InUse,
    /// Nobody can tell at the moment: `-ERR [SYS/TEMP]` with this text.
    Unavailable(String),
}

/// One message of a maildrop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its id, and its UIDL.
    pub entry: u128,
    /// Its size.
    pub size_bytes: u32,
}

/// The bytes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadAnswer {
    /// These.
    Message(Vec<u8>),
    /// It was deleted elsewhere since the maildrop was opened.
    Gone,
    /// It cannot be read at the moment: `-ERR [SYS/TEMP]` with this text.
    Unavailable(String),
}

/// What became of the messages to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteAnswer {
    /// All are deleted, and that is committed.
    Deleted,
    /// Not all: `-ERR [SYS/TEMP]` with this text.
    Unavailable(String),
}

/// A password; it is not shown by `{:?}`, so it does not reach a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes the password as the client gave it.
    pub fn new(text: String) -> Password {
        Password(text)
    }

    /// The password itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
