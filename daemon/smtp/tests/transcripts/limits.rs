//! Time, amounts and the end of the service.

use smtp::limits::{
    BUFFERED_INPUT_BYTES_MAX, COMMAND_LINE_BYTES_MAX, COMMAND_TIMEOUT, DATA_PROGRESS_BYTES,
    DATA_TIMEOUT,
};
use smtp::{Answer, Ask, DeliverAnswer, Input, Output, Session};

use crate::client::{Client, answer, check, check_greeted, mx, start};

#[test]
fn a_silent_client_is_sent_away() {
    check(
        &mx(),
        "
        S: 220 mx.example.test ESMTP twinpost
        [wait 299]
        C: NOOP
        S: 250 2.0.0 still here
        [wait 299]
        [wait 1]
        S: 421 4.4.2 mx.example.test you took too long
        [closed]",
    );
}

#[test]
fn half_a_line_buys_no_time() {
    let mut client = Client::new(mx(), usize::MAX);
    client.hear();
    for _ in 0..9 {
        assert_eq!(client.wait(COMMAND_TIMEOUT / 10), "");
        client.say(b"X");
    }
    assert!(client.wait(COMMAND_TIMEOUT / 10).starts_with("421 4.4.2 "));
    assert!(client.closed);
}

#[test]
fn a_message_has_its_time_for_each_block() {
    let mut client = Client::new(mx(), usize::MAX);
    client.say(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    for _ in 0..3 {
        assert_eq!(client.wait(DATA_TIMEOUT - COMMAND_TIMEOUT / 300), "");
        client.say(&vec![b'x'; DATA_PROGRESS_BYTES]);
    }
    client.say(b"x");
    assert!(client.wait(DATA_TIMEOUT).starts_with("421 4.4.2 "));
    assert!(client.closed && client.delivered.is_empty());
}

#[test]
fn the_twentieth_bad_command_is_the_last() {
    let bad = "C: XYZZY\nS: 500 5.5.1 command not recognized\n".repeat(20);
    check_greeted(&format!(
        "
        {bad}
        S: 421 4.7.0 mx.example.test too many bad commands
        [closed]"
    ));
}

#[test]
fn a_line_may_be_long_but_not_endless() {
    let fits = "x".repeat(COMMAND_LINE_BYTES_MAX - "NOOP ".len());
    let endless = "x".repeat(100_000);
    check_greeted(&format!(
        "
        C: NOOP {fits}
        S: 250 2.0.0 still here
        C: NOOP {fits}x
        S: 500 5.5.2 line too long
        C: NOOP {endless}
        S: 500 5.5.2 line too long
        C: NOOP
        S: 250 2.0.0 still here"
    ));
}

#[test]
fn the_box_stops_serving() {
    check_greeted(
        "
        C: MAIL FROM:<a@example.org>
        S: 250 2.1.0 sender accepted
        [closing moving to the other box]
        S: 421 4.3.2 mx.example.test moving to the other box
        [closed]",
    );
    check_greeted(
        "
        C: MAIL FROM:<a@example.org>
        C: RCPT TO:<alice@example.test>
        C: DATA
        C: half a mess
        S: 250 2.1.0 sender accepted
        S: 250 2.1.5 recipient accepted
        S: 354 send the message, end with a line of one dot
        [closing moving]
        S: 421 4.3.2 mx.example.test moving
        [closed]",
    );
}

/// A session with its Deliver question outstanding, and `behind` sent after the message.
fn delivering(behind: &[u8]) -> Session {
    let mut session = Session::new(mx(), start());
    let mut input =
        b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n.\r\n".to_vec();
    input.extend_from_slice(behind);
    session.handle(start(), Input::Bytes(&input));
    loop {
        match session.poll().unwrap() {
            Output::Ask(Ask::Deliver { .. }) => return session,
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
fn the_fate_of_a_message_is_told_before_the_end() {
    let mut session = delivering(b"NOOP\r\n");
    session.handle(start(), Input::Closing { reason: "moving".to_owned() });
    assert_eq!(heard(&mut session), "");
    session.handle(start(), Input::Answer(Answer::Deliver(DeliverAnswer::Delivered)));
    assert_eq!(
        heard(&mut session),
        "250 2.0.0 message accepted\r\n421 4.3.2 mx.example.test moving\r\n[Close]"
    );
}

#[test]
fn input_behind_a_question_waits_and_is_bounded() {
    let mut session = delivering(b"NOOP\r\n");
    session.handle(start(), Input::Bytes(b"QUIT\r\n"));
    assert_eq!(heard(&mut session), "");
    session.handle(start(), Input::Answer(Answer::Deliver(DeliverAnswer::StorageFull)));
    assert_eq!(
        heard(&mut session),
        "452 4.3.1 no room at the moment\r\n250 2.0.0 still here\r\n\
         221 2.0.0 mx.example.test goodbye\r\n[Close]"
    );

    let mut session = delivering(b"");
    session.handle(start(), Input::Bytes(&vec![b'x'; BUFFERED_INPUT_BYTES_MAX + 1]));
    session.handle(start(), Input::Answer(Answer::Deliver(DeliverAnswer::Delivered)));
    assert_eq!(
        heard(&mut session),
        "250 2.0.0 message accepted\r\n421 4.3.2 mx.example.test too much input\r\n[Close]"
    );
}

#[test]
fn an_answer_to_no_question_ends_the_session() {
    let delivered = || Input::Answer(Answer::Deliver(DeliverAnswer::Delivered));
    let mut session = Session::new(mx(), start());
    session.handle(start(), delivered());
    assert!(heard(&mut session).ends_with("an answer came to no question\r\n[Close]"));
    session.handle(start(), delivered());
    assert_eq!(heard(&mut session), "");
}
