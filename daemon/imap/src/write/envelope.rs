//! The envelope structure (RFC 9051 §7.5.2).

use message::{Address, Envelope};

use super::{list, nstring};

/// ```text
/// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
///            env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
/// ```
pub fn envelope(out: &mut Vec<u8>, envelope: &Envelope) {
    out.push(b'(');
    nstring(out, envelope.date.as_deref());
    out.push(b' ');
    nstring(out, envelope.subject.as_deref());
    let e = envelope;
    for addresses in [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc] {
        out.push(b' ');
        address_list(out, addresses);
    }
    out.push(b' ');
    nstring(out, envelope.in_reply_to.as_deref());
    out.push(b' ');
    nstring(out, envelope.message_id.as_deref());
    out.push(b')');
}

/// `"(" 1*address ")" / nil`; there is no space between addresses.
fn address_list(out: &mut Vec<u8>, addresses: &[Address]) {
    if addresses.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for address in addresses {
        let parts = [&address.name, &address.route, &address.mailbox, &address.host];
        list(out, parts, |out, part| nstring(out, part.as_deref()));
    }
    out.push(b')');
}
