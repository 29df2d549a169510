//! A message on its way out: dot-stuffing, the end, and what TOP cuts off (RFC 1939 §3, §7).

use crate::limits::SEND_CHUNK_BYTES;

/// Makes a message's wire form piece by piece. A line starts at the beginning and after each LF.
#[derive(Debug)]
pub(crate) struct Content {
    message: Vec<u8>,
    position: usize,
    at_line_start: bool,
    ended: bool,
}

impl Content {
    pub(crate) fn new(message: Vec<u8>) -> Content {
        Content { message, position: 0, at_line_start: true, ended: false }
    }

    /// The next piece; the last one ends with the line of one dot.
    pub(crate) fn next_chunk(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut chunk = Vec::new();
        while self.position < self.message.len() && chunk.len() < SEND_CHUNK_BYTES {
            self.push_piece(&mut chunk);
        }
        if self.position == self.message.len() {
            self.ended = true;
            if !(self.message.is_empty() || self.message.ends_with(b"\r\n")) {
                chunk.extend_from_slice(b"\r\n");
            }
            chunk.extend_from_slice(b".\r\n");
        }
        Some(chunk)
    }

    /// A line, or as much of it as may stand in one piece.
    fn push_piece(&mut self, chunk: &mut Vec<u8>) {
        let rest = &self.message[self.position..];
        if self.at_line_start && rest.starts_with(b".") {
            chunk.push(b'.');
        }
        let rest = &rest[..rest.len().min(SEND_CHUNK_BYTES)];
        let to_line_end = rest.iter().position(|&byte| byte == b'\n');
        let piece = to_line_end.map_or(rest, |at| &rest[..=at]);
        chunk.extend_from_slice(piece);
        self.position += piece.len();
        self.at_line_start = to_line_end.is_some();
    }
}

/// Cuts a message behind its header, the empty line, and `body_lines` lines more.
pub(crate) fn cut(message: &mut Vec<u8>, body_lines: usize) {
    let mut position = 0;
    let mut in_header = true;
    let mut lines_left = body_lines;
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if !in_header && lines_left == 0 {
            break;
        }
        position += line.len();
        if in_header {
            in_header = !matches!(line, b"\r\n" | b"\n");
        } else {
            lines_left -= 1;
        }
    }
    message.truncate(position);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(message: &[u8]) -> Vec<u8> {
        let mut content = Content::new(message.to_vec());
        std::iter::from_fn(|| content.next_chunk()).flatten().collect()
    }

    #[test]
    fn lines_with_dots_get_another_and_the_end_is_marked() {
        for (message, expected) in [
            (&b""[..], &b".\r\n"[..]),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b"a\n", b"a\n\r\n.\r\n"),
            (b"a\r", b"a\r\r\n.\r\n"),
            (b".\r\n..\r\n.b.c\r\n", b"..\r\n...\r\n..b.c\r\n.\r\n"),
            (b"a\n.\r\n.\n", b"a\n..\r\n..\n\r\n.\r\n"),
            (b"\0\xff\r.\r\n", b"\0\xff\r.\r\n.\r\n"),
        ] {
            assert_eq!(wire(message), expected, "{message:?}");
        }
    }

    #[test]
    fn pieces_are_small_and_make_the_whole() {
        let line_bytes = 3 * SEND_CHUNK_BYTES;
        let mut message = vec![b'.'; line_bytes];
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&b".x\r\n".repeat(SEND_CHUNK_BYTES));
        let mut content = Content::new(message);
        let mut whole = Vec::new();
        while let Some(chunk) = content.next_chunk() {
            assert!(chunk.len() <= 2 * SEND_CHUNK_BYTES);
            whole.extend_from_slice(&chunk);
        }
        assert_eq!(whole.len(), 1 + line_bytes + 2 + 5 * SEND_CHUNK_BYTES + 3);
        assert!(whole.starts_with(b"...") && whole.ends_with(b"\r\n..x\r\n.\r\n"));
    }

    #[test]
    fn top_cuts_behind_the_lines_asked_for() {
        for (message, body_lines, expected) in [
            (&b"A: b\r\n\r\none\r\ntwo\r\n"[..], 0, &b"A: b\r\n\r\n"[..]),
            (b"A: b\r\n\r\none\r\ntwo\r\n", 1, b"A: b\r\n\r\none\r\n"),
            (b"A: b\r\n\r\none\r\ntwo\r\n", 9, b"A: b\r\n\r\none\r\ntwo\r\n"),
            (b"A: b\r\n\r\none", 1, b"A: b\r\n\r\none"),
            (b"A: b\n\none\ntwo", 1, b"A: b\n\none\n"),
            (b"\r\none\r\ntwo\r\n", 1, b"\r\none\r\n"),
            (b"A: no body\r\n", 5, b"A: no body\r\n"),
            (b"", 5, b""),
        ] {
            let mut cut_message = message.to_vec();
            cut(&mut cut_message, body_lines);
            assert_eq!(cut_message, expected, "{message:?} {body_lines}");
        }
    }
}
