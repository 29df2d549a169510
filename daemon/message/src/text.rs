//! What people read: decoded text for searching, and dates.

use std::ops::ControlFlow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;
use mail_parser::{DateTime, HeaderValue};

use crate::content::encoding;
use crate::header::{field, unfold};
use crate::limits::{DECODED_FIELD_BYTES_MAX, DECODED_TEXT_BYTES_MAX};
use crate::structure::{Kind, Part};

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// A field's value on one line with its encoded words decoded (RFC 2047). Only the first
/// [`DECODED_FIELD_BYTES_MAX`] bytes count.
pub fn decode_field(value: &[u8]) -> String {
    let mut line = unfold(&value[..value.len().min(DECODED_FIELD_BYTES_MAX)]);
    line.push(b'\n'); // where mail-parser expects a field to end
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}

/// The day of the Date field in the sender's own time zone (RFC 3501 §6.4.4, SENTON).
pub fn sent_day(header: &[u8]) -> Option<Day> {
    let mut line = field(header, "Date")?.unfolded();
    line.truncate(128);
    let date = DateTime::parse_rfc822(&String::from_utf8_lossy(&line))?;
    let right = (1..=12).contains(&date.month) && (1..=31).contains(&date.day);
    right.then_some(Day { year: date.year, month: date.month, day: date.day })
}

/// Calls `visit` with each text part of `message`, decoded to Unicode, and with the header section of
/// each message inside it, until it breaks. Parts that are no text are passed over.
pub fn visit_texts(
    message: &[u8],
    part: &Part,
    visit: &mut impl FnMut(&str) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match &part.kind {
        Kind::Multipart(parts) => {
            parts.iter().try_for_each(|part| visit_texts(message, part, visit))
        }
        Kind::Message(inner) => {
            let header = message.get(inner.header.clone()).unwrap_or_default();
            visit(&String::from_utf8_lossy(header))?;
            visit_texts(message, inner, visit)
        }
        Kind::Leaf if part.content_type.kind == "text" => visit(&decode_text(message, part)),
        Kind::Leaf => ControlFlow::Continue(()),
    }
}

/// A text part without its transfer encoding, in Unicode. What does not decode is taken as it stands.
pub fn decode_text(message: &[u8], part: &Part) -> String {
    let header = message.get(part.header.clone()).unwrap_or_default();
    let body = message.get(part.body.clone()).unwrap_or_default();
    let body = &body[..body.len().min(DECODED_TEXT_BYTES_MAX)];
    let plain = match encoding(header).as_str() {
        "base64" => base64_decode(body),
        "quoted-printable" => quoted_printable_decode(body),
        _ => None,
    };
    let plain = plain.as_deref().unwrap_or(body);
    match part.content_type.parameter("charset").and_then(charset_decoder) {
        Some(decode) => decode(plain),
        None => String::from_utf8_lossy(plain).into_owned(),
    }
}
