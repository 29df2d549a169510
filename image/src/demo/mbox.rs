//! Mailbox files (RFC 4155): many messages in one, each after a line that begins with `From `.

/// Whether a file is one.
pub fn is_mbox(file: &[u8]) -> bool {
    file.starts_with(SEPARATOR)
}

/// Its messages, without the separating lines and the empty line before each. Lines that some
/// writers have quoted (`>From `) stay as they are: which writer it was cannot be known.
pub fn messages(file: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let mut start = None;
    let mut line_start = 0;
    while line_start < file.len() {
        let line_end = end_of_line(file, line_start);
        if file[line_start..].starts_with(SEPARATOR) && follows_empty_line(file, line_start) {
            messages.extend(start.map(|start| between(file, start, line_start)));
            start = Some(line_end);
        }
        line_start = line_end;
    }
    messages.extend(start.map(|start| between(file, start, file.len())));
    messages
}

const SEPARATOR: &[u8] = b"From ";

/// The index after the line's end.
fn end_of_line(file: &[u8], start: usize) -> usize {
    file[start..].iter().position(|&byte| byte == b'\n').map_or(file.len(), |n| start + n + 1)
}

fn follows_empty_line(file: &[u8], at: usize) -> bool {
    at == 0 || file[..at].ends_with(b"\n\n") || file[..at].ends_with(b"\n\r\n")
}

/// The message, without the one empty line that ends it in the file.
fn between(file: &[u8], start: usize, end: usize) -> &[u8] {
    let message = &file[start..end];
    match message {
        [text @ .., b'\n', b'\r', b'\n'] => &file[start..start + text.len() + 1],
        [text @ .., b'\n', b'\n'] => &file[start..start + text.len() + 1],
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expect: &[&str]) {
        let got: Vec<_> = messages(file.as_bytes())
            .into_iter()
            .map(|message| String::from_utf8_lossy(message).into_owned())
            .collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn messages_are_found_whatever_their_lines_end_in() {
        check("From a\nA: 1\n\nx\n\nFrom b\nB: 2\n\ny\n", &["A: 1\n\nx\n", "B: 2\n\ny\n"]);
        check(
            "From a\r\nA: 1\r\n\r\nx\r\n\r\nFrom b\r\nB: 2\r\n",
            &["A: 1\r\n\r\nx\r\n", "B: 2\r\n"],
        );
    }

    #[test]
    fn from_within_a_text_does_not_begin_a_message() {
        check("From a\nA: 1\n\nx\nFrom here on\n>From y", &["A: 1\n\nx\nFrom here on\n>From y"]);
    }

    #[test]
    fn an_empty_message_is_one() {
        check("From a\n\nFrom b\nB: 2\n", &["\n", "B: 2\n"]);
        assert!(is_mbox(b"From a\n") && !is_mbox(b"From: a\n"));
    }
}
