//! From values to what goes over the wire (RFC 9051 §9, RFC 3501 §9).

mod envelope;
mod structure;

pub use envelope::envelope;
pub use structure::body;

use jiff::Timestamp;
use message::{Section, What};

use crate::utf7;

/// Longest string that is sent in quotes; a longer one goes as a literal.
const QUOTED_BYTES_MAX: usize = 1000;

/// `string = quoted / literal`. Whatever is no printable ASCII goes as a literal.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    let printable = text.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    if !printable || text.len() > QUOTED_BYTES_MAX {
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// `nstring = string / nil`
pub fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `"(" one *(SP one) ")"`, with whatever `one` writes.
pub fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut one: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'(');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        one(out, item);
    }
    out.push(b')');
}

/// A mailbox name in modified UTF-7, in quotes where it is no atom.
pub fn mailbox(name: &str) -> String {
    let wire = utf7::encode(name);
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./&,+".contains(&byte);
    if !wire.is_empty() && wire.bytes().all(atom) && !wire.eq_ignore_ascii_case("NIL") {
        return wire;
    }
    format!("\"{}\"", wire.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `flag-list`, without the parentheses.
pub fn flags(flags: &[String]) -> String {
    flags.join(" ")
}

/// `date-time`, in UTC (RFC 9051 §9).
pub fn date_time(at_s: i64) -> String {
    let at = Timestamp::from_second(at_s).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("\"%d-%b-%Y %H:%M:%S +0000\"").to_string()
}

/// UIDs in the given order as a `uid-set`, runs that count upwards as ranges. COPYUID pairs two sets by
/// position (RFC 4315 §3), so nothing is sorted here.
pub fn uid_set(uids: impl IntoIterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => runs.push((uid, uid)),
        }
    }
    let shown: Vec<String> = runs
        .into_iter()
        .map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}:{last}") }
            },
        )
        .collect();
    shown.join(",")
}

/// What the answer to a `BODY[...]` calls it: the section, and where a partial begins.
pub fn section_label(section: &Section, first_byte: Option<u64>) -> String {
    let mut parts: Vec<String> = section.path.iter().map(u32::to_string).collect();
    match &section.what {
        What::Whole => {}
        What::Header => parts.push("HEADER".into()),
        What::Text => parts.push("TEXT".into()),
        What::Mime => parts.push("MIME".into()),
        What::Fields(names) => parts.push(format!("HEADER.FIELDS ({})", header_names(names))),
        What::FieldsNot(names) => {
            parts.push(format!("HEADER.FIELDS.NOT ({})", header_names(names)))
        }
    }
    let from = first_byte.map(|first| format!("<{first}>")).unwrap_or_default();
    format!("BODY[{}]{from}", parts.join("."))
}

/// Field names as the client wrote them, where they can stand as atoms.
fn header_names(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| {
            let mut shown = Vec::new();
            if !name.is_empty()
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
            {
                return name.clone();
            }
            string(&mut shown, name.as_bytes());
            String::from_utf8_lossy(&shown).into_owned()
        })
        .collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let shown = |text: &[u8]| {
            let mut out = Vec::new();
            string(&mut out, text);
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(shown(b"a \"b\" \\"), r#""a \"b\" \\""#);
        assert_eq!(shown("ü".as_bytes()), "{2}\r\nü");
        assert_eq!(shown(b"a\r\nb"), "{4}\r\na\r\nb");
        assert_eq!(shown(b""), "\"\"");
    }

    #[test]
    fn names_and_sets() {
        assert_eq!(mailbox("INBOX"), "INBOX");
        assert_eq!(mailbox("Gesendete Objekte"), "\"Gesendete Objekte\"");
        assert_eq!(mailbox("a\"b"), "\"a\\\"b\"");
        assert_eq!(mailbox("ü/x"), "&APw-/x");
        assert_eq!(mailbox(""), "\"\"");
        assert_eq!(uid_set([1, 2, 3, 7, 6, 5, 9, 10]), "1:3,7,6,5,9:10");
        assert_eq!(uid_set([]), "");
    }

    #[test]
    fn dates() {
        assert_eq!(date_time(837_596_665), "\"17-Jul-1996 09:44:25 +0000\"");
        assert_eq!(date_time(0), "\"01-Jan-1970 00:00:00 +0000\"");
        assert_eq!(date_time(i64::MAX), "\"01-Jan-1970 00:00:00 +0000\"");
    }
}
