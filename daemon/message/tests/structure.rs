//! Messages taken apart: each row is a message, the tree it must become, and sections of it.

use message::{Found, Kind, Part, Section, What};

/// One line per part: indentation, type, header and body as they stand in the message.
fn tree(message: &[u8], part: &Part, depth: usize, out: &mut String) {
    let text = |range: &std::ops::Range<usize>| {
        String::from_utf8_lossy(&message[range.clone()]).escape_debug().to_string()
    };
    let content_type = &part.content_type;
    out.push_str(&format!(
        "{}{}/{} [{}] [{}]\n",
        "  ".repeat(depth),
        content_type.kind,
        content_type.subtype,
        text(&part.header),
        text(&part.body)
    ));
    match &part.kind {
        Kind::Leaf => {}
        Kind::Multipart(parts) => parts.iter().for_each(|p| tree(message, p, depth + 1, out)),
        Kind::Message(inner) => tree(message, inner, depth + 1, out),
    }
}

#[track_caller]
fn check(message: &str, expected: &[&str]) {
    let mut found = String::new();
    tree(message.as_bytes(), &Part::parse(message.as_bytes()), 0, &mut found);
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "for {message:?}");
}

fn section(message: &str, path: &[u32], what: What) -> Option<String> {
    let root = Part::parse(message.as_bytes());
    let found = Section { path: path.to_vec(), what }.find(message.as_bytes(), &root)?;
    Some(match found {
        Found::Range(range) => message[range].to_owned(),
        Found::Built(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

const MIXED: &str = "From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npre\r\n\
    --x\r\nContent-Type: text/html\r\n\r\n<p>\r\n\
    --x\r\nContent-Type: message/rfc822\r\nContent-ID: 2\r\n\r\n\
    Subject: in\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n\
    --y\r\n\r\none\r\n--y\r\n\r\ntwo\r\n\r\n--y--\r\n\
    --x\r\nContent-Type: image/png\r\n\r\nPNG\r\n--x--\r\nepi\r\n";

#[test]
fn a_message_without_mime_is_one_text() {
    check("A: 1\r\n\r\nhi\r\n", &[r"text/plain [A: 1\r\n\r\n] [hi\r\n]"]);
    check("", &["text/plain [] []"]);
    check("hello", &["text/plain [] [hello]"]);
    check("A: 1", &["text/plain [A: 1] []"]);
    check("A: 1\nhello\n", &[r"text/plain [A: 1\n] [hello\n]"]);
}

#[test]
fn parts_end_before_the_line_end_of_the_delimiter() {
    check(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n\n--x \t\r\nB: 1\r\n\r\nb\r\n--x--",
        &[
            r"multipart/mixed [Content-Type: multipart/mixed; boundary=x\n\n] [--x\n\na\n\n--x \t\r\nB: 1\r\n\r\nb\r\n--x--]",
            r"  text/plain [\n] [a\n]",
            r"  text/plain [B: 1\r\n\r\n] [b]",
        ],
    );
}

#[test]
fn only_a_whole_line_is_a_delimiter() {
    check(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--xy\n --x\nz--x\n--x--y\n--x--\n",
        &[
            r"multipart/mixed [Content-Type: multipart/mixed; boundary=x\n\n] [--x\n\n--xy\n --x\nz--x\n--x--y\n--x--\n]",
            r"  text/plain [\n] [--xy\n --x\nz--x\n--x--y]",
        ],
    );
}

#[test]
fn parts_with_nothing_in_them() {
    check(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\nA: 1\n--x\n\n--x\n\n\n--x\nno field\n--x--",
        &[
            r"multipart/mixed [Content-Type: multipart/mixed; boundary=x\n\n] [--x\n--x\nA: 1\n--x\n\n--x\n\n\n--x\nno field\n--x--]",
            r"  text/plain [] []",
            r"  text/plain [A: 1] []",
            r"  text/plain [\n] []",
            r"  text/plain [\n] []",
            r"  text/plain [] [no field]",
        ],
    );
}

#[test]
fn an_outer_delimiter_ends_what_was_never_closed() {
    check(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\
         Content-Type: multipart/mixed; boundary=y\n\n--y\n\na\n--x\n\nb\n--y\n\nc",
        &[
            r"multipart/mixed [Content-Type: multipart/mixed; boundary=x\n\n] [--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\na\n--x\n\nb\n--y\n\nc]",
            r"  multipart/mixed [Content-Type: multipart/mixed; boundary=y\n\n] [--y\n\na]",
            r"    text/plain [\n] [a]",
            r"  text/plain [\n] [b\n--y\n\nc]",
        ],
    );
}

#[test]
fn a_multipart_without_parts_is_text() {
    for header in [
        "Content-Type: multipart/mixed\n\n",
        "Content-Type: multipart/mixed; boundary=\"\"\n\n",
        "Content-Type: multipart/mixed; boundary=x\n\n",
    ] {
        let message = format!("{header}--y\n\na\n");
        let part = Part::parse(message.as_bytes());
        assert!(part.content_type.is("text", "plain"), "{message:?}");
        assert_eq!(&message[part.body], "--y\n\na\n");
    }
    check(
        "Content-Type: multipart/mixed; boundary=x\n\n--x--\nrest",
        &[r"text/plain [Content-Type: multipart/mixed; boundary=x\n\n] [--x--\nrest]"],
    );
    check(
        "Content-Type: multipart/mixed; boundary=x\nno empty line\n--x\n",
        &[r"text/plain [Content-Type: multipart/mixed; boundary=x\n] [no empty line\n--x\n]"],
    );
}

#[test]
fn messages_inside_messages() {
    check(
        "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nA: 1\n\nhi",
        &[
            r"message/rfc822 [Content-Type: message/rfc822\n\n] [Content-Type: message/rfc822\n\nA: 1\n\nhi]",
            r"  message/rfc822 [Content-Type: message/rfc822\n\n] [A: 1\n\nhi]",
            r"    text/plain [A: 1\n\n] [hi]",
        ],
    );
    check(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogMQ==",
        &[
            r"application/octet-stream [Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n] [QTogMQ==]",
        ],
    );
    check(
        "Content-Type: multipart/digest; boundary=x\n\n--x\n\nA: 1\n\nhi\n--x\n\n--x--\n",
        &[
            r"multipart/digest [Content-Type: multipart/digest; boundary=x\n\n] [--x\n\nA: 1\n\nhi\n--x\n\n--x--\n]",
            r"  message/rfc822 [\n] [A: 1\n\nhi]",
            r"    text/plain [A: 1\n\n] [hi]",
            r"  message/rfc822 [\n] []",
            r"    text/plain [] []",
        ],
    );
}

#[test]
fn sections_of_the_message_itself() {
    let header = "From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n";
    assert_eq!(section(MIXED, &[], What::Whole).unwrap(), MIXED);
    assert_eq!(section(MIXED, &[], What::Header).unwrap(), header);
    assert_eq!(section(MIXED, &[], What::Text).unwrap(), &MIXED[header.len()..]);
    assert_eq!(section(MIXED, &[], What::Mime), None);
    let fields = What::Fields(names(&["FROM", "none"]));
    assert_eq!(section(MIXED, &[], fields).unwrap(), "From: a@b\r\n\r\n");
    let fields = What::FieldsNot(names(&["from"]));
    assert_eq!(section(MIXED, &[], fields).unwrap(), &header["From: a@b\r\n".len()..]);
    let none = section(MIXED, &[], What::Fields(names(&["none"]))).unwrap();
    assert_eq!(none, "\r\n");
}

#[test]
fn sections_of_parts() {
    let part = |path: &[u32]| section(MIXED, path, What::Whole);
    assert_eq!(part(&[1]).unwrap(), "<p>");
    assert_eq!(part(&[3]).unwrap(), "PNG");
    assert_eq!(part(&[2, 1]).unwrap(), "one");
    assert_eq!(part(&[2, 2]).unwrap(), "two\r\n");
    assert!(part(&[2]).unwrap().starts_with("Subject: in\r\n"));
    assert!(part(&[2]).unwrap().ends_with("--y--"));
    for missing in [&[0][..], &[4], &[2, 3], &[1, 1], &[2, 1, 1], &[u32::MAX]] {
        assert_eq!(part(missing), None, "{missing:?}");
    }
    let mime = section(MIXED, &[2], What::Mime).unwrap();
    assert_eq!(mime, "Content-Type: message/rfc822\r\nContent-ID: 2\r\n\r\n");
    assert_eq!(section(MIXED, &[2, 1], What::Mime).unwrap(), "\r\n");
    let header = section(MIXED, &[2], What::Header).unwrap();
    assert!(header.starts_with("Subject: in\r\n") && header.ends_with("boundary=y\r\n\r\n"));
    assert!(section(MIXED, &[2], What::Text).unwrap().starts_with("--y\r\n\r\none"));
    let subject = section(MIXED, &[2], What::Fields(names(&["subject"]))).unwrap();
    assert_eq!(subject, "Subject: in\r\n\r\n");
    assert_eq!(section(MIXED, &[1], What::Header), None);
}

#[test]
fn a_message_that_is_no_multipart_has_part_one() {
    let plain = "A: 1\r\n\r\nhi";
    assert_eq!(section(plain, &[1], What::Whole).unwrap(), "hi");
    assert_eq!(section(plain, &[1], What::Mime).unwrap(), "A: 1\r\n\r\n");
    assert_eq!(section(plain, &[2], What::Whole), None);
    assert_eq!(section(plain, &[1, 1], What::Whole), None);
    let nested = "Content-Type: message/rfc822\n\nA: 1\n\nhi";
    assert_eq!(section(nested, &[1], What::Whole).unwrap(), "A: 1\n\nhi");
    assert_eq!(section(nested, &[1], What::Header).unwrap(), "A: 1\n\n");
    assert_eq!(section(nested, &[1, 1], What::Whole).unwrap(), "hi");
    assert_eq!(section(nested, &[1, 1, 1], What::Whole), None);
}

#[test]
fn header_fields_without_a_line_end_get_one() {
    assert_eq!(section("A: 1", &[], What::Fields(names(&["a"]))).unwrap(), "A: 1\r\n\r\n");
    let header = Section { path: vec![], what: What::Header };
    assert_eq!(header.find_in_header(b"A: 1\n\n"), Some(Found::Range(0..6)));
}

#[test]
fn lines_are_counted_with_an_unfinished_last_one() {
    for (body, lines) in [("", 0), ("a", 1), ("a\r\n", 1), ("a\r\nb", 2), ("\n\n", 2)] {
        let message = format!("A: 1\n\n{body}");
        assert_eq!(Part::parse(message.as_bytes()).body_lines(message.as_bytes()), lines);
    }
}
