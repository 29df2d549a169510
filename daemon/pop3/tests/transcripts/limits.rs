//! Time, amounts and the end of the service.

use pop3::limits::{BUFFERED_INPUT_BYTES_MAX, COMMAND_TIMEOUT};
use pop3::{Answer, Ask, DeleteAnswer, Input, Output, Session};

use crate::client::{Client, answer, check, check_as_alice, start, tls};

#[test]
fn a_silent_client_is_cut_without_a_word() {
    check(
        &tls(),
        "
        [wait 599]
        C: CAPAX
        S: -ERR unknown command
        [wait 599]
        C: CAPAX
        S: -ERR unknown command
        [wait 600]
        [closed]",
    );
}

#[test]
fn half_a_line_buys_no_time() {
    let mut client = Client::new(tls(), usize::MAX);
    client.hear();
    for _ in 0..9 {
        client.wait(COMMAND_TIMEOUT / 10);
        client.say(b"X");
    }
    assert!(!client.closed);
    client.wait(COMMAND_TIMEOUT / 10);
    assert!(client.closed);
}

#[test]
fn a_message_may_take_long_to_send() {
    // The clock is looked at only when the message is out, long after the deadline.
    check_as_alice(
        "
        C: RETR 3
        S: +OK 0 octets
        S: .
        [wait 900]
        C: DELE 3
        S: +OK will be deleted at QUIT
        [wait 600]
        [closed]",
    );
}

#[test]
fn the_twentieth_bad_command_is_the_last() {
    let bad = "C: XYZZY\nS: -ERR unknown command\n".repeat(20);
    check(&tls(), &format!("{bad}\n[closed]"));
}

#[test]
fn lines_that_are_none() {
    for (line, reply) in [
        (&b"CAPA\n"[..], "-ERR lines end in CRLF\r\n"),
        (b"US\rER a\r\n", "-ERR not a line of text\r\n"),
        (b"USER a\0\r\n", "-ERR not a line of text\r\n"),
        (b"USER \xff\r\n", "-ERR not a line of text\r\n"),
        (b"\r\n", "-ERR unknown command\r\n"),
    ] {
        let mut client = Client::new(tls(), usize::MAX);
        client.hear();
        assert_eq!(client.say(line), reply, "{line:?}");
    }
    let long = "x".repeat(1019);
    let longer = "x".repeat(50_000);
    check(
        &tls(),
        &format!(
            "
            C: USER {long}
            S: +OK
            C: USER {long}x
            S: -ERR line too long
            C: USER {longer}
            S: -ERR line too long
            C: AUTH PLAIN
            S: +
            C: {longer}
            S: -ERR line too long
            C: USER alice
            S: +OK"
        ),
    );
}

/// A session with its question of QUIT outstanding.
fn deleting() -> Session {
    let mut session = Session::new(tls(), start());
    let input = b"USER alice\r\nPASS se cret\r\nDELE 1\r\nQUIT\r\n";
    session.handle(start(), Input::Bytes(input));
    loop {
        match session.poll().unwrap() {
            Output::Ask(Ask::Delete { .. }) => return session,
            Output::Ask(ask) => session.handle(start(), Input::Answer(answer(&ask))),
            _ => {}
        }
    }
}

fn heard(session: &mut Session) -> String {
    std::iter::from_fn(|| session.poll())
        .map(|output| match output {
            Output::Send(bytes) => String::from_utf8(bytes).unwrap(),
            other => format!("[{other:?}]"),
        })
        .collect()
}

#[test]
fn a_quit_under_way_is_finished_whatever_comes() {
    let mut session = deleting();
    session.handle(start(), Input::Bytes(&vec![b'x'; BUFFERED_INPUT_BYTES_MAX + 1]));
    session.handle(start(), Input::Closing { reason: "moving".to_owned() });
    assert_eq!(heard(&mut session), "");
    session.handle(start(), Input::Answer(Answer::Delete(DeleteAnswer::Deleted)));
    assert_eq!(heard(&mut session), "+OK 1 deleted, goodbye\r\n[Close]");
}

#[test]
fn input_behind_a_question_is_bounded() {
    let mut session = Session::new(tls(), start());
    session.handle(start(), Input::Bytes(b"AUTH PLAIN AGEAYg==\r\n"));
    session.handle(start(), Input::Bytes(&vec![b'x'; BUFFERED_INPUT_BYTES_MAX + 1]));
    assert!(heard(&mut session).ends_with("-ERR [SYS/TEMP] too much input\r\n[Close]"));
}

#[test]
fn an_answer_to_no_question_ends_the_session() {
    let mut session = Session::new(tls(), start());
    session.handle(start(), Input::Answer(Answer::Delete(DeleteAnswer::Deleted)));
    assert!(heard(&mut session).ends_with("an answer came to no question\r\n[Close]"));
    session.handle(start(), Input::Answer(Answer::Delete(DeleteAnswer::Deleted)));
    assert_eq!(heard(&mut session), "");
}
