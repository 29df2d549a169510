//! What searching sees: decoded fields and parts, and the day a message was sent.

use std::ops::ControlFlow;

use message::{Part, text};

#[test]
fn encoded_words_are_decoded() {
    for (value, expected) in [
        (" plain\r\n", "plain"),
        (" =?utf-8?Q?J=C3=BCrgen?= and more\r\n", "Jürgen and more"),
        (" =?iso-8859-1?B?/A==?=\r\n =?utf-8?Q?=C3=BC?=\r\n", "üü"),
        (" two\r\n\tlines\r\n", "two\tlines"),
        ("", ""),
    ] {
        assert_eq!(text::decode_field(value.as_bytes()), expected, "for {value:?}");
    }
}

#[test]
fn the_day_is_the_senders() {
    let day = |date: &str| {
        let header = format!("Date: {date}\r\n\r\n");
        text::sent_day(header.as_bytes()).map(|d| (d.year, d.month, d.day))
    };
    assert_eq!(day("Wed, 17 Jul 1996 23:44:25 -0700"), Some((1996, 7, 17)));
    assert_eq!(day("1 Feb 24 00:00:00 +0000"), Some((2024, 2, 1)));
    assert_eq!(day("yesterday"), None);
    assert_eq!(day(""), None);
    assert_eq!(text::sent_day(b""), None);
}

#[test]
fn texts_are_found_in_all_parts() {
    let message = "Content-Type: multipart/mixed; boundary=x\n\n\
        --x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
        gr=C3=BC=\nn\n\
        --x\nContent-Type: image/png\n\nPNG\n\
        --x\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n/A==\n\
        --x\nContent-Type: message/rfc822\n\nSubject: inner\n\nhi\n--x--\n";
    let mut seen = Vec::new();
    let _ = text::visit_texts(message.as_bytes(), &Part::parse(message.as_bytes()), &mut |text| {
        seen.push(text.to_owned());
        ControlFlow::Continue(())
    });
    assert_eq!(seen, ["grün", "ü", "Subject: inner\n\n", "hi"]);
}
