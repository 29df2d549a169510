//! The fields that describe a MIME part (RFC 2045 §5, RFC 2183, RFC 3282).

use crate::header::{Field, field, fields};
use crate::limits::{FIELD_BYTES_MAX, LANGUAGES_MAX, PARAMETERS_MAX};

/// A value with parameters: `text/plain; charset=utf-8`, `attachment; filename=a`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    /// What stands before the first semicolon, in lower case.
    pub value: String,
    /// Names in lower case; values without quoting, otherwise as sent (RFC 2231 forms included).
    pub parameters: Vec<(String, Vec<u8>)>,
}

impl Value {
    /// The first parameter of that (lower-case) name.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// A Content-Type that is always there: a missing or unreadable one is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// In lower case, as is the subtype.
    pub kind: String,
    pub subtype: String,
    pub parameters: Vec<(String, Vec<u8>)>,
}

impl Type {
    /// `text/plain; charset=us-ascii` (RFC 2045 §5.2).
    pub fn text_plain() -> Self {
        let parameters = vec![("charset".into(), b"us-ascii".to_vec())];
        Self { kind: "text".into(), subtype: "plain".into(), parameters }
    }

    /// `message/rfc822`, what a part of a multipart/digest is by default (RFC 2046 §5.1.5).
    pub fn message() -> Self {
        Self { kind: "message".into(), subtype: "rfc822".into(), parameters: Vec::new() }
    }

    /// The Content-Type of a part's header, or `default` where there is none. One that is not
    /// `token "/" token` counts as text/plain.
    pub fn of(header: &[u8], default: Self) -> Self {
        let Some(field) = field(header, "Content-Type") else { return default };
        let Value { value, parameters } = parse(&field);
        let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
        match value.split_once('/').map(|(kind, subtype)| (kind.trim(), subtype.trim())) {
            Some((kind, subtype)) if token(kind) && token(subtype) => {
                Self { kind: kind.into(), subtype: subtype.into(), parameters }
            }
            _ => Self::text_plain(),
        }
    }

    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    /// The first parameter of that (lower-case) name.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// The other Content fields of one part; `None` is NIL in a BODYSTRUCTURE (RFC 9051 §7.5.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    pub id: Option<Vec<u8>>,
    pub description: Option<Vec<u8>>,
    /// The transfer encoding, in lower case; `7bit` where none is given (RFC 2045 §6.1).
    pub encoding: String,
    pub md5: Option<Vec<u8>>,
    pub disposition: Option<Value>,
    pub language: Vec<Vec<u8>>,
    pub location: Option<Vec<u8>>,
}

impl Content {
    /// Reads the fields of a part's header; of doubled ones the first counts.
    pub fn of(header: &[u8]) -> Self {
        let mut content = Self { encoding: encoding(header), ..Self::default() };
        for field in fields(header) {
            let name = field.name.to_ascii_lowercase();
            let text = match name.as_slice() {
                b"content-id" => &mut content.id,
                b"content-description" => &mut content.description,
                b"content-md5" => &mut content.md5,
                b"content-location" => &mut content.location,
                b"content-disposition" if content.disposition.is_none() => {
                    content.disposition = Some(parse(&field)).filter(|d| !d.value.is_empty());
                    continue;
                }
                b"content-language" if content.language.is_empty() => {
                    content.language = languages(&field);
                    continue;
                }
                _ => continue,
            };
            if text.is_none() {
                *text = Some(field.unfolded());
            }
        }
        content
    }
}

/// The Content-Transfer-Encoding in lower case, without comments; `7bit` where it is missing.
pub(crate) fn encoding(header: &[u8]) -> String {
    let given = field(header, "Content-Transfer-Encoding").map(|field| parse(&field).value);
    given.filter(|encoding| !encoding.is_empty()).unwrap_or_else(|| "7bit".into())
}

fn languages(field: &Field<'_>) -> Vec<Vec<u8>> {
    let line = field.unfolded();
    let tags = line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    tags.filter(|tag| !tag.is_empty()).take(LANGUAGES_MAX).map(<[u8]>::to_vec).collect()
}

/// ```text
/// value *(";" attribute "=" (token / quoted-string))
/// ```
/// Comments may stand anywhere outside quotes. A value that is neither token nor quoted string is
/// taken up to the next semicolon, since file names with blanks are often sent so.
fn parse(field: &Field<'_>) -> Value {
    let mut line = field.unfolded();
    line.truncate(FIELD_BYTES_MAX);
    let mut reader = Reader { line: &line, at: 0 };
    let value = lower(reader.text(b";"));
    let mut parameters = Vec::new();
    while reader.skip(b';') && parameters.len() < PARAMETERS_MAX {
        let name = lower(reader.text(b";="));
        if reader.skip(b'=') {
            let value = reader.text(b";");
            if !name.is_empty() {
                parameters.push((name, value));
            }
        }
    }
    Value { value, parameters }
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Everything up to one of `stops`, without quotes and comments, trimmed outside of quotes.
    fn text(&mut self, stops: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut keep = 0; // up to here `text` was quoted or not blank
        while let Some(&byte) = self.line.get(self.at).filter(|byte| !stops.contains(byte)) {
            match byte {
                b'"' => {
                    self.quoted(&mut text);
                    keep = text.len();
                }
                b'(' => self.comment(),
                b' ' | b'\t' if text.is_empty() => self.at += 1,
                _ => {
                    text.push(byte);
                    self.at += 1;
                    if !matches!(byte, b' ' | b'\t') {
                        keep = text.len();
                    }
                }
            }
        }
        text.truncate(keep);
        text
    }

    fn quoted(&mut self, text: &mut Vec<u8>) {
        self.at += 1;
        while let Some(&byte) = self.line.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => {
                    text.extend(self.line.get(self.at));
                    self.at += 1;
                }
                _ => text.push(byte),
            }
        }
    }

    fn comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(&byte) = self.line.get(self.at) {
            self.at += 1;
            match byte {
                b'(' => depth += 1,
                b')' if depth == 1 => return,
                b')' => depth -= 1,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.line.get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }
}

fn lower(text: Vec<u8>) -> String {
    String::from_utf8_lossy(&text).to_ascii_lowercase()
}

/// RFC 2045 §5.1 `token`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str, parameters: &[(&str, &str)]) {
        let header = format!("Content-Type: {value}\r\n\r\n");
        let field = field(header.as_bytes(), "content-type").unwrap();
        let found = parse(&field);
        let shown: Vec<(String, String)> = found
            .parameters
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
            .collect();
        let parameters: Vec<(String, String)> =
            parameters.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        assert_eq!((found.value.as_str(), shown), (expected, parameters), "for {value:?}");
    }

    #[test]
    fn values_and_parameters() {
        check("text/plain", "text/plain", &[]);
        check("Text/Plain; Charset=UTF-8", "text/plain", &[("charset", "UTF-8")]);
        check("a/b; x=\"q; \\\"=\" ;y = z ", "a/b", &[("x", "q; \"="), ("y", "z")]);
        check("a/b (note; x=1); x=1 (Plain (nested))", "a/b", &[("x", "1")]);
        check("a/b; name=my file (1).pdf; y=2", "a/b", &[("name", "my file .pdf"), ("y", "2")]);
        check("a/b;\r\n\tboundary==_x=y", "a/b", &[("boundary", "=_x=y")]);
        check("a/b;;; ;x;y=", "a/b", &[("y", "")]);
        check("a/b; x=\"open", "a/b", &[("x", "open")]);
        check(
            "a/b; name*0*=utf-8''a; name*1=b",
            "a/b",
            &[("name*0*", "utf-8''a"), ("name*1", "b")],
        );
        check("", "", &[]);
    }

    #[test]
    fn an_unreadable_type_is_text() {
        let of = |header: &str| Type::of(header.as_bytes(), Type::message());
        assert!(of("A: b\n\n").is("message", "rfc822"));
        assert!(of("Content-Type: text\n\n").is("text", "plain"));
        assert!(of("Content-Type: te xt/html\n\n").is("text", "plain"));
        assert!(of("Content-Type: text / html\n\n").is("text", "html"));
        assert!(of("Content-Type: Image/SVG+xml\n\n").is("image", "svg+xml"));
    }

    #[test]
    fn other_fields() {
        let content = Content::of(
            b"Content-Transfer-Encoding: BASE64 (really)\nContent-ID: <1@x>\n\
              Content-Language: de, en\nContent-Disposition: Attachment; FileName=\"a b\"\n\n",
        );
        assert_eq!(content.encoding, "base64");
        assert_eq!(content.id.as_deref(), Some(&b"<1@x>"[..]));
        assert_eq!(content.language, [b"de", b"en"]);
        let disposition = content.disposition.unwrap();
        assert_eq!(disposition.value, "attachment");
        assert_eq!(disposition.parameter("filename"), Some(&b"a b"[..]));
        assert_eq!(Content::of(b"").encoding, "7bit");
    }
}
