//! SMTP sessions as pure state machines: bytes and answers in, bytes and questions out.
//!
//! A [`Session`] is one connection of a mail client or another mail server. It never opens a
//! socket, never looks at a clock, knows no account and stores nothing: whatever only the box can
//! know it asks ([`Ask`]), one question at a time, and the `250` after DATA is sent on
//! [`DeliverAnswer::Delivered`] and at no other place.
//!
//! Start reading at [`Session`], then `session/mail.rs`, `rcpt.rs` and `data.rs` in that order.
//!
//! # Driving a session
//!
//! ```text
//! Session::new(config, now)
//! loop:
//!     poll() until None:   Send → write | StartTls → handshake, then Input::TlsStarted
//!                          Ask → answer with Input::Answer | Close → write out, close
//!     wait for             bytes (read only while wants_input()), an answer,
//!                          or deadline() → Input::Tick
//! ```
//!
//! A connection that the peer closed is simply dropped together with its session.
//!
//! # What is supported
//!
//! | RFC | what | how far |
//! |---|---|---|
//! | 5321 | SMTP | EHLO HELO MAIL RCPT DATA RSET NOOP QUIT HELP, VRFY (252) |
//! | | addresses | null sender, source routes (ignored), quoted, IP literals, `<Postmaster>` |
//! | | trace | `Return-Path:` and `Received:` by [`trace_headers`] |
//! | | EXPN, ETRN, TURN | no: 502 |
//! | 1870 | SIZE | declared size and real size, both 552 5.3.4 |
//! | 2034, 3463 | enhanced status codes | on every 2xx, 4xx and 5xx but the greeting and EHLO |
//! | 2920 | PIPELINING | whole |
//! | 3207 | STARTTLS | whole; plaintext behind the command is discarded, all state is forgotten |
//! | 4954, 4616 | AUTH | PLAIN and LOGIN, initial response; over TLS and on submission ports only |
//! | 6152 | 8BITMIME | whole; bytes pass unchanged whatever BODY says |
//! | 6409 | submission | authentication before MAIL, the sender must be the account's |
//! | 3848 | `with` keywords | SMTP, ESMTP, ESMTPS, ESMTPSA |
//! | 6531 | SMTPUTF8 | no: addresses outside ASCII get 553 5.6.7 |
//! | 3030 | CHUNKING, BINARYMIME | no |
//! | 3461 | DSN | no: NOTIFY, ORCPT, RET and ENVID get 555 5.5.4 |
//! | 2033 | LMTP | no |
//!
//! # Bare CR and bare LF
//!
//! A message is the bytes between `354` and CRLF `.` CRLF, with one dot removed from each line that
//! starts with one, and nothing else changed: 8-bit bytes, NUL, bare CR and bare LF are kept. A
//! line starts after CRLF and only there. So LF `.` LF, LF `.` CRLF, CR `.` CR and CRLF `.` LF end
//! nothing, and what stands behind them is message text, never a command (RFC 5321 §2.3.8,
//! §4.1.1.4). Whoever sends such a message on to another server has to deal with the bare line ends
//! there.
//!
//! A command line ends in CRLF. One that ends in a bare LF is answered with 500 and not carried
//! out.

mod address;
mod ask;
mod command;
mod content;
mod error;
pub mod limits;
mod session;
mod trace;

pub use address::Address;
pub use ask::{
    Answer, Ask, AuthenticateAnswer, DeliverAnswer, Envelope, Password, Recipient, RecipientAnswer,
    SenderAnswer,
};
pub use error::Error;
pub use limits::Limits;
pub use session::{Config, Input, Output, Role, Session};
pub use trace::trace_headers;
