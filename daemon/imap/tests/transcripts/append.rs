//! APPEND.

use imap::Failure;

use crate::{Client, Store};

#[test]
fn append_keeps_every_byte() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a APPEND inbox (\\Seen $Work) \"17-Jul-1996 02:44:25 -0700\" {11}\nS: + go ahead",
    );
    client.send(b"A: b\n\n\0\xff\r\n\r\n");
    assert_eq!(client.take(), "a OK [APPENDUID 101 1] APPEND done\r\n");
    let row = client.store.rows("INBOX")[0].clone();
    assert_eq!(&client.store.bodies[&row.entry][..], b"A: b\n\n\0\xff\r\n\r"[..11].as_ref());
    assert_eq!((row.flags.join(" ").as_str(), row.internal_date_s), ("\\Seen $Work", 837_596_665));
}

#[test]
fn append_into_the_selected_mailbox_is_seen_there() {
    let mut client = Client::selected(Store::new());
    client.check(
        "C: a APPEND INBOX {3+}
         C: A:b
         S: * 1 EXISTS
         S: a OK [APPENDUID 101 1] APPEND done
         C: b APPEND INBOX () {3+}
         C: A:b
         S: * 2 EXISTS
         S: b OK [APPENDUID 101 2] APPEND done",
    );
}

#[test]
fn append_that_cannot_be() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a APPEND nowhere {3+}
         C: A:b
         S: a NO [TRYCREATE] there is no such mailbox
         C: b APPEND INBOX {0+}
         C:
         S: b NO an empty message is none
         C: c APPEND INBOX \"text\"
         S: c BAD ...
         C: d APPEND INBOX (\\Foo) {3+}
         C: A:b
         S: d BAD there is no such system flag
         C: e APPEND INBOX \"32-Jul-1996 02:44:25 -0700\" {3+}
         C: A:b
         S: e BAD the date is wrong
         C: f APPEND INBOX {105000+}",
    );
    client.send(&[b'x'; 105_000]);
    client.check("C:\nS: f NO [TOOBIG] the message is too long");
    client.hold = true;
    client.send(b"g APPEND INBOX {3+}\r\nA:b\r\n");
    let mailboxes = client.store.answer(client.held.take().unwrap());
    client.input(imap::Input::Answer(mailboxes));
    client.store.fail_next = Some(Failure::Unavailable("one box is down".into()));
    client.answer_held();
    assert_eq!(client.take(), "g NO [UNAVAILABLE] one box is down\r\n");
}
