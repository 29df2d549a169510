//! The MIME structure of a message as byte ranges (RFC 2046 §5).
//!
//! One pass over the lines, with the boundaries that are open as a stack. A line is a delimiter when it
//! is exactly `--boundary` or `--boundary--`, white space after it allowed; the line end before it
//! belongs to it. A delimiter of an outer multipart ends the inner ones that were never closed.
//!
//! | broken mail | what it becomes |
//! |---|---|
//! | multipart without boundary, or in which no part begins | one text/plain part |
//! | multipart that is never closed | its last part runs to the end |
//! | part without an empty line | its leading fields are its header |
//! | message/rfc822 in base64 or quoted-printable | application/octet-stream: what is inside is not in the bytes |
//! | deeper than `DEPTH_MAX` | application/octet-stream |
//! | more parts than `PARTS_MAX` | the last ones are not listed |

use std::ops::Range;

use crate::content::{Content, Type, encoding};
use crate::header::{header_length, is_empty_line, lines};
use crate::limits::{BOUNDARY_BYTES_MAX, DEPTH_MAX, PARTS_MAX};

/// A message or one part of it. All ranges are of the bytes of the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The header section, with its empty line where there is one.
    pub header: Range<usize>,
    /// The body in its transfer encoding; of a multipart with preamble and epilogue.
    pub body: Range<usize>,
    pub content_type: Type,
    pub kind: Kind,
}

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Text or anything else that is not taken apart.
    Leaf,
    /// One part at least.
    Multipart(Vec<Part>),
    /// A message/rfc822 part; inside is the message it carries.
    Message(Box<Part>),
}

impl Part {
    /// Takes a whole message apart.
    pub fn parse(message: &[u8]) -> Self {
        let mut scanner = Scanner { message, boundaries: Vec::new(), parts: 0 };
        scanner.entity(0, Type::text_plain(), 0).0
    }

    /// The fields that describe this part of `message`.
    pub fn content(&self, message: &[u8]) -> Content {
        Content::of(message.get(self.header.clone()).unwrap_or_default())
    }

    /// Lines of the body (RFC 9051 §7.5.2); an unfinished last one counts.
    pub fn body_lines(&self, message: &[u8]) -> usize {
        let body = message.get(self.body.clone()).unwrap_or_default();
        let unfinished = body.last().is_some_and(|&byte| byte != b'\n');
        body.iter().filter(|&&byte| byte == b'\n').count() + usize::from(unfinished)
    }
}

struct Scanner<'a> {
    message: &'a [u8],
    /// Of the multiparts that are open, outermost first.
    boundaries: Vec<Vec<u8>>,
    parts: usize,
}

/// What ended a part.
#[derive(Clone, Copy)]
enum Stop {
    EndOfMessage,
    Delimiter {
        /// Whose boundary: an index of `Scanner::boundaries`.
        level: usize,
        /// `--boundary--`
        closes: bool,
        /// Where the line after the delimiter begins.
        next: usize,
    },
}

impl Scanner<'_> {
    /// A header and what belongs to it, from `start` to the next delimiter of a multipart around it.
    fn entity(&mut self, start: usize, default: Type, depth: usize) -> (Part, Stop) {
        self.parts += 1;
        let (header, stop) = self.header(start);
        let content_type = Type::of(&self.message[header.clone()], default);
        let from = header.end;
        let part = |end: usize, content_type, kind| Part {
            header: header.clone(),
            body: from..end,
            content_type,
            kind,
        };
        if let Some((end, stop)) = stop {
            // The part ends within its header. It can be of any type and holds nothing.
            return (part(end, leaf_type(content_type, false), Kind::Leaf), stop);
        }
        let deeper = depth < DEPTH_MAX && self.parts < PARTS_MAX;
        if content_type.kind == "multipart" && deeper {
            let digest = content_type.subtype == "digest";
            let boundary = content_type.parameter("boundary").unwrap_or_default().to_vec();
            let (parts, end, stop) = self.multipart(from, boundary, digest, depth);
            return if parts.is_empty() {
                (part(end, Type::text_plain(), Kind::Leaf), stop)
            } else {
                (part(end, content_type, Kind::Multipart(parts)), stop)
            };
        }
        let encoded = matches!(
            encoding(&self.message[header.clone()]).as_str(),
            "base64" | "quoted-printable"
        );
        if content_type.is("message", "rfc822") && deeper && !encoded {
            let (inner, stop) = self.entity(from, Type::text_plain(), depth + 1);
            return (part(inner.body.end, content_type, Kind::Message(Box::new(inner))), stop);
        }
        let (end, stop) = self.seek_delimiter(from, from);
        (part(end, leaf_type(content_type, !deeper), Kind::Leaf), stop)
    }

    /// The parts of a multipart whose body begins at `from`; with where that body ends and why.
    fn multipart(
        &mut self,
        from: usize,
        boundary: Vec<u8>,
        digest: bool,
        depth: usize,
    ) -> (Vec<Part>, usize, Stop) {
        let mut parts = Vec::new();
        if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
            let (end, stop) = self.seek_delimiter(from, from);
            return (parts, end, stop);
        }
        let own = self.boundaries.len();
        self.boundaries.push(boundary);
        let (mut end, mut stop) = self.seek_delimiter(from, from);
        while let Stop::Delimiter { level, closes: false, next } = stop {
            if level != own {
                break;
            }
            if self.parts >= PARTS_MAX {
                (end, stop) = self.seek_delimiter(next, from);
                continue;
            }
            let default = if digest { Type::message() } else { Type::text_plain() };
            let part;
            (part, stop) = self.entity(next, default, depth + 1);
            end = part.body.end;
            parts.push(part);
        }
        self.boundaries.truncate(own);
        if let Stop::Delimiter { level, next, .. } = stop
            && level == own
        {
            (end, stop) = self.seek_delimiter(next, from); // over the epilogue
        }
        (parts, end, stop)
    }

    /// The header section from `start`; when a delimiter or the end comes before an empty line, also
    /// where the part's bytes end and why.
    fn header(&self, start: usize) -> (Range<usize>, Option<(usize, Stop)>) {
        let mut ended = None;
        for line in lines(&self.message[start..]) {
            let line = start + line.start..start + line.end;
            if is_empty_line(&self.message[line.clone()]) {
                return (start..line.end, None);
            }
            if let Some(stop) = self.delimiter(line.clone()) {
                ended = Some((self.before_line_end(start, line.start), stop));
                break;
            }
        }
        let (end, stop) = ended.unwrap_or((self.message.len(), Stop::EndOfMessage));
        let header_end = start + header_length(&self.message[start..end]);
        (start..header_end, Some((end, stop)))
    }

    /// The next delimiter from `from` (a line's start) on, and where the content before it ends.
    /// That content began at `content`: an empty epilogue has no line end of its own to give.
    fn seek_delimiter(&self, from: usize, content: usize) -> (usize, Stop) {
        if !self.boundaries.is_empty() {
            for line in lines(&self.message[from..]) {
                let line = from + line.start..from + line.end;
                if let Some(stop) = self.delimiter(line.clone()) {
                    return (self.before_line_end(content, line.start), stop);
                }
            }
        }
        (self.message.len(), Stop::EndOfMessage)
    }

    /// The innermost open multipart that this line delimits.
    fn delimiter(&self, line: Range<usize>) -> Option<Stop> {
        let text = self.message[line.clone()].strip_prefix(b"--")?.trim_ascii_end();
        let closing = text.strip_suffix(b"--");
        self.boundaries.iter().enumerate().rev().find_map(|(level, boundary)| {
            let boundary = boundary.trim_ascii_end();
            let closes = closing == Some(boundary);
            let matches = closes || text == boundary;
            matches.then_some(Stop::Delimiter { level, closes, next: line.end })
        })
    }

    /// `at` without the line end before it, which belongs to the delimiter; never before `start`.
    fn before_line_end(&self, start: usize, at: usize) -> usize {
        let content = &self.message[start..at];
        let line_end = if content.ends_with(b"\r\n") { 2 } else { content.ends_with(b"\n").into() };
        at - line_end
    }
}

/// The type to state of a part that is not taken apart. A composite type would promise clients a
/// structure that is not there.
fn leaf_type(content_type: Type, at_a_limit: bool) -> Type {
    match content_type.kind.as_str() {
        "multipart" if !at_a_limit => Type::text_plain(),
        "multipart" => octets(content_type),
        "message" if content_type.subtype == "rfc822" => octets(content_type),
        _ => content_type,
    }
}

fn octets(content_type: Type) -> Type {
    let parameters = content_type.parameters;
    Type { kind: "application".into(), subtype: "octet-stream".into(), parameters }
}
