//! Bytes of a mail protocol that have arrived and are not yet used, taken out by the line
//! (RFC 5321 §2.3.8, RFC 1939 §3).

/// One line of input, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Ended by CRLF.
    Text(Vec<u8>),
    /// Ended by LF alone; what it said does not count.
    BareLineFeed,
    /// Longer than allowed; it was dropped as it came.
    TooLong,
}

/// See the module.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Bytes before this are used.
    start: usize,
    /// No LF stands before this.
    scanned: usize,
    /// Within a line that is too long: everything is dropped up to its LF.
    skipping: bool,
}

impl LineBuffer {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Marks the first `count` bytes of [`LineBuffer::rest`] as used.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        self.scanned = self.scanned.max(self.start);
        debug_assert!(self.start <= self.bytes.len(), "only what is there can be used");
    }

    pub fn clear(&mut self) {
        *self = LineBuffer::default();
    }

    /// The next whole line, if it is there. A line of more than `bytes_max` before its CRLF is too
    /// long.
    pub fn take_line(&mut self, bytes_max: usize) -> Option<Line> {
        let Some(at) = self.bytes[self.scanned..].iter().position(|&byte| byte == b'\n') else {
            self.scanned = self.bytes.len();
            // One byte more than the maximum may be the CR.
            if self.rest().len() > bytes_max + 1 {
                self.skipping = true;
            }
            if self.skipping {
                self.consume(self.rest().len());
            }
            return None;
        };
        let end = self.scanned + at;
        let line = &self.bytes[self.start..end];
        let too_long = std::mem::take(&mut self.skipping) || line.len() > bytes_max + 1;
        let taken = match line.strip_suffix(b"\r") {
            _ if too_long => Line::TooLong,
            Some(text) => Line::Text(text.to_vec()),
            None => Line::BareLineFeed,
        };
        self.start = end + 1;
        self.scanned = self.start;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Line> {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            buffer.push(chunk);
            while let Some(line) = buffer.take_line(8) {
                lines.push(line);
            }
        }
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let input = b"NOOP\r\n12345678\r\n123456789\r\n\r\nbare\nmuch longer than that\r\n\
            123456789\n1234567890\nQUIT\r\nrest";
        let whole = lines(&[input]);
        assert_eq!(
            whole,
            [
                Line::Text(b"NOOP".to_vec()),
                Line::Text(b"12345678".to_vec()),
                Line::TooLong,
                Line::Text(Vec::new()),
                Line::BareLineFeed,
                Line::TooLong,
                Line::BareLineFeed,
                Line::TooLong,
                Line::Text(b"QUIT".to_vec()),
            ]
        );
        assert_eq!(whole, lines(&input.chunks(1).collect::<Vec<_>>()));
        assert_eq!(whole, lines(&input.chunks(7).collect::<Vec<_>>()));
    }
}
