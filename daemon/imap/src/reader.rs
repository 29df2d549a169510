//! From bytes to whole commands: lines, and the literals that interrupt them (RFC 9051 §4.3).
//!
//! ```text
//! command = text *( literal text ) CRLF
//! literal = "{" number ["+"] "}" CRLF *CHAR8      ; RFC 7888 for the "+"
//! ```
//!
//! Leniency: a bare LF ends a line too.

use crate::limits::{COMMAND_BYTES_MAX, LITERAL_BYTES_MAX, SKIPPED_LITERAL_BYTES_MAX};

/// One piece of a command, in the client's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text without line end and without the `{n}` that announces a literal.
    Text(Vec<u8>),
    Literal(Vec<u8>),
}

/// What the reader has found.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole command.
    Command(Vec<Piece>),
    /// The client waits for "go ahead" before it sends a literal.
    Continue,
    /// A command that announced too long a literal; its tag, if it has one. Nothing of it is left.
    LiteralTooLong { tag: Option<String> },
    /// A line without end, or a literal that will not be read to its end. What follows cannot be
    /// made sense of.
    LineTooLong,
}

#[derive(Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Of the buffer: already used.
    at: usize,
    /// Of the buffer from `at`: already searched for a line end.
    searched: usize,
    pieces: Vec<Piece>,
    text_bytes: usize,
    literal_bytes: usize,
    literal: Option<Literal>,
    /// The command is too long; it is read to its end and then refused.
    refused: bool,
}

struct Literal {
    bytes: Vec<u8>,
    missing: u64,
}

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes not used yet.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// Forgets all input, the started command too.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next command, if it is there whole. `append_bytes_max` is how long an APPEND's message may
    /// be; `None` before login, when it may have none.
    pub fn next_command(&mut self, append_bytes_max: Option<usize>) -> Option<Event> {
        loop {
            if self.literal.is_some() && !self.fill_literal() {
                return None;
            }
            let mut text = match self.line()? {
                Ok(text) => text,
                Err(event) => return Some(event),
            };
            self.text_bytes += text.len();
            if self.text_bytes > COMMAND_BYTES_MAX {
                return Some(Event::LineTooLong);
            }
            let announced = literal_announced(&text);
            if let Some((at, ..)) = announced {
                text.truncate(at);
            }
            self.pieces.push(Piece::Text(text));
            let Some((_, length, waits)) = announced else { return Some(self.finish()) };
            let fits = length <= self.literal_room(append_bytes_max);
            if !fits && waits {
                self.refused = true;
                return Some(self.finish());
            }
            if length > SKIPPED_LITERAL_BYTES_MAX {
                return Some(Event::LineTooLong);
            }
            self.refused |= !fits;
            self.literal_bytes += usize::try_from(length).unwrap_or(usize::MAX);
            self.literal = Some(Literal { bytes: Vec::new(), missing: length });
            if waits {
                return Some(Event::Continue);
            }
        }
    }

    /// The next line as it stands, without its end: for AUTHENTICATE and IDLE.
    pub fn next_line(&mut self) -> Option<Result<Vec<u8>, Event>> {
        self.line()
    }

    fn line(&mut self) -> Option<Result<Vec<u8>, Event>> {
        let rest = &self.buffer[self.at..];
        let Some(end) = rest[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = rest.len();
            return (rest.len() > COMMAND_BYTES_MAX).then_some(Err(Event::LineTooLong));
        };
        let end = self.searched + end;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        if line.len() > COMMAND_BYTES_MAX {
            return Some(Err(Event::LineTooLong));
        }
        let line = line.to_vec();
        self.use_up(end + 1);
        Some(Ok(line))
    }

    /// Whether the literal is whole now. Of a refused command nothing is kept.
    fn fill_literal(&mut self) -> bool {
        let Some(mut literal) = self.literal.take() else { return true };
        let rest = &self.buffer[self.at..];
        let taken = rest.len().min(usize::try_from(literal.missing).unwrap_or(usize::MAX));
        if !self.refused {
            literal.bytes.extend_from_slice(&rest[..taken]);
        }
        literal.missing -= taken as u64;
        self.use_up(taken);
        if literal.missing > 0 {
            self.literal = Some(literal);
            return false;
        }
        self.pieces.push(Piece::Literal(literal.bytes));
        true
    }

    fn use_up(&mut self, bytes: usize) {
        self.at += bytes;
        self.searched = 0;
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
    }

    fn literal_room(&self, append_bytes_max: Option<usize>) -> u64 {
        let Some(Piece::Text(first)) = self.pieces.first() else { return 0 };
        let verb = first.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let append = append_bytes_max.filter(|_| verb.eq_ignore_ascii_case(b"APPEND")).unwrap_or(0);
        (append + LITERAL_BYTES_MAX).saturating_sub(self.literal_bytes) as u64
    }

    fn finish(&mut self) -> Event {
        let pieces = std::mem::take(&mut self.pieces);
        self.text_bytes = 0;
        self.literal_bytes = 0;
        self.literal = None;
        if !std::mem::take(&mut self.refused) {
            return Event::Command(pieces);
        }
        let tag = match pieces.first() {
            Some(Piece::Text(text)) => {
                text.split(|&byte| byte == b' ').next().and_then(crate::parse::tag)
            }
            _ => None,
        };
        Event::LiteralTooLong { tag }
    }
}

/// `{n}` or `{n+}` at the end of a line: where it begins, n, and whether the client waits. A `~` before
/// it (RFC 3516) is left to the parser, which refuses it.
fn literal_announced(text: &[u8]) -> Option<(usize, u64, bool)> {
    let inner = text.strip_suffix(b"}")?;
    let at = inner.iter().rposition(|&byte| byte == b'{')?;
    let number = &inner[at + 1..];
    let (digits, waits) = match number.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (number, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More digits than a number can have is more than there may be.
    let length = str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some((at, length, waits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.as_bytes().to_vec())
    }

    fn literal(bytes: &str) -> Piece {
        Piece::Literal(bytes.as_bytes().to_vec())
    }

    fn events(input: &[u8], step: usize, append: Option<usize>) -> Vec<Event> {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for bytes in input.chunks(step) {
            reader.push(bytes);
            while let Some(event) = reader.next_command(append) {
                let end = event == Event::LineTooLong;
                events.push(event);
                if end {
                    return events;
                }
            }
        }
        events
    }

    #[test]
    fn lines_and_literals_in_any_pieces() {
        let input = b"a NOOP\r\nb LOGIN {3}\r\nx\r\n {2+}\r\nyz\r\nc X {0}\r\n\nd\n";
        for step in 1..input.len() {
            assert_eq!(
                events(input, step, None),
                [
                    Event::Command(vec![text("a NOOP")]),
                    Event::Continue,
                    Event::Command(vec![
                        text("b LOGIN "),
                        literal("x\r\n"),
                        text(" "),
                        literal("yz"),
                        text("")
                    ]),
                    Event::Continue,
                    Event::Command(vec![text("c X "), literal(""), text("")]),
                    Event::Command(vec![text("d")]),
                ]
            );
        }
    }

    #[test]
    fn too_long_literals_are_refused_and_read_over() {
        let tag = Some("a".to_owned());
        let too_long = || Event::LiteralTooLong { tag: tag.clone() };
        assert_eq!(events(b"a LOGIN {99999}\r\n", 100, None), [too_long()]);
        let mut input = b"a LOGIN {9000+}\r\n".to_vec();
        input.extend([b'\n'; 9000]);
        input.extend(b" {3+}\r\nxyz\r\nb NOOP\r\n");
        assert_eq!(events(&input, 1000, None), [too_long(), Event::Command(vec![text("b NOOP")])]);
        assert_eq!(events(b"a X {99999999999999999999999}\r\n", 100, None), [too_long()]);
        assert_eq!(events(b"a APPEND x {9000}\r\n", 100, None), [too_long()]);
        assert_eq!(events(b"a APPEND x {9000}\r\n", 100, Some(9000)), [Event::Continue]);
        assert_eq!(events(b"a append x {90000}\r\n", 100, Some(9000)), [too_long()]);
        let many = b"a X {8000}\r\n".iter().copied().chain([b'x'; 8000]).chain(*b" {8000}\r\n");
        assert_eq!(events(&many.collect::<Vec<_>>(), 100, None), [Event::Continue, too_long()]);
    }

    #[test]
    fn endless_lines_end_the_session() {
        assert_eq!(events(&vec![b'x'; COMMAND_BYTES_MAX + 2], 100, None), [Event::LineTooLong]);
        let pieces = b"x {1+}\r\ny".repeat(COMMAND_BYTES_MAX);
        let ended = events(&pieces, 1000, None).pop();
        assert!(matches!(ended, Some(Event::LineTooLong | Event::LiteralTooLong { .. })));
    }

    #[test]
    fn what_only_looks_like_a_literal_is_text() {
        for line in ["a {}", "a {+}", "a {1", "a 1}", "a {x}", "a {1+ }"] {
            let input = format!("{line}\r\n");
            assert_eq!(events(input.as_bytes(), 3, None), [Event::Command(vec![text(line)])]);
        }
    }
}
