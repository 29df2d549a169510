//! Mail that was made to hurt: it must neither panic, nor recurse without end, nor take time that
//! grows faster than the mail.

use std::ops::ControlFlow;

use message::limits::{DEPTH_MAX, PARTS_MAX};
use message::{
    Content, Envelope, Found, Kind, Part, Section, What, fields, header_length, split, text,
};

/// Everything this crate can do with a message, and what must hold of any.
fn exercise(message: &[u8]) {
    let (header, body) = split(message);
    assert_eq!([header, body].concat(), message);
    assert_eq!(header_length(header), header.len(), "a header section is one by itself");
    let _ = Envelope::of(header);
    let _ = Content::of(header);
    let _ = text::sent_day(header);
    for field in fields(header).take(100) {
        let _ = text::decode_field(field.value);
    }
    let root = Part::parse(message);
    assert_eq!(
        (root.header.start, root.header.end, root.body.end),
        (0, header.len(), message.len())
    );
    check_ranges(message, &root, 0);
    let _ = text::visit_texts(message, &root, &mut |_| ControlFlow::Continue(()));
    for path in [vec![], vec![1], vec![1, 1], vec![2], vec![1, 2, 1]] {
        for what in
            [What::Whole, What::Header, What::Text, What::Mime, What::Fields(vec!["a".into()])]
        {
            if let Some(Found::Range(range)) =
                (Section { path: path.clone(), what }).find(message, &root)
            {
                assert!(message.get(range).is_some());
            }
        }
    }
}

/// Parts lie inside what holds them, in order and without overlap.
fn check_ranges(message: &[u8], part: &Part, depth: usize) {
    assert!(depth <= DEPTH_MAX + 1);
    assert!(part.header.end == part.body.start && part.body.end <= message.len());
    let inner: Vec<&Part> = match &part.kind {
        Kind::Leaf => vec![],
        Kind::Multipart(parts) => parts.iter().collect(),
        Kind::Message(inner) => vec![inner],
    };
    let mut from = part.body.start;
    for inner in inner {
        assert!(from <= inner.header.start && inner.body.end <= part.body.end);
        from = inner.body.end;
        check_ranges(message, inner, depth + 1);
    }
}

fn depth(part: &Part) -> usize {
    1 + match &part.kind {
        Kind::Leaf => 0,
        Kind::Multipart(parts) => parts.iter().map(depth).max().unwrap_or(0),
        Kind::Message(inner) => depth(inner),
    }
}

#[test]
fn nesting_stops_at_its_limit() {
    let messages = "Content-Type: message/rfc822\n\n".repeat(100_000);
    exercise(messages.as_bytes());
    let root = Part::parse(messages.as_bytes());
    assert_eq!(depth(&root), DEPTH_MAX + 1);

    let mut multiparts = String::new();
    for level in 0..20_000 {
        multiparts
            .push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"));
    }
    exercise(multiparts.as_bytes());
    assert_eq!(depth(&Part::parse(multiparts.as_bytes())), DEPTH_MAX + 1);

    let same = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(20_000);
    exercise(same.as_bytes());
}

#[test]
fn parts_stop_at_their_limit() {
    let mut message = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
    message.push_str(&"--b\n\n".repeat(PARTS_MAX * 5));
    exercise(message.as_bytes());
    let Kind::Multipart(parts) = Part::parse(message.as_bytes()).kind else { panic!("no parts") };
    assert_eq!(parts.len(), PARTS_MAX - 1);
}

#[test]
fn long_things() {
    let long = "x".repeat(300_000);
    for message in [
        format!("Subject: {long}\n\n"),
        format!("{long}: a\n\n"),
        format!("To: {}\n\n", "(".repeat(300_000)),
        format!("To: {}\n\n", "<".repeat(300_000)),
        format!("To: {}\n\n", "\"".repeat(300_001)),
        format!("To: {}\n\n", "a:".repeat(150_000)),
        format!("To: {}\n\n", "@a,".repeat(100_000)),
        format!("To: <{}\n\n", "@a,".repeat(100_000)),
        format!("Content-Type: {}\n\n", "a/b;x=(".repeat(50_000)),
        format!("Content-Type: a/b{}\n\n", ";x=y".repeat(50_000)),
        format!("Content-Language: {}\n\n", "a,".repeat(50_000)),
        format!("Content-Type: multipart/mixed; boundary={long}\n\n--{long}\n\nhi"),
        format!("Subject: {}\n\n", "=?utf-8?q?a".repeat(30_000)),
        format!("Subject: {}\n\n", "=?".repeat(100_000)),
        format!("Subject:{}\n\n", "\n a".repeat(100_000)),
        format!("Date: {}\n\n", "9".repeat(100_000)),
        format!("Date: {}\n\n", "1 Jan 1 1:".repeat(10_000)),
        format!("A: b\n\n{}", "--\n".repeat(100_000)),
        "\n".repeat(300_000),
        "\r".repeat(300_000),
        " \n".repeat(300_000),
        "a:\n".repeat(300_000),
    ] {
        exercise(message.as_bytes());
    }
}

/// Random messages out of the pieces that matter to the scanner. The seeds are fixed.
#[test]
fn random_messages() {
    const PIECES: [&[u8]; 34] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\n\n",
        b"\r\n\r\n",
        b"--",
        b"--b",
        b"--b--",
        b"--c\n",
        b"--b\r\n",
        b" ",
        b"\t",
        b":",
        b";",
        b"=",
        b"\"",
        b"\\",
        b"(",
        b")",
        b"<",
        b">",
        b"@",
        b",",
        b"\0",
        b"\xff\xfe",
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: multipart/digest; boundary=\"c\"\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: text/html; charset=iso-2022-jp\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"Date: 1 Jan 99 1:2:3 ",
        b"Subject: =?utf-7?b?+/v8=?=",
        b"To: a: b <c@d>;",
    ];
    for seed in 1..3_000_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut message = Vec::new();
        for _ in 0..next(60) {
            match next(8) {
                0 => message.push(next(256) as u8),
                _ => message.extend_from_slice(PIECES[next(PIECES.len())]),
            }
        }
        exercise(&message);
    }
}

#[test]
fn decoders_take_any_bytes() {
    for charset in
        ["utf-7", "utf-16", "iso-2022-jp", "gb18030", "big5", "shift_jis", "koi8-r", "x", ""]
    {
        for encoding in ["base64", "quoted-printable", "8bit", "uuencode"] {
            for seed in 1..60_u32 {
                let mut message = format!(
                    "Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
                )
                .into_bytes();
                message.extend(
                    (0..200_u32)
                        .map(|i| (i.wrapping_mul(seed.wrapping_mul(2_654_435_761)) >> 13) as u8),
                );
                exercise(&message);
            }
        }
    }
}
