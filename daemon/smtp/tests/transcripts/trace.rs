use std::net::IpAddr;

use smtp::{Address, Envelope, Recipient, trace_headers};

fn envelope() -> Envelope {
    let recipient = |account, text| Recipient { account, address: Address::parse(text).unwrap() };
    Envelope {
        from: Some(Address::parse("a@example.org").unwrap()),
        recipients: vec![recipient(1, "alice@example.test")],
        helo: "client.example".to_owned(),
        esmtp: true,
        client_ip: "192.0.2.7".parse().unwrap(),
        tls: true,
        authenticated: None,
    }
}

fn trace(envelope: &Envelope) -> String {
    String::from_utf8(trace_headers(envelope, "mx.example.test", "4f2", 1_795_551_780)).unwrap()
}

#[test]
fn two_fields_with_all_that_is_known() {
    assert_eq!(
        trace(&envelope()),
        "Return-Path: <a@example.org>\r\n\
         Received: from client.example ([192.0.2.7])\r\n\
         \tby mx.example.test with ESMTPS id 4f2\r\n\
         \tfor <alice@example.test>;\r\n\
         \tTue, 24 Nov 2026 20:23:00 +0000\r\n"
    );
}

#[test]
fn a_bounce_to_several_over_ipv6() {
    let mut envelope = envelope();
    envelope.from = None;
    envelope.tls = false;
    envelope.client_ip = "2001:db8::7".parse().unwrap();
    envelope.recipients.push(envelope.recipients[0].clone());
    assert_eq!(
        trace(&envelope),
        "Return-Path: <>\r\n\
         Received: from client.example ([IPv6:2001:db8::7])\r\n\
         \tby mx.example.test with ESMTP id 4f2;\r\n\
         \tTue, 24 Nov 2026 20:23:00 +0000\r\n"
    );
}

#[test]
fn the_protocol_is_named() {
    let mut envelope = envelope();
    envelope.authenticated = Some(1);
    assert!(trace(&envelope).contains(" with ESMTPSA id "));
    envelope.esmtp = false;
    assert!(trace(&envelope).contains(" with SMTP id "));
    envelope.client_ip = "::ffff:192.0.2.7".parse::<IpAddr>().unwrap();
    assert!(trace(&envelope).contains("([192.0.2.7])"));
}

#[test]
fn nothing_can_be_injected() {
    let mut envelope = envelope();
    envelope.helo = "x)\r\nBcc: b@example.org\r\n\r\n<ü>\0".to_owned();
    envelope.from = Some(Address::parse(r#""a\>\" b"@example.org"#).unwrap());
    let bytes = trace_headers(&envelope, "mx\r\nX: y", "1\r\n2", i64::MAX);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "Return-Path: <\"a>\\\" b\"@example.org>\r\n\
         Received: from x???Bcc:?b?example.org???????? ([192.0.2.7])\r\n\
         \tby mx??X:?y with ESMTPS id 1??2\r\n\
         \tfor <alice@example.test>;\r\n\
         \tThu, 1 Jan 1970 00:00:00 +0000\r\n"
    );
    assert!(trace_headers(&envelope, "", "", i64::MIN).is_ascii());
}
