//! What clients ask of most messages, found out by reading one once: ENVELOPE, BODY, BODYSTRUCTURE as they
//! are written in a FETCH response, and the header fields that clients list mailboxes, sort, thread and
//! search by. The box may keep them, so that a listing reads no messages.

use message::{Envelope, Part, What, fields, header_length};

use crate::parse::{Item, Test};
use crate::write;

/// Facts that were kept in another format are found out again.
pub const FORMAT: u32 = 1;

/// Names of the header fields kept, in any case. What is not among them is read from the message.
const KEPT: [&str; 22] = [
    "Bcc",
    "Cc",
    "Content-Type",
    "Date",
    "Delivered-To",
    "Disposition-Notification-To",
    "From",
    "Importance",
    "In-Reply-To",
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "Message-ID",
    "Newsgroups",
    "Priority",
    "References",
    "Reply-To",
    "Return-Path",
    "Sender",
    "Subject",
    "To",
    "X-Priority",
];

/// See the module's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `ENVELOPE (...)` without the name, and so on.
    pub(crate) envelope: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) body_structure: Vec<u8>,
    /// The kept fields as they stand in the message, in its order, without an empty line.
    pub(crate) header: Vec<u8>,
}

impl Facts {
    /// Reads a whole message.
    #[must_use]
    pub fn of(message: &[u8]) -> Facts {
        let root = Part::parse(message);
        let text = &message[..header_length(message)];
        let mut facts = Facts::default();
        write::envelope(&mut facts.envelope, &Envelope::of(text));
        write::body(&mut facts.body, message, &root, false);
        write::body(&mut facts.body_structure, message, &root, true);
        for field in fields(text).filter(|field| KEPT.iter().any(|name| field.is(name))) {
            facts.header.extend_from_slice(field.raw);
            // A header without its empty line can end in the middle of a field.
            if !field.raw.ends_with(b"\n") {
                facts.header.extend_from_slice(b"\r\n");
            }
        }
        facts
    }

    /// For [`Facts::from_bytes`] of the same [`FORMAT`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [&self.envelope, &self.body, &self.body_structure, &self.header] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// `None` when these are not the bytes of facts.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Facts> {
        let mut next = || {
            let (length, rest) = bytes.split_first_chunk()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (part, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            Some(part.to_vec())
        };
        let (envelope, body, body_structure, header) = (next()?, next()?, next()?, next()?);
        bytes.is_empty().then_some(Facts { envelope, body, body_structure, header })
    }

    /// Do facts answer this item? Items that need no message at all are none of theirs.
    pub(crate) fn answer_item(item: &Item) -> bool {
        match item {
            Item::Envelope | Item::Body | Item::BodyStructure => true,
            Item::Section(item) => match &item.section.what {
                What::Fields(names) => {
                    item.section.path.is_empty() && names.iter().all(|name| is_kept(name))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Do facts decide this test of SEARCH, among those that are about the header?
    pub(crate) fn decide_test(test: &Test) -> bool {
        match test {
            Test::Header(name, _) => is_kept(name),
            Test::SentBefore(_) | Test::SentOn(_) | Test::SentSince(_) => true,
            _ => false,
        }
    }
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name))
}
