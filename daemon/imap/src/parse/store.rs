//! What STORE takes, and flags.

use super::cursor::Cursor;
use super::{Error, Result, SequenceSet};
use crate::ask::Change;
use crate::limits::{FLAGS_MAX, KEYWORD_BYTES_MAX};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub set: SequenceSet,
    pub change: Change,
    pub silent: bool,
    pub flags: Vec<String>,
}

/// ```text
/// store           = "STORE" SP sequence-set SP store-att-flags
/// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
/// ```
pub fn store(cursor: &mut Cursor) -> Result<Store> {
    let set = SequenceSet::parse(cursor)?;
    cursor.space()?;
    let change = match cursor.peek() {
        Some(b'+') => Change::Add,
        Some(b'-') => Change::Remove,
        _ => Change::Replace,
    };
    let _ = cursor.skip(b'+') || cursor.skip(b'-');
    let silent = match cursor.word().as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(Error("STORE changes FLAGS only")),
    };
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') { flag_list(cursor)? } else { bare_flags(cursor)? };
    Ok(Store { set, change, silent, flags })
}

/// `flag-list = "(" [flag *(SP flag)] ")"`. Doubled flags count once.
pub fn flag_list(cursor: &mut Cursor) -> Result<Vec<String>> {
    let flags = cursor.list(FLAGS_MAX, flag)?;
    Ok(without_doubles(flags))
}

fn bare_flags(cursor: &mut Cursor) -> Result<Vec<String>> {
    let mut flags = vec![flag(cursor)?];
    while cursor.skip(b' ') {
        cursor.spaces();
        if cursor.peek().is_none() {
            break;
        }
        if flags.len() >= FLAGS_MAX {
            return Err(Error("there are too many flags"));
        }
        flags.push(flag(cursor)?);
    }
    Ok(without_doubles(flags))
}

/// ```text
/// flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / atom
/// ```
/// `\Recent` is read over: clients copy it from one mailbox to another, and nobody can set it. It comes
/// back empty.
fn flag(cursor: &mut Cursor) -> Result<String> {
    let system = cursor.skip(b'\\');
    let atom = cursor.atom()?;
    if !atom.is_ascii() || atom.len() > KEYWORD_BYTES_MAX {
        return Err(Error("a flag is no keyword"));
    }
    if !system {
        return Ok(atom);
    }
    let known = ["Answered", "Flagged", "Deleted", "Seen", "Draft"];
    match known.iter().find(|known| known.eq_ignore_ascii_case(&atom)) {
        Some(known) => Ok(format!("\\{known}")),
        None if atom.eq_ignore_ascii_case("Recent") => Ok(String::new()),
        None => Err(Error("there is no such system flag")),
    }
}

fn without_doubles(flags: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(flags.len());
    for flag in flags {
        if !flag.is_empty() && !once.iter().any(|known| known.eq_ignore_ascii_case(&flag)) {
            once.push(flag);
        }
    }
    once
}
