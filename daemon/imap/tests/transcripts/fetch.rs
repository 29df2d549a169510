//! FETCH, UID FETCH.

use imap::Failure;

use crate::{Client, MIXED, PLAIN, Store, numbered, two_messages};

#[test]
fn what_the_list_knows() {
    let mut client = Client::selected(two_messages());
    client.events.clear();
    client.check(
        "C: a FETCH 1:2 (FLAGS UID)
         S: * 1 FETCH (FLAGS (\\Seen) UID 1)
         S: * 2 FETCH (FLAGS () UID 2)
         S: a OK FETCH done
         C: b fetch 1 fast
         S: * 1 FETCH (FLAGS (\\Seen) INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" RFC822.SIZE 68)
         S: b OK FETCH done
         C: c UID FETCH 2:* FLAGS
         S: * 2 FETCH (UID 2 FLAGS ())
         S: c OK FETCH done
         C: d UID FETCH 9:* (UID)
         S: * 2 FETCH (UID 2)
         S: d OK FETCH done
         C: e UID FETCH 9 FLAGS
         S: e OK FETCH done
         C: f FETCH 3 FLAGS
         S: f BAD there is no message with that number
         C: g FETCH 2,1,*:2 MODSEQ
         S: * 1 FETCH (MODSEQ (1))
         S: * 2 FETCH (MODSEQ (2))
         S: g OK FETCH done",
    );
    assert!(client.events.is_empty(), "nothing is read for that: {:?}", client.events);
}

#[test]
fn envelopes() {
    let mut client = Client::selected(two_messages());
    client.check(
        "C: a FETCH 2 ENVELOPE
         S: * 2 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 23:44:25 -0700\" \"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\" ((\"Ann Lee\" NIL \"ann\" \"example.test\")) ((\"Ann Lee\" NIL \"ann\" \"example.test\")) ((\"Ann Lee\" NIL \"ann\" \"example.test\")) ((NIL NIL \"team\" NIL)(NIL NIL \"bob\" \"example.test\")(\"Lee, Carl\" NIL \"carl\" \"example.test\")(NIL NIL NIL NIL)) NIL NIL NIL \"<1@example.test>\"))
         S: a OK FETCH done",
    );
    client.store.deliver("INBOX", "Subject: \u{fc}\"\\\r\n\r\n".as_bytes(), &[]);
    client.check(
        "C: b NOOP
         S: * 3 EXISTS
         S: b OK NOOP done
         C: c FETCH 3 ENVELOPE
         S: * 3 FETCH (ENVELOPE (NIL {4}
         S: \u{fc}\"\\ NIL NIL NIL NIL NIL NIL NIL NIL))
         S: c OK FETCH done",
    );
}

#[test]
fn structures() {
    let mut client = Client::selected(two_messages());
    client.check(
        "C: a FETCH 1 (BODY BODYSTRUCTURE)
         S: * 1 FETCH (BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 1) BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 1 NIL NIL NIL NIL))
         S: a OK FETCH done
         C: b FETCH 2 BODYSTRUCTURE
         S: * 2 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 27 1 NIL NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 52 (NIL \"inner\" ((NIL NIL \"dan\" \"example.test\")) ((NIL NIL \"dan\" \"example.test\")) ((NIL NIL \"dan\" \"example.test\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 1 NIL NIL NIL NIL) 4 NIL (\"attachment\" (\"filename\" \"a.eml\")) NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL))
         S: b OK FETCH done
         C: c FETCH 2 BODY
         S: * 2 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 27 1)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 52 (NIL \"inner\" ((NIL NIL \"dan\" \"example.test\")) ((NIL NIL \"dan\" \"example.test\")) ((NIL NIL \"dan\" \"example.test\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 1) 4) \"mixed\"))
         S: c OK FETCH done",
    );
}

#[test]
fn sections() {
    let mut client = Client::selected(two_messages());
    client.check(
        "C: a FETCH 2 (BODY.PEEK[1] BODY.PEEK[2.HEADER.FIELDS (SUBJECT)] BODY.PEEK[1.MIME])
         S: * 2 FETCH (BODY[1] {27}
         S: Sch=C3=B6ne Gr=C3=BC=C3=9Fe BODY[2.HEADER.FIELDS (SUBJECT)] {18}
         S: Subject: inner
         S:
         S:  BODY[1.MIME] {88}
         S: Content-Type: text/plain; charset=utf-8
         S: Content-Transfer-Encoding: quoted-printable
         S:
         S: )
         S: a OK FETCH done",
    );
}

#[test]
fn header_fields() {
    let mut client = Client::selected(two_messages());
    client.check(
        "C: a FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject \"x-note\")]
         S: * 1 FETCH (BODY[HEADER.FIELDS (Subject x-note)] {33}
         S: Subject: hello
         S: X-Note: first
         S:
         S: )
         S: a OK FETCH done
         C: b FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (Subject)]<0.8> FLAGS)
         S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (Subject)]<0> {8}
         S: From: bo FLAGS (\\Seen))
         S: b OK FETCH done
         C: c FETCH 1 RFC822.HEADER
         S: * 1 FETCH (RFC822.HEADER {57}
         S: From: bob@example.test
         S: Subject: hello
         S: X-Note: first
         S:
         S: )
         S: c OK FETCH done",
    );
}

#[test]
fn partials() {
    let mut client = Client::selected(two_messages());
    client.check(
        "C: a FETCH 1 BODY.PEEK[TEXT]<6.3>
         S: * 1 FETCH (BODY[TEXT]<6> {3}
         S: Ann)
         S: a OK FETCH done
         C: b FETCH 1 BODY.PEEK[TEXT]<9.100>
         S: * 1 FETCH (BODY[TEXT]<9> {2}
         S:
         S: )
         S: b OK FETCH done
         C: c FETCH 1 BODY.PEEK[]<4000000000.9223372036854775807>
         S: * 1 FETCH (BODY[]<4000000000> {0}
         S: )
         S: c OK FETCH done
         C: d FETCH 1 BODY.PEEK[]<0.0>
         S: d BAD a partial must not be empty
         C: e FETCH 1 BODY.PEEK[3]
         S: * 1 FETCH (BODY[3] NIL)
         S: e OK FETCH done",
    );
}

#[test]
fn whole_messages_are_the_original_bytes() {
    let nasty: &[u8] = b"A: 1\n\nbare\nlf, \0 NUL, \xff bytes\r, no end";
    let mut store = Store::new();
    store.deliver("INBOX", nasty, &["\\Seen"]);
    let mut client = Client::selected(store);
    for (item, label) in [("BODY[]", "BODY[]"), ("RFC822", "RFC822"), ("BODY.PEEK[]", "BODY[]")] {
        client.send(format!("a FETCH 1 {item}\r\n").as_bytes());
        let mut expected = format!("* 1 FETCH ({label} {{{}}}\r\n", nasty.len()).into_bytes();
        expected.extend_from_slice(nasty);
        expected.extend_from_slice(b")\r\na OK FETCH done\r\n");
        assert_eq!(client.take_bytes(), expected);
    }
}

#[test]
fn reading_marks_as_seen_at_the_end() {
    let mut store = numbered(3);
    store.rows("INBOX")[1].flags.push("\\Seen".into());
    let mut client = Client::selected(store);
    client.events.clear();
    client.check(
        "C: a FETCH 1:2 BODY[TEXT]
         S: * 1 FETCH (BODY[TEXT] {4}
         S: hi
         S: )
         S: * 2 FETCH (BODY[TEXT] {4}
         S: hi
         S: )
         S: * 1 FETCH (FLAGS (\\Seen))
         S: a OK FETCH done
         C: b UID FETCH 3 RFC822.TEXT
         S: * 3 FETCH (UID 3 RFC822.TEXT {4}
         S: hi
         S: )
         S: * 3 FETCH (UID 3 FLAGS (\\Seen))
         S: b OK FETCH done",
    );
    assert_eq!(client.events, ["Read", "Read", "Store", "Refresh", "Read", "Store", "Refresh"]);
}

#[test]
fn a_mark_that_cannot_be_set_does_not_spoil_the_reading() {
    let mut client = Client::selected(numbered(1));
    client.hold = true;
    client.send(b"a FETCH 1 BODY[TEXT]\r\n");
    let text = client.store.answer(client.held.take().unwrap());
    client.input(imap::Input::Answer(text));
    client.store.fail_next = Some(Failure::Unavailable("no disk".into()));
    client.answer_held();
    assert_eq!(client.take(), "* 1 FETCH (BODY[TEXT] {4}\r\nhi\r\n)\r\na OK FETCH done\r\n");
}

#[test]
fn one_message_after_the_other() {
    let mut client = Client::selected(numbered(3));
    client.hold = true;
    client.send(b"a FETCH 1:3 BODY.PEEK[HEADER]\r\n");
    for number in 1..=3 {
        assert_eq!(client.take(), "");
        let answer = client.store.answer(client.held.take().unwrap());
        client.input(imap::Input::Answer(answer));
        let expected =
            format!("* {number} FETCH (BODY[HEADER] {{14}}\r\nSubject: {number}\r\n\r\n)\r\n");
        let received = client.take();
        assert!(received.starts_with(&expected), "{received}");
        if number == 3 {
            assert!(received.ends_with("a OK FETCH done\r\n"));
        }
    }
}

#[test]
fn long_answers_wait_for_the_client() {
    let mut client = Client::selected(numbered(20_000));
    client.session.handle(client.now, imap::Input::Bytes(b"a FETCH 1:* (FLAGS UID)\r\n"));
    let mut sends = 0;
    let mut bytes = 0;
    while let Some(output) = client.session.poll() {
        let imap::Output::Send(piece) = output else { panic!("{output:?}") };
        assert!(piece.len() < 70_000);
        bytes += piece.len();
        sends += 1;
    }
    assert!(bytes > 500_000 && sends > 8);
}

#[test]
fn messages_that_are_gone() {
    let mut client = Client::selected(numbered(3));
    let row = client.store.rows("INBOX").remove(1);
    client.store.bodies.remove(&row.entry);
    client.check(
        "C: a FETCH 1:3 BODY.PEEK[TEXT]
         S: * 1 FETCH (BODY[TEXT] {4}
         S: hi
         S: )
         S: * 3 FETCH (BODY[TEXT] {4}
         S: hi
         S: )
         S: a NO [EXPUNGEISSUED] some of the messages are gone
         C: b FETCH 2:3 UID
         S: * 3 FETCH (UID 3)
         S: b NO [EXPUNGEISSUED] some of the messages are gone
         C: c UID SEARCH 2:3
         S: * SEARCH 3
         S: * 2 EXPUNGE
         S: c OK SEARCH done
         C: d FETCH 2 UID
         S: * 2 FETCH (UID 3)
         S: d OK FETCH done",
    );
}

#[test]
fn a_failed_read_ends_the_fetch() {
    let mut client = Client::selected(numbered(2));
    client.store.fail_next = Some(Failure::Unavailable("the disk is slow".into()));
    client.check("C: a FETCH 1:2 BODY[]\nS: a NO [UNAVAILABLE] the disk is slow");
    assert!(client.store.rows("INBOX")[0].flags.is_empty());
}

#[test]
fn wrong_items() {
    let mut client = Client::selected(two_messages());
    for items in [
        "",
        "()",
        "FOO",
        "(FLAGS FOO)",
        "BODY[0]",
        "BODY[1.]x",
        "BODY[MIME]",
        "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[TEXT",
        "BODY[]<1>",
        "(FLAGS",
        "BODY[1.FOO]",
    ] {
        client.send(format!("a FETCH 1 {items}\r\n").as_bytes());
        let answer = client.take();
        assert!(answer.starts_with("a BAD "), "{items}: {answer}");
        client.check("C: n NOOP\nS: n OK NOOP done");
    }
}

#[test]
fn every_part_of_a_message_adds_up() {
    let mut client = Client::selected(two_messages());
    let mut fetch = |item: &str| {
        client.send(format!("a FETCH 2 BODY.PEEK[{item}]\r\n").as_bytes());
        let answer = client.take();
        let (first, rest) = answer.split_once("}\r\n").unwrap();
        let length: usize = first.rsplit_once('{').unwrap().1.parse().unwrap();
        rest[..length].to_owned()
    };
    assert_eq!(fetch("HEADER") + &fetch("TEXT"), MIXED);
    assert_eq!(fetch("2.HEADER") + &fetch("2.TEXT"), fetch("2"));
    assert!(MIXED.contains(&(fetch("1.MIME") + &fetch("1"))));
    assert_eq!(fetch("2.1"), "inner text");
    assert!(PLAIN.starts_with("From"));
}
