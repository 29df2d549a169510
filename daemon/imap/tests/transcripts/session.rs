//! The session as a whole: states, limits, time, the end.

use std::time::Duration;

use imap::{Failure, Input, Session};

use crate::{Client, Store, numbered, two_messages};

#[test]
fn a_session_can_go_to_another_thread() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Session>();
}

#[test]
fn commands_of_any_state() {
    let mut client = Client::connect(Store::new(), false);
    client.check(
        "C: a CAPABILITY
         S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH APPENDLIMIT=100000 STARTTLS LOGINDISABLED
         S: a OK CAPABILITY done
         C: b NOOP
         S: b OK NOOP done
         C: c ID (\"name\" \"test\" \"version\" NIL)
         S: * ID (\"name\" \"twinpost\")
         S: c OK ID done
         C: d ID NIL
         S: * ID (\"name\" \"twinpost\")
         S: d OK ID done
         C: e LOGOUT
         S: * BYE until next time
         S: e OK LOGOUT done",
    );
    assert_eq!(client.events, ["Close"]);
    client.check("C: f NOOP");
}

#[test]
fn commands_in_the_wrong_state() {
    let mut client = Client::connect(Store::new(), true);
    client.check(
        "C: a SELECT INBOX
         S: a BAD log in first
         C: b LOGIN ann secret
         S: b OK ...
         C: c FETCH 1 FLAGS
         S: c BAD select a mailbox first
         C: d LOGIN ann secret
         S: d BAD you are logged in already",
    );
}

#[test]
fn syntax_errors_name_their_command() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a
         S: a BAD a command is missing
         C: b NOSUCH x
         S: b BAD there is no such command
         C: c SELECT
         S: c BAD a string is missing
         C: d SELECT \"x
         S: d BAD a quote is not closed
         C: e NOOP x
         S: e BAD there is more than the command takes
         C: f+ NOOP
         S: * BAD the tag is wrong
         C: g UID NOOP
         S: g BAD there is no such command
         C: h SELECT ~{3+}
         C: abc
         S: h BAD ...
         C: i NOOP  \t
         S: i BAD ...
         C: j NOOP  
         S: j OK NOOP done",
    );
}

#[test]
fn namespace_and_enable() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a NAMESPACE
         S: * NAMESPACE ((\"\" \"/\")) NIL NIL
         S: a OK NAMESPACE done
         C: b ENABLE CONDSTORE UTF8=ACCEPT
         S: * ENABLED
         S: b OK ENABLE done",
    );
}

#[test]
fn pipelined_commands_run_one_after_the_other() {
    let mut client = Client::logged_in(two_messages());
    client.hold = true;
    client.send(b"a SELECT INBOX\r\nb FETCH 1 UID\r\nc LOGOUT\r\n");
    assert!(client.session.wants_input());
    client.answer_held();
    let answer = client.take();
    let tags: Vec<&str> = answer.lines().filter(|line| !line.starts_with('*')).collect();
    assert_eq!(
        tags,
        ["a OK [READ-WRITE] SELECT done", "b OK FETCH done", "c OK LOGOUT done"],
        "{answer}"
    );
}

#[test]
fn input_that_comes_too_fast_ends_the_session() {
    let mut client = Client::logged_in(Store::new());
    client.hold = true;
    client.send(b"a SELECT INBOX\r\n");
    let mut sent = 0;
    while client.session.wants_input() {
        client.send(&[b'x'; 10_000]);
        sent += 10_000;
    }
    assert!((100_000..200_000).contains(&sent));
    for _ in 0..20 {
        client.send(&[b'x'; 10_000]);
    }
    assert_eq!(client.take(), "* BYE too much input\r\n");
}

#[test]
fn lines_and_literals_have_limits() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a SELECT {9000}
         S: a NO [TOOBIG] the literal is too long
         C: b APPEND INBOX {110000}
         S: b NO [TOOBIG] the literal is too long
         C: c SELECT {5}
         S: + go ahead
         C: INBOX
         S: * FLAGS ...
         S: * OK ...
         S: * 0 EXISTS
         S: * 0 RECENT
         S: * OK [UIDVALIDITY 101] UIDs are valid
         S: * OK [UIDNEXT 1] the next UID
         S: c OK [READ-WRITE] SELECT done",
    );
    client.send(&[b'x'; 70_000]);
    assert_eq!(client.take(), "* BYE the command is too long\r\n");
    assert_eq!(client.events.last().map(String::as_str), Some("Close"));
}

#[test]
fn too_many_wrong_commands_end_the_session() {
    let mut client = Client::connect(Store::new(), true);
    for _ in 0..19 {
        client.check("C: a FOO\nS: a BAD there is no such command");
    }
    client.check("C: a FOO\nS: a BAD there is no such command\nS: * BYE too many wrong commands");
}

#[test]
fn a_client_that_does_not_log_in_is_let_go() {
    let mut client = Client::connect(Store::new(), true);
    assert_eq!(client.session.deadline(), Some(client.now + Duration::from_secs(60)));
    client.wait(Duration::from_secs(59));
    client.send(b"a N"); // dripping does not help
    client.wait(Duration::from_secs(1));
    assert_eq!(client.take(), "* BYE you were away too long\r\n");
    assert_eq!(client.session.deadline(), None);
}

#[test]
fn a_client_that_is_away_is_let_go() {
    let mut client = Client::logged_in(Store::new());
    client.wait(Duration::from_secs(29 * 60));
    client.check("C: a NOOP\nS: a OK NOOP done");
    client.wait(Duration::from_secs(29 * 60));
    client.check("C: a IDLE\nS: + idling");
    client.wait(Duration::from_secs(30 * 60));
    assert_eq!(client.take(), "* BYE you were away too long\r\n");
}

#[test]
fn the_box_being_slow_is_not_the_clients_fault() {
    let mut client = Client::logged_in(Store::new());
    client.hold = true;
    client.send(b"a SELECT INBOX\r\n");
    assert_eq!(client.session.deadline(), None);
    client.wait(Duration::from_secs(3600));
    client.answer_held();
    assert!(client.take().ends_with("a OK [READ-WRITE] SELECT done\r\n"));
}

#[test]
fn closing_says_why() {
    let mut client = Client::selected(numbered(3));
    client.input(Input::Closing { reason: "this box\r\nrestarts".into() });
    assert_eq!(client.take(), "* BYE this box??restarts\r\n");
    client.input(Input::Closing { reason: "again".into() });
    client.check("C: a NOOP");
}

#[test]
fn closing_does_not_break_a_message_being_sent() {
    let mut store = Store::new();
    store.deliver("INBOX", &[b'x'; 500_000], &[]);
    let mut client = Client::selected(store);
    client.hold = true;
    client.send(b"a FETCH 1 BODY.PEEK[]\r\n");
    let answer = client.store.answer(client.held.take().unwrap());
    client.session.handle(client.now, Input::Answer(answer));
    client.session.handle(client.now, Input::Closing { reason: "bye".into() });
    client.input(Input::Tick);
    let answer = client.take();
    assert!(answer.ends_with("xxx)\r\n* BYE bye\r\n"), "{}", answer.len());
}

#[test]
fn failures_have_response_codes() {
    let mut client = Client::logged_in(Store::new());
    for (failure, code) in [
        (Failure::Unavailable("one box\ndown".into()), "[UNAVAILABLE] one box?down"),
        (Failure::Refused("never".into()), "[CANNOT] never"),
        (Failure::OverQuota, "[OVERQUOTA] there is no room left"),
        (Failure::TooBig, "[TOOBIG] the message is too long"),
        (Failure::NoSuchMailbox, "[NONEXISTENT] there is no such mailbox"),
    ] {
        client.store.fail_next = Some(failure);
        client.check(&format!("C: a LIST \"\" *\nS: a NO {code}"));
    }
}

/// Random bytes and random commands: no panic, never two questions at once, and the session always
/// either takes more input or has ended. The seeds are fixed.
#[test]
fn random_input() {
    const PIECES: [&str; 64] = [
        "a ",
        "\r\n",
        "\n",
        " ",
        "(",
        ")",
        "\"",
        "\\",
        "{3}",
        "{3+}\r\nabc",
        "{0+}\r\n",
        "*",
        "1",
        ":",
        ",",
        "[",
        "]",
        "<0.5>",
        ".",
        "UID ",
        "FETCH ",
        "1:* ",
        "STORE ",
        "+FLAGS ",
        "\\Deleted",
        "(\\Seen)",
        "SEARCH ",
        "OR ",
        "NOT ",
        "TEXT x",
        "SINCE 1-Jan-2000",
        "COPY ",
        "MOVE ",
        "INBOX",
        "EXPUNGE",
        "APPEND INBOX ",
        "IDLE\r\n",
        "DONE\r\n",
        "SELECT INBOX\r\n",
        "EXAMINE INBOX\r\n",
        "LIST \"\" *",
        "LSUB \"\" %",
        "RETURN (MIN)",
        "STATUS INBOX ",
        "(MESSAGES)",
        "CREATE x/y",
        "DELETE x",
        "RENAME x z",
        "CLOSE\r\n",
        "UNSELECT\r\n",
        "NOOP\r\n",
        "BODY[1.MIME]",
        "BODY[HEADER.FIELDS (a)]",
        "BODYSTRUCTURE",
        "ENVELOPE",
        "RFC822",
        "AUTHENTICATE PLAIN\r\n",
        "LOGIN a b\r\n",
        "STARTTLS\r\n",
        "\0",
        "&AOQ-",
        "a FETCH 1:* (FLAGS BODY[])\r\n",
        "a SEARCH TEXT inner OR SEEN 1\r\n",
        "a UID MOVE 1 x\r\n",
    ];
    for seed in 1..1500_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut client = match seed % 4 {
            0 => Client::connect(two_messages(), next(2) == 0),
            1 => Client::logged_in(two_messages()),
            _ => Client::selected(two_messages()),
        };
        for _ in 0..next(80) {
            match next(12) {
                0 => client.send(&[next(256) as u8]),
                1 => client.changed(),
                2 => {
                    client.store.deliver("INBOX", b"A: b\n\nhi", &["\\Seen", "$x"]);
                }
                3 => {
                    client.store.rows("INBOX").pop();
                }
                4 => client.store.fail_next = Some(Failure::Unavailable("x".into())),
                5 => client.input(Input::TlsStarted),
                _ => client.send(PIECES[next(PIECES.len())].as_bytes()),
            }
        }
        let ended = |event: &String| event == "Close" || event == "StartTls";
        assert!(client.session.wants_input() || client.events.iter().any(ended), "seed {seed}");
    }
}
