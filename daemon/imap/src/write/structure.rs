//! The body structure (RFC 9051 §7.5.2).

use message::content::Type;
use message::{Content, Envelope, Kind, Part, Value};

use super::envelope::envelope;
use super::{list, nstring, string};

/// ```text
/// body            = "(" (body-type-1part / body-type-mpart) ")"
/// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
/// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
/// ```
/// `part` is a part of `message`; `extended` gives the extension data of BODYSTRUCTURE. The depth of a
/// [`Part`] is bounded, and so is the recursion here.
pub fn body(out: &mut Vec<u8>, message: &[u8], part: &Part, extended: bool) {
    let content = part.content(message);
    out.push(b'(');
    if let Kind::Multipart(parts) = &part.kind {
        parts.iter().for_each(|part| body(out, message, part, extended));
        out.push(b' ');
        string(out, part.content_type.subtype.as_bytes());
        if extended {
            out.push(b' ');
            parameters(out, &part.content_type.parameters);
            disposition_language_location(out, &content);
        }
    } else {
        single(out, message, part, &content, extended);
        if extended {
            out.push(b' ');
            nstring(out, content.md5.as_deref());
            disposition_language_location(out, &content);
        }
    }
    out.push(b')');
}

/// ```text
/// body-type-basic = media-basic SP body-fields
/// body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
/// body-type-text  = media-text SP body-fields SP body-fld-lines
/// body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
/// ```
fn single(out: &mut Vec<u8>, message: &[u8], part: &Part, content: &Content, extended: bool) {
    let Type { kind, subtype, parameters: params } = &part.content_type;
    string(out, kind.as_bytes());
    out.push(b' ');
    string(out, subtype.as_bytes());
    out.push(b' ');
    parameters(out, params);
    out.push(b' ');
    nstring(out, content.id.as_deref());
    out.push(b' ');
    nstring(out, content.description.as_deref());
    out.push(b' ');
    string(out, content.encoding.as_bytes());
    out.extend_from_slice(format!(" {}", part.body.len()).as_bytes());
    if let Kind::Message(inner) = &part.kind {
        out.push(b' ');
        envelope(out, &Envelope::of(message.get(inner.header.clone()).unwrap_or_default()));
        out.push(b' ');
        body(out, message, inner, extended);
    }
    if kind == "text" || matches!(part.kind, Kind::Message(_)) {
        out.extend_from_slice(format!(" {}", part.body_lines(message)).as_bytes());
    }
}

/// `body-fld-param = "(" string SP string *(SP string SP string) ")" / nil`
fn parameters(out: &mut Vec<u8>, parameters: &[(String, Vec<u8>)]) {
    if parameters.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    list(out, parameters, |out, (name, value)| {
        string(out, name.as_bytes());
        out.push(b' ');
        string(out, value);
    });
}

/// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`, the end of both kinds of extension data.
fn disposition_language_location(out: &mut Vec<u8>, content: &Content) {
    out.push(b' ');
    match &content.disposition {
        Some(Value { value, parameters: params }) => {
            out.push(b'(');
            string(out, value.as_bytes());
            out.push(b' ');
            parameters(out, params);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    match content.language.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        languages => list(out, languages, |out, language| string(out, language)),
    }
    out.push(b' ');
    nstring(out, content.location.as_deref());
}
