//! The bytes of a message behind DATA: dot-unstuffing and the end (RFC 5321 §4.5.2, §4.1.1.4).
//!
//! | after | comes | means |
//! |---|---|---|
//! | CRLF | `.` CRLF | the end |
//! | CRLF | `.` anything else | the dot is dropped |
//! | bare LF or bare CR | `.` | text like any other |

use crate::limits::DATA_PROGRESS_BYTES;

/// Collects one message.
#[derive(Debug)]
pub(crate) struct Content {
    at: At,
    message: Vec<u8>,
    /// Message bytes seen, kept or not.
    message_bytes: usize,
    message_bytes_max: usize,
    /// Input since the deadline was last pushed on.
    fresh_bytes: usize,
}

/// What one call of [`Content::feed`] did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fed {
    /// Bytes used; fewer than given only at the end.
    pub(crate) used: usize,
    /// CRLF `.` CRLF has been read.
    pub(crate) ended: bool,
    /// Another [`DATA_PROGRESS_BYTES`] have come.
    pub(crate) progressed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Behind CRLF, or at the very beginning.
    LineStart,
    /// Behind a dot at the start of a line. The dot is held back and will be dropped.
    Dot,
    /// Behind dot and CR at the start of a line; both are held back.
    DotCr,
    /// Within a line.
    Within,
    /// Within a line, behind a CR.
    Cr,
}

impl Content {
    pub(crate) fn new(message_bytes_max: usize) -> Content {
        Content {
            at: At::LineStart,
            message: Vec::new(),
            message_bytes: 0,
            message_bytes_max,
            fresh_bytes: 0,
        }
    }

    pub(crate) fn feed(&mut self, input: &[u8]) -> Fed {
        let mut used = 0;
        let mut ended = false;
        while used < input.len() && !ended {
            let byte = input[used];
            used += 1;
            self.at = match (self.at, byte) {
                (At::LineStart, b'.') => At::Dot,
                (At::Dot, b'\r') => At::DotCr,
                (At::DotCr, b'\n') => {
                    ended = true;
                    At::LineStart
                }
                (At::DotCr, _) => {
                    self.keep(b"\r");
                    self.text(byte)
                }
                (At::Cr, b'\n') => {
                    self.keep(b"\n");
                    At::LineStart
                }
                (At::Within, _) => {
                    // The long way of a message: everything up to the next CR in one piece.
                    let rest = &input[used - 1..];
                    let to_cr = rest.iter().position(|&byte| byte == b'\r');
                    let piece = to_cr.map_or(rest, |at| &rest[..=at]);
                    self.keep(piece);
                    used += piece.len() - 1;
                    if to_cr.is_some() { At::Cr } else { At::Within }
                }
                (At::LineStart | At::Dot | At::Cr, _) => self.text(byte),
            };
        }
        self.fresh_bytes += used;
        let progressed = self.fresh_bytes >= DATA_PROGRESS_BYTES;
        if progressed {
            self.fresh_bytes = 0;
        }
        Fed { used, ended, progressed }
    }

    /// The message, or `None` when it was longer than allowed.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (self.message_bytes <= self.message_bytes_max).then_some(self.message)
    }

    fn text(&mut self, byte: u8) -> At {
        self.keep(&[byte]);
        if byte == b'\r' { At::Cr } else { At::Within }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.message_bytes = self.message_bytes.saturating_add(bytes.len());
        if self.message_bytes <= self.message_bytes_max {
            self.message.extend_from_slice(bytes);
        } else {
            // Too long already: the rest is read, because the peer sends it, and not kept.
            self.message = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message in `wire` and what stands behind its end, with the input cut at `cuts`.
    fn read(wire: &[u8], chunk_bytes: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut content = Content::new(1 << 20);
        let mut position = 0;
        for chunk in wire.chunks(chunk_bytes) {
            let fed = content.feed(chunk);
            position += fed.used;
            if fed.ended {
                return Some((content.finish().unwrap(), wire[position..].to_vec()));
            }
            assert_eq!(fed.used, chunk.len());
        }
        None
    }

    fn check(wire: &[u8], message: &[u8], behind: &[u8]) {
        for chunk_bytes in 1..=wire.len() {
            let got = read(wire, chunk_bytes);
            assert_eq!(got, Some((message.to_vec(), behind.to_vec())), "chunks of {chunk_bytes}");
        }
    }

    #[test]
    fn dots_are_unstuffed_and_all_other_bytes_kept() {
        check(b".\r\n", b"", b"");
        check(b"\r\n.\r\nQUIT\r\n", b"\r\n", b"QUIT\r\n");
        check(b"a\r\n..b\r\n...\r\n..\r\n.\r\n", b"a\r\n.b\r\n..\r\n.\r\n", b"");
        check(b".x\r\na.b.\r\n.\r\n", b"x\r\na.b.\r\n", b"");
        check(b"\x00\xff\xfe\r\r\n\x80.\r\n.\r\n", b"\x00\xff\xfe\r\r\n\x80.\r\n", b"");
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends_a_message() {
        for fake in [
            &b"\n.\n"[..],
            b"\n.\r\n",
            b"\r.\r",
            b"\r.\r\n",
            b"\r\n.\x00\r\n",
            b"x.\r\n",
            b"\n.\r",
            b"\r\r.\r\n",
            b"\r\n. \r\n",
        ] {
            let mut wire = b"Subject: a\r\n\r\nx".to_vec();
            wire.extend_from_slice(fake);
            wire.extend_from_slice(b"MAIL FROM:<smuggled@example.org>\r\n");
            assert_eq!(read(&wire, wire.len()), None, "{fake:?}");
            assert_eq!(read(&wire, 1), None, "{fake:?}");
            wire.extend_from_slice(b".\r\n");
            let (message, behind) = read(&wire, 3).unwrap();
            assert!(message.ends_with(b"smuggled@example.org>\r\n"));
            assert!(behind.is_empty());
        }
        // A line of a dot and more loses that dot, also when the rest is a bare CR or LF.
        check(b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", b"");
        check(b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", b"");
        check(b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", b"");
    }

    #[test]
    fn a_message_that_is_too_long_is_read_to_its_end_and_not_kept() {
        for (message_bytes_max, fits) in [(10, true), (9, false)] {
            let mut content = Content::new(message_bytes_max);
            let fed = content.feed(b"..234567\r\n\n.\r\n\r\n.\r\nNOOP");
            assert!(fed.ended);
            assert!(content.finish().is_none());
            let mut content = Content::new(message_bytes_max);
            assert!(content.feed(b"..2345678\r\n.\r\n").ended);
            assert_eq!(content.finish().is_some(), fits);
        }
    }

    #[test]
    fn the_deadline_moves_with_each_block_and_not_with_each_byte() {
        let mut content = Content::new(1 << 20);
        assert!(!content.feed(b"x").progressed);
        assert!(content.feed(&vec![b'x'; DATA_PROGRESS_BYTES]).progressed);
        assert!(!content.feed(b"x").progressed);
    }
}
