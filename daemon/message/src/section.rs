//! Sections of a message by IMAP's numbering (RFC 9051 §6.4.5.1), as its original bytes.

use std::ops::Range;

use crate::header::{Field, fields};
use crate::structure::{Kind, Part};

/// `BODY[1.2.HEADER.FIELDS (From)]`: a part's path and what of it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Part numbers from 1; empty for the message itself.
    pub path: Vec<u32>,
    pub what: What,
}

/// What of a message or part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The whole message, or a part's body.
    Whole,
    /// The header of a message, its empty line included.
    Header,
    /// The fields with one of these names, and an empty line.
    Fields(Vec<String>),
    /// The fields with none of these names, and an empty line.
    FieldsNot(Vec<String>),
    /// The body of a message.
    Text,
    /// The header of a part; needs a path.
    Mime,
}

/// The bytes of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A piece of the message.
    Range(Range<usize>),
    /// Selected header fields, put together.
    Built(Vec<u8>),
}

impl Section {
    /// Whether this is the message itself, all of it.
    pub fn is_whole(&self) -> bool {
        self.path.is_empty() && self.what == What::Whole
    }

    /// Whether the header section of the message is enough to answer this.
    pub fn needs_only_header(&self) -> bool {
        let of_header = matches!(self.what, What::Header | What::Fields(_) | What::FieldsNot(_));
        self.path.is_empty() && of_header
    }

    /// Finds the section in `message`, whose structure is `root`. `None` when there is no such part,
    /// or it is no message and so has no header or text of its own.
    pub fn find(&self, message: &[u8], root: &Part) -> Option<Found> {
        let Some(part) = part(root, &self.path)? else {
            return match &self.what {
                What::Whole => Some(Found::Range(0..message.len())),
                What::Mime => None,
                what => of_message(message, root, what),
            };
        };
        match (&self.what, &part.kind) {
            (What::Whole, _) => Some(Found::Range(part.body.clone())),
            (What::Mime, _) => Some(Found::Range(part.header.clone())),
            (what, Kind::Message(inner)) => of_message(message, inner, what),
            _ => None,
        }
    }

    /// The same where only the header section was read; `None` unless
    /// [`needs_only_header`](Self::needs_only_header).
    pub fn find_in_header(&self, header: &[u8]) -> Option<Found> {
        if !self.needs_only_header() {
            return None;
        }
        selected(header, 0..header.len(), &self.what)
    }
}

/// The part at `path`: outer `None` when there is none, inner `None` for the message itself.
fn part<'a>(root: &'a Part, path: &[u32]) -> Option<Option<&'a Part>> {
    let Some((&first, deeper)) = path.split_first() else { return Some(None) };
    let mut part = part_of_message(root, first)?;
    for &number in deeper {
        part = match &part.kind {
            Kind::Multipart(parts) => nth(parts, number)?,
            Kind::Message(inner) => part_of_message(inner, number)?,
            Kind::Leaf => return None,
        };
    }
    Some(Some(part))
}

/// A message that is no multipart has one part, number 1: its body (RFC 9051 §6.4.5.1).
fn part_of_message(message: &Part, number: u32) -> Option<&Part> {
    match &message.kind {
        Kind::Multipart(parts) => nth(parts, number),
        _ => (number == 1).then_some(message),
    }
}

fn nth(parts: &[Part], number: u32) -> Option<&Part> {
    parts.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

fn of_message(message: &[u8], part: &Part, what: &What) -> Option<Found> {
    match what {
        What::Text => Some(Found::Range(part.body.clone())),
        what => selected(message, part.header.clone(), what),
    }
}

fn selected(message: &[u8], header: Range<usize>, what: &What) -> Option<Found> {
    let text = message.get(header.clone())?;
    let named = |names: &[String], field: &Field<'_>| names.iter().any(|name| field.is(name));
    let mut built = Vec::new();
    match what {
        What::Header => return Some(Found::Range(header)),
        What::Fields(names) => {
            fields(text)
                .filter(|field| named(names, field))
                .for_each(|field| push(&mut built, &field));
        }
        What::FieldsNot(names) => {
            fields(text)
                .filter(|field| !named(names, field))
                .for_each(|field| push(&mut built, &field));
        }
        What::Whole | What::Text | What::Mime => return None,
    }
    built.extend_from_slice(b"\r\n");
    Some(Found::Built(built))
}

/// A header without its empty line can end in the middle of a field.
fn push(built: &mut Vec<u8>, field: &Field<'_>) {
    built.extend_from_slice(field.raw);
    if !field.raw.ends_with(b"\n") {
        built.extend_from_slice(b"\r\n");
    }
}
