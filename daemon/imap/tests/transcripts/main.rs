//! Transcripts of IMAP sessions: what a client sends (`C:`) and must get (`S:`). One file per verb.

#![allow(clippy::disallowed_methods)] // a starting point for the virtual clock
#![allow(clippy::unwrap_used)] // clippy's own exception for tests does not reach helpers

mod append;
mod authenticate;
mod client;
mod copy;
mod expunge;
mod fetch;
mod idle;
mod list;
mod mailboxes;
mod mirror;
mod search;
mod select;
mod session;
mod store;
mod store_flags;

use client::Client;
use store::Store;

/// An ordinary mail with an attachment.
pub const MIXED: &str = "From: Ann Lee <ann@example.test>\r\n\
    To: team: bob@example.test, \"Lee, Carl\" <carl@example.test>;\r\n\
    Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
    Date: Wed, 17 Jul 1996 23:44:25 -0700\r\n\
    Message-ID: <1@example.test>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=x\r\n\
    \r\n\
    --x\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\
    \r\n\
    Sch=C3=B6ne Gr=C3=BC=C3=9Fe\r\n\
    --x\r\n\
    Content-Type: message/rfc822\r\n\
    Content-Disposition: attachment; filename=\"a.eml\"\r\n\
    \r\n\
    From: dan@example.test\r\n\
    Subject: inner\r\n\
    \r\n\
    inner text\r\n\
    --x--\r\n";

pub const PLAIN: &str =
    "From: bob@example.test\r\nSubject: hello\r\nX-Note: first\r\n\r\nHello Ann\r\n";

/// INBOX with two messages: [`PLAIN`], seen, and [`MIXED`].
pub fn two_messages() -> Store {
    let mut store = Store::new();
    store.deliver("INBOX", PLAIN.as_bytes(), &["\\Seen"]);
    store.deliver("INBOX", MIXED.as_bytes(), &[]);
    store
}

/// INBOX with messages 1 to `count`, UIDs the same, each `Subject: n`.
pub fn numbered(count: u32) -> Store {
    let mut store = Store::new();
    for number in 1..=count {
        store.deliver("INBOX", format!("Subject: {number}\r\n\r\nhi\r\n").as_bytes(), &[]);
    }
    store
}
