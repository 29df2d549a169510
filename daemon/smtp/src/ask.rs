//! What a session asks of the box, and what it can be told.

use std::fmt;
use std::net::IpAddr;

use crate::Address;

/// A question. At most one is outstanding; the session goes on when it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Are these the credentials of an account?
    Authenticate {
        /// The name that the client gave, usually an address.
        user: String,
        /// Its password.
        password: Password,
    },
    /// May this account send as `address`? Asked on submission ports, never for the null sender.
    Sender {
        /// Who has authenticated.
        account: u128,
        /// What stands in MAIL FROM.
        address: Address,
    },
    /// Who takes mail for `address`? `<Postmaster>` without a domain is asked as
    /// `Postmaster@` and the session's own host name.
    Recipient {
        /// What stands in RCPT TO.
        address: Address,
        /// Who has authenticated, if anyone.
        authenticated: Option<u128>,
    },
    /// Store this message for all its recipients, and say so only when it is committed.
    Deliver {
        /// From where, from whom, to whom.
        envelope: Envelope,
        /// Exactly the bytes received, after dot-unstuffing; without [`crate::trace_headers`].
        message: Vec<u8>,
    },
}

/// The answer to the [`Ask`] of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Authenticate`].
    Authenticate(AuthenticateAnswer),
    /// To [`Ask::Sender`].
    Sender(SenderAnswer),
    /// To [`Ask::Recipient`].
    Recipient(RecipientAnswer),
    /// To [`Ask::Deliver`].
    Deliver(DeliverAnswer),
}

/// Whether the credentials are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticateAnswer {
    /// They are: 235.
    Accepted {
        /// Whose.
        account: u128,
        /// Its main address.
        address: String,
    },
    /// They are not: 535 5.7.8.
    Denied,
    /// Nobody can tell at the moment: 454 4.7.0.
    Unavailable,
}

/// Whether the account may use the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderAnswer {
    /// It may.
    Allowed,
    /// It may not: 553 5.7.1.
    Refused,
    /// Nobody can tell at the moment: 451 4.3.0 with this text.
    Unavailable(String),
}

/// Whether mail for the recipient is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientAnswer {
    /// It is, for this account.
    Accepted {
        /// Whose mail it is.
        account: u128,
    },
    /// The domain is here, the user is not: 550 5.1.1.
    NoSuchUser,
    /// The domain is not here, and mail for it is not relayed: 550 5.7.1.
    NotLocal,
    /// Not taken for the reason in this text: 550 5.7.1.
    Refused(String),
    /// Nobody can tell at the moment: 451 4.3.0 with this text.
    Unavailable(String),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliverAnswer {
    /// Committed for all recipients: 250. From here on the box answers for the message.
    Delivered,
    /// Not now: 451 4.3.0 with this text.
    Unavailable(String),
    /// No room: 452 4.3.1.
    StorageFull,
    /// Never: 554 5.6.0 with this text.
    Rejected(String),
}

/// All about a message that does not stand in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM; `None` is the null sender `<>`.
    pub from: Option<Address>,
    /// RCPT TO, those accepted, in their order; one and the same address only once.
    pub recipients: Vec<Recipient>,
    /// The name given in EHLO or HELO: printable ASCII without spaces, nothing more is known of it.
    pub helo: String,
    /// Whether that was EHLO.
    pub esmtp: bool,
    /// Where the connection comes from.
    pub client_ip: IpAddr,
    /// Whether it is encrypted.
    pub tls: bool,
    /// The account that has authenticated.
    pub authenticated: Option<u128>,
}

/// One accepted recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Whose mail it is.
    pub account: u128,
    /// The address that the sender used for it.
    pub address: Address,
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
