use smtp::{Config, Input, Limits};

use crate::client::{Client, check, check_as_alice, check_greeted, mx};
use crate::random::Random;

const UP_TO_DATA: &str = "
    C: MAIL FROM:<a@example.org>
    S: 250 2.1.0 sender accepted
    C: RCPT TO:<alice@example.test>
    S: 250 2.1.5 recipient accepted
    C: DATA
    S: 354 send the message, end with a line of one dot";

#[test]
fn a_message_is_delivered_and_the_next_one_may_come() {
    let client = check_greeted(&format!(
        "{UP_TO_DATA}
        C: Subject: one
        C:
        C: ..
        C: ..dot
        C: .
        S: 250 2.0.0 message accepted
        C: DATA
        S: 503 5.5.1 MAIL first
        {UP_TO_DATA}
        C: .
        S: 250 2.0.0 message accepted"
    ));
    let (envelope, message) = &client.delivered[0];
    assert_eq!(message, b"Subject: one\r\n\r\n.\r\n.dot\r\n");
    assert_eq!(envelope.helo, "client.example");
    assert_eq!(envelope.client_ip, mx().client_ip);
    assert_eq!((envelope.esmtp, envelope.tls, envelope.authenticated), (false, false, None));
    assert_eq!(client.delivered[1].1, b"");
}

#[test]
fn the_envelope_names_the_account() {
    let client = check_as_alice(
        "
        C: MAIL FROM:<alice@example.test>
        C: RCPT TO:<bob@example.test>
        C: DATA
        S: 250 2.1.0 sender accepted
        S: 250 2.1.5 recipient accepted
        S: 354 send the message, end with a line of one dot
        C: .
        S: 250 2.0.0 message accepted",
    );
    let envelope = &client.delivered[0].0;
    assert_eq!((envelope.esmtp, envelope.tls, envelope.authenticated), (true, true, Some(1)));
}

#[test]
fn the_box_may_refuse() {
    for (name, reply) in [
        ("later", "451 4.3.0 one copy only"),
        ("full", "452 4.3.1 no room at the moment"),
        ("never", "554 5.6.0 not wanted"),
    ] {
        check_greeted(&format!(
            "
            C: MAIL FROM:<a@example.org>
            S: 250 2.1.0 sender accepted
            C: RCPT TO:<{name}@example.test>
            S: 250 2.1.5 recipient accepted
            C: DATA
            S: 354 send the message, end with a line of one dot
            C: .
            S: {reply}
            C: DATA
            S: 503 5.5.1 MAIL first"
        ));
    }
}

#[test]
fn a_message_that_turns_out_too_big_is_read_and_refused() {
    let limits = Limits { message_bytes_max: 6, ..Limits::default() };
    let client = check(
        &Config { limits, ..mx() },
        &format!(
            "
            S: 220 mx.example.test ESMTP twinpost
            C: HELO client.example
            S: 250 mx.example.test
            {UP_TO_DATA}
            C: 12345
            C: QUIT
            C: .
            S: 552 5.3.4 message too big
            {UP_TO_DATA}
            C: ..234
            C: .
            S: 250 2.0.0 message accepted"
        ),
    );
    assert_eq!(client.delivered.len(), 1);
}

/// What a client makes of a message: every line that starts with a dot gets another one.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (at, &byte) in message.iter().enumerate() {
        if byte == b'.' && (at == 0 || message[..at].ends_with(b"\r\n")) {
            wire.push(b'.');
        }
        wire.push(byte);
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

fn delivered_in_chunks(wire: &[u8], mut next_chunk_bytes: impl FnMut() -> usize) -> Vec<u8> {
    let mut client = Client::new(mx(), usize::MAX);
    client.say(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    let mut rest = wire;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(next_chunk_bytes().clamp(1, rest.len()));
        client.input(Input::Bytes(chunk));
        rest = behind;
    }
    assert_eq!(client.delivered.len(), 1);
    client.delivered.remove(0).1
}

#[test]
fn any_bytes_come_through_in_any_chunks() {
    let mut random = Random::new(1);
    for _ in 0..200 {
        // Short alphabets make the interesting sequences frequent.
        let length = random.below(200);
        let mut message: Vec<u8> = (0..length).map(|_| *random.pick(b"\r\n..\0\xffa")).collect();
        message.extend_from_slice(b"\r\n");
        let wire = stuffed(&message);
        assert_eq!(delivered_in_chunks(&wire, || usize::MAX), message);
        assert_eq!(delivered_in_chunks(&wire, || 1), message);
        assert_eq!(delivered_in_chunks(&wire, || random.below(9)), message);
    }
}

#[test]
fn a_smuggled_message_stays_text() {
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\0\r\n"] {
        let inner = format!(
            "x{end}MAIL FROM:<smuggler@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nhi\r\n"
        );
        let mut client = Client::new(mx(), usize::MAX);
        client.say(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n");
        assert_eq!(client.say(inner.as_bytes()), "", "{end:?}");
        assert_eq!(client.say(b".\r\n"), "250 2.0.0 message accepted\r\n");
        assert_eq!(client.delivered.len(), 1, "{end:?}");
        assert!(client.delivered[0].1.ends_with(b"\r\nDATA\r\nhi\r\n"));
    }
}
