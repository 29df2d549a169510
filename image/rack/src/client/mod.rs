//! Small typed clients for what a box serves: SMTP, IMAP and HTTPS. They are strict, so that a
//! server's slip shows.
//!
//! They block, take a time limit for each answer, and say what they expected when something else
//! came.

mod http;
mod imap;
mod smtp;
mod stream;

pub use self::http::{Http, Reply as HttpReply};
pub use self::imap::{Imap, Message};
pub use self::smtp::{Answer, Smtp, Unanswered, as_sent};
pub use self::stream::Stream;
