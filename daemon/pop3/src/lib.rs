//! POP3 sessions as pure state machines: bytes and answers in, bytes and questions out.
//!
//! A [`Session`] is one connection of a mail client. It never opens a socket, never looks at a
//! clock, holds no message longer than it takes to send it and deletes nothing: whatever only the
//! box can know or do it asks ([`Ask`]), one question at a time. Messages marked by DELE are asked
//! to be deleted at QUIT, in one question, and at no other end of a session.
//!
//! Start reading at [`Session`], then `session/login.rs`, `list.rs`, `retrieve.rs` and `delete.rs`.
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
//! A connection that the client closed is simply dropped together with its session. A message is
//! sent in pieces of [`limits::SEND_CHUNK_BYTES`], made as they are polled.
//!
//! # What is supported
//!
//! | RFC | what | how far |
//! |---|---|---|
//! | 1939 | POP3 | USER PASS STAT LIST UIDL RETR TOP DELE NOOP RSET QUIT |
//! | | APOP | no: it needs the password itself in the store |
//! | 2449 | CAPA, RESP-CODES, PIPELINING, EXPIRE | whole; `EXPIRE NEVER` |
//! | 2595 | STLS | whole; plaintext behind the command is discarded |
//! | 3206 | AUTH-RESP-CODE | `[AUTH]`, `[SYS/TEMP]` |
//! | 5034, 4616 | AUTH | PLAIN, with and without initial response |
//! | 6856 | UTF8, LANG | no |
//!
//! Passwords are taken over TLS only. UIDL is the entry's id in 32 hexadecimal digits, so it is the
//! same on both boxes and after a failover.
//!
//! # Line ends
//!
//! Message bytes leave as they are, with these exceptions: a line that starts with a dot gets
//! another (§3), and a message that does not end in CRLF gets one. Here a line starts after every
//! LF, also after one without CR: nearly all clients read lines that way, and a lone dot behind a
//! bare LF would end the message for them and let its text pass for replies. A client that takes
//! only CRLF for a line end sees one dot too many in such a line.
//!
//! A command line ends in CRLF. One that ends in a bare LF is answered with `-ERR` and not carried
//! out.

mod ask;
mod command;
mod content;
mod error;
pub mod limits;
mod session;

pub use ask::{
    Answer, Ask, DeleteAnswer, LoginAnswer, MaildropAnswer, Part, Password, ReadAnswer, Row,
};
pub use error::Error;
pub use limits::Limits;
pub use session::{Config, Input, Output, Session};
