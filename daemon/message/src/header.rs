//! The header section: where it ends, and the fields in it (RFC 5322 §2.1, §2.2).
//!
//! | message | header section | body |
//! |---|---|---|
//! | has an empty line | up to and with the first empty line | the rest |
//! | begins with an empty line | that line | the rest |
//! | no empty line, all lines are fields | everything | empty |
//! | no empty line, other lines | the leading fields | from the first line that is none |
//!
//! A line ends with CRLF or with a bare LF; a bare CR is an ordinary byte.

use std::ops::Range;

/// Length of the header section of `message`, its empty line included. The body is what follows.
pub fn header_length(message: &[u8]) -> usize {
    let mut leading_fields = 0;
    let mut only_fields = true;
    let mut first = true;
    for line in lines(message) {
        let text = &message[line.clone()];
        if is_empty_line(text) {
            return line.end;
        }
        only_fields &= field_name(text).is_some()
            || (is_folded(text) && !first)
            || (text.starts_with(b"From ") && first);
        if only_fields {
            leading_fields = line.end;
        }
        first = false;
    }
    leading_fields
}

/// The header section (with its empty line) and the body of a message; together the whole of it.
pub fn split(message: &[u8]) -> (&[u8], &[u8]) {
    message.split_at(header_length(message))
}

/// One header field as it stands in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The whole field: name, colon, value, continuation lines, line end.
    pub raw: &'a [u8],
    /// Its name, without the white space that old mail has before the colon.
    pub name: &'a [u8],
    /// What follows the colon, still folded, with the line end.
    pub value: &'a [u8],
}

impl Field<'_> {
    /// Whether this field has that name; case does not count (RFC 5322 §1.2.2).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line: line ends (and stray CR, LF, NUL) dropped, white space around it too
    /// (RFC 5322 §2.2.3). Bytes above 127 stay as they are.
    pub fn unfolded(&self) -> Vec<u8> {
        unfold(self.value)
    }
}

/// The fields of a header section, in order. Lines that belong to no field are passed over.
pub fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = lines(header).peekable();
    std::iter::from_fn(move || {
        loop {
            let first = rest.next()?;
            let text = &header[first.clone()];
            if is_empty_line(text) {
                return None;
            }
            let mut end = first.end;
            while let Some(more) = rest.next_if(|line| is_folded(&header[line.clone()])) {
                end = more.end;
            }
            if let Some((name, colon)) = field_name(text) {
                let raw = &header[first.start..end];
                return Some(Field { raw, name, value: &raw[colon + 1..] });
            }
        }
    })
}

/// The first field of that name.
pub fn field<'a>(header: &'a [u8], name: &str) -> Option<Field<'a>> {
    fields(header).find(|field| field.is(name))
}

/// See [`Field::unfolded`].
pub(crate) fn unfold(value: &[u8]) -> Vec<u8> {
    let mut line: Vec<u8> =
        value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect();
    line.truncate(line.trim_ascii_end().len());
    let blank = line.len() - line.trim_ascii_start().len();
    line.drain(..blank);
    line
}

/// The lines of `text` as ranges that include their line ends; the last may have none.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let line = start..start + length;
        start = line.end;
        Some(line)
    })
}

/// CRLF or LF alone.
pub(crate) fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// A continuation of the field above it. A line of nothing but white space counts (RFC 5322 §4.2).
fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// `field-name = 1*%d33-57 / %d59-126`, and the obsolete white space before the colon. Gives the name
/// and where the colon is.
fn field_name(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = line.iter().position(|&byte| byte == b':' || byte == b'\n')?;
    let name = line[..colon].trim_ascii_end();
    let right = line[colon] == b':' && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    right.then_some((name, colon))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, header: &str) {
        let (found, body) = split(message.as_bytes());
        assert_eq!(String::from_utf8_lossy(found), header, "header of {message:?}");
        assert_eq!(found.len() + body.len(), message.len());
    }

    #[test]
    fn the_header_section_ends_at_the_first_empty_line() {
        check("A: 1\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n\r\n");
        check("A: 1\nB: 2\n\nbody\n", "A: 1\nB: 2\n\n");
        check("A: 1\r\n\nbody\r\n\r\n", "A: 1\r\n\n");
        check("A: 1\r\n\r\n", "A: 1\r\n\r\n");
        check("\r\nbody", "\r\n");
        check("\n", "\n");
        check("A: 1\r\n \r\n\r\nbody", "A: 1\r\n \r\n\r\n");
        check("not a field\r\nA: 1\r\n\r\nbody", "not a field\r\nA: 1\r\n\r\n");
    }

    #[test]
    fn without_an_empty_line_it_is_the_leading_fields() {
        check("", "");
        check("A: 1", "A: 1");
        check("A: 1\r\n\tmore\r\nB: 2\r\n", "A: 1\r\n\tmore\r\nB: 2\r\n");
        check("A: 1\r\nhello world\r\nB: 2\r\n", "A: 1\r\n");
        check("hello world\r\n", "");
        check(" folded first", "");
        check("From a@b Mon\nA: 1\n", "From a@b Mon\nA: 1\n");
        check("\r", "");
        check("\r\r\n", "");
    }

    #[test]
    fn fields_keep_their_bytes() {
        let header = b"From x\r\nA : 1\r\njunk\r\n junk too\r\nb:\r\n  two\r\n\tlines \r\nC:\xff\r\n\r\nD: 4";
        let all: Vec<_> = fields(header).collect();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].name, all[0].raw), (&b"A"[..], &b"A : 1\r\n"[..]));
        assert_eq!(all[1].raw, b"b:\r\n  two\r\n\tlines \r\n");
        assert_eq!(all[1].unfolded(), b"two\tlines");
        assert_eq!(all[2].unfolded(), b"\xff");
        assert_eq!(field(header, "B").map(|f| f.name), Some(&b"b"[..]));
        assert_eq!(field(header, "d"), None);
    }

    #[test]
    fn a_name_has_no_blanks_and_is_not_empty() {
        assert_eq!(fields(b": x\r\na b: x\r\n\xe4: x\r\nok:x").count(), 1);
    }
}
