//! What FETCH takes.

use message::{Section, What};

use super::cursor::{Cursor, into_text};
use super::{Error, Result};
use crate::limits::{FETCH_ITEMS_MAX, SECTION_DEPTH_MAX};
use crate::write;

/// One data item of a FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    ModSeq,
    Envelope,
    /// `BODY` without a section: the structure without its extension data.
    Body,
    BodyStructure,
    Section(SectionItem),
}

/// An item that yields bytes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionItem {
    pub section: Section,
    /// First byte and number of bytes (RFC 9051 §6.4.5, `<>`).
    pub partial: Option<(u64, u64)>,
    /// Fetching it sets `\Seen`.
    pub marks_seen: bool,
    /// What the answer calls it.
    pub label: String,
}

/// ```text
/// fetch     = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
///             "(" fetch-att *(SP fetch-att) ")")
/// ```
pub fn items(cursor: &mut Cursor) -> Result<Vec<Item>> {
    if cursor.peek() == Some(b'(') {
        let items = cursor.list(FETCH_ITEMS_MAX, |cursor| {
            // Macros do not belong into a list, but are understood there too.
            one_or_macro(cursor)
        })?;
        let items: Vec<Item> = items.into_iter().flatten().collect();
        return if items.is_empty() { Err(Error("nothing to fetch")) } else { Ok(items) };
    }
    let mut items = one_or_macro(cursor)?;
    while cursor.skip(b' ') {
        cursor.spaces();
        if cursor.peek().is_none() {
            break;
        }
        if items.len() >= FETCH_ITEMS_MAX {
            return Err(Error("there are too many items"));
        }
        items.extend(one_or_macro(cursor)?);
    }
    Ok(items)
}

/// ```text
/// ALL  = (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)
/// FAST = (FLAGS INTERNALDATE RFC822.SIZE)
/// FULL = (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)
/// ```
fn one_or_macro(cursor: &mut Cursor) -> Result<Vec<Item>> {
    let word = cursor.word();
    let mut items = vec![Item::Flags, Item::InternalDate, Item::Size];
    match word.as_str() {
        "FAST" => {}
        "ALL" => items.push(Item::Envelope),
        "FULL" => items.extend([Item::Envelope, Item::Body]),
        _ => return Ok(vec![item(&word, cursor)?]),
    }
    Ok(items)
}

/// ```text
/// fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
///             "BODY" ["STRUCTURE"] / "UID" / "MODSEQ" /
///             "BODY" [".PEEK"] section ["<" number "." nz-number ">"]
/// ```
fn item(word: &str, cursor: &mut Cursor) -> Result<Item> {
    let message = |what| Section { path: Vec::new(), what };
    Ok(match word {
        "FLAGS" => Item::Flags,
        "UID" => Item::Uid,
        "INTERNALDATE" => Item::InternalDate,
        "RFC822.SIZE" => Item::Size,
        "MODSEQ" => Item::ModSeq,
        "ENVELOPE" => Item::Envelope,
        "BODYSTRUCTURE" => Item::BodyStructure,
        "BODY" if cursor.peek() != Some(b'[') => Item::Body,
        "BODY" => section_item(cursor, true)?,
        "BODY.PEEK" => section_item(cursor, false)?,
        "RFC822" => whole_item(message(What::Whole), true, word),
        "RFC822.HEADER" => whole_item(message(What::Header), false, word),
        "RFC822.TEXT" => whole_item(message(What::Text), true, word),
        _ => return Err(Error("there is no such item to fetch")),
    })
}

fn whole_item(section: Section, marks_seen: bool, label: &str) -> Item {
    Item::Section(SectionItem { section, partial: None, marks_seen, label: label.to_owned() })
}

fn section_item(cursor: &mut Cursor, marks_seen: bool) -> Result<Item> {
    let section = section(cursor)?;
    let partial = partial(cursor)?;
    let label = write::section_label(&section, partial.map(|(first, _)| first));
    Ok(Item::Section(SectionItem { section, partial, marks_seen, label }))
}

/// ```text
/// section         = "[" [section-spec] "]"
/// section-spec    = section-msgtext / (section-part ["." section-text])
/// section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
/// section-part    = nz-number *("." nz-number)
/// section-text    = section-msgtext / "MIME"
/// ```
fn section(cursor: &mut Cursor) -> Result<Section> {
    cursor.expect(b'[', "a section is missing")?;
    let mut path = Vec::new();
    let mut what = What::Whole;
    loop {
        if cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
            if path.len() >= SECTION_DEPTH_MAX {
                return Err(Error("the section is too deep"));
            }
            path.push(cursor.number_above_zero()?);
            if cursor.skip(b'.') {
                continue;
            }
        } else if cursor.peek() != Some(b']') {
            what = section_text(cursor, !path.is_empty())?;
        }
        break;
    }
    cursor.expect(b']', "a section is not closed")?;
    Ok(Section { path, what })
}

fn section_text(cursor: &mut Cursor, in_part: bool) -> Result<What> {
    Ok(match cursor.word().as_str() {
        "HEADER" => What::Header,
        "HEADER.FIELDS" => What::Fields(header_list(cursor)?),
        "HEADER.FIELDS.NOT" => What::FieldsNot(header_list(cursor)?),
        "TEXT" => What::Text,
        "MIME" if in_part => What::Mime,
        _ => return Err(Error("there is no such section")),
    })
}

/// `header-list = "(" astring *(SP astring) ")"`
fn header_list(cursor: &mut Cursor) -> Result<Vec<String>> {
    cursor.space()?;
    let names = cursor.list(FETCH_ITEMS_MAX, |cursor| into_text(cursor.astring()?))?;
    if names.is_empty() { Err(Error("no header field is named")) } else { Ok(names) }
}

/// `partial = "<" number "." nz-number ">"`
fn partial(cursor: &mut Cursor) -> Result<Option<(u64, u64)>> {
    if !cursor.skip(b'<') {
        return Ok(None);
    }
    let first = cursor.number64()?;
    cursor.expect(b'.', "a partial needs a length")?;
    let length = cursor.number64()?;
    cursor.expect(b'>', "a partial is not closed")?;
    if length == 0 { Err(Error("a partial must not be empty")) } else { Ok(Some((first, length))) }
}
