//! The envelope: what a list of messages shows (RFC 9051 §7.5.2).

use crate::address::{Address, parse_list};
use crate::header::{Field, fields};
use crate::limits::FIELD_BYTES_MAX;

/// The envelope fields of a message, unfolded and otherwise as they were sent; `None` is NIL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The text of the Date field.
    pub date: Option<Vec<u8>>,
    /// The text of the Subject field, encoded words included.
    pub subject: Option<Vec<u8>>,
    pub from: Vec<Address>,
    /// `from` where the message has no Sender.
    pub sender: Vec<Address>,
    /// `from` where the message has no Reply-To.
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub in_reply_to: Option<Vec<u8>>,
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Reads the envelope out of a header section. Of a text field that stands twice the first
    /// counts; address fields that stand twice are joined.
    pub fn of(header: &[u8]) -> Self {
        let mut envelope = Self::default();
        for field in fields(header) {
            envelope.take(&field);
        }
        if envelope.sender.is_empty() {
            envelope.sender = envelope.from.clone();
        }
        if envelope.reply_to.is_empty() {
            envelope.reply_to = envelope.from.clone();
        }
        envelope
    }

    fn take(&mut self, field: &Field<'_>) {
        let mut name = field.name.to_ascii_lowercase();
        name.truncate("in-reply-to".len() + 1);
        let text = match name.as_slice() {
            b"date" => &mut self.date,
            b"subject" => &mut self.subject,
            b"in-reply-to" => &mut self.in_reply_to,
            b"message-id" => &mut self.message_id,
            b"from" => return addresses(field, &mut self.from),
            b"sender" => return addresses(field, &mut self.sender),
            b"reply-to" => return addresses(field, &mut self.reply_to),
            b"to" => return addresses(field, &mut self.to),
            b"cc" => return addresses(field, &mut self.cc),
            b"bcc" => return addresses(field, &mut self.bcc),
            _ => return,
        };
        if text.is_none() {
            let mut line = field.unfolded();
            line.truncate(FIELD_BYTES_MAX);
            *text = Some(line);
        }
    }
}

fn addresses(field: &Field<'_>, list: &mut Vec<Address>) {
    let mut line = field.unfolded();
    line.truncate(FIELD_BYTES_MAX);
    parse_list(&line, list);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_and_reply_to_default_to_from() {
        let envelope = Envelope::of(b"From: Ann <a@b>\r\nSubject:\r\n  hi\r\nTo: x@y\r\n\r\n");
        assert_eq!(envelope.sender, envelope.from);
        assert_eq!(envelope.reply_to, envelope.from);
        assert_eq!(envelope.from[0].mailbox.as_deref(), Some(&b"a"[..]));
        assert_eq!(envelope.subject.as_deref(), Some(&b"hi"[..]));
        assert_eq!((envelope.date, envelope.cc.len()), (None, 0));
    }

    #[test]
    fn doubled_fields() {
        let envelope = Envelope::of(b"Subject: 1\nTo: a@b\nSubject: 2\nTo: c@d\nSender: \n\n");
        assert_eq!(envelope.subject.as_deref(), Some(&b"1"[..]));
        assert_eq!(envelope.to.len(), 2);
    }

    #[test]
    fn an_empty_message_has_an_empty_envelope() {
        assert_eq!(Envelope::of(b""), Envelope::default());
    }
}
