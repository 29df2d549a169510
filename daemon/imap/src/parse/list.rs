//! What LIST takes (RFC 5258 and RFC 5819 as in RFC 9051 §6.3.9).

use super::command::{StatusItem, status_items};
use super::cursor::Cursor;
use super::{Error, Result};
use crate::limits::{LIST_PATTERN_BYTES_MAX, LIST_PATTERNS_MAX};

/// One LIST or LSUB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Stands before each pattern.
    pub reference: String,
    pub patterns: Vec<String>,
    /// Only subscribed mailboxes.
    pub subscribed: bool,
    /// Only mailboxes with a special use.
    pub special_use: bool,
    /// Also those above a match that the pattern matches.
    pub recursive: bool,
    pub returns: ListReturn,
}

/// What else to tell of each mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListReturn {
    pub subscribed: bool,
    pub status: Vec<StatusItem>,
}

/// ```text
/// list      = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP "RETURN" SP return-opts]
/// ```
pub fn list(cursor: &mut Cursor) -> Result<List> {
    let mut list = List::default();
    if cursor.peek() == Some(b'(') {
        select_options(cursor, &mut list)?;
        cursor.space()?;
    }
    list.reference = cursor.list_mailbox()?;
    cursor.space()?;
    list.patterns = patterns(cursor)?;
    cursor.spaces();
    if cursor.skip_word("RETURN") {
        cursor.space()?;
        return_options(cursor, &mut list.returns)?;
    }
    list.returns.subscribed |= list.subscribed;
    Ok(list)
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
pub fn lsub(cursor: &mut Cursor) -> Result<List> {
    let reference = cursor.list_mailbox()?;
    cursor.space()?;
    let patterns = vec![pattern(cursor)?];
    Ok(List { reference, patterns, subscribed: true, ..List::default() })
}

/// `mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"`
fn patterns(cursor: &mut Cursor) -> Result<Vec<String>> {
    if cursor.peek() == Some(b'(') {
        return cursor.list(LIST_PATTERNS_MAX, pattern);
    }
    Ok(vec![pattern(cursor)?])
}

fn pattern(cursor: &mut Cursor) -> Result<String> {
    let pattern = cursor.list_mailbox()?;
    if pattern.len() > LIST_PATTERN_BYTES_MAX {
        Err(Error("the pattern is too long"))
    } else {
        Ok(pattern)
    }
}

/// `"SUBSCRIBED" / "REMOTE" / "RECURSIVEMATCH" / "SPECIAL-USE"`
fn select_options(cursor: &mut Cursor, list: &mut List) -> Result<()> {
    cursor.list(LIST_PATTERNS_MAX, |cursor| {
        match cursor.word().as_str() {
            "SUBSCRIBED" => list.subscribed = true,
            "SPECIAL-USE" => list.special_use = true,
            "RECURSIVEMATCH" => list.recursive = true,
            "REMOTE" => {}
            _ => return Err(Error("there is no such selection option")),
        }
        Ok(())
    })?;
    if list.recursive && !list.subscribed && !list.special_use {
        return Err(Error("RECURSIVEMATCH needs another selection option"));
    }
    Ok(())
}

/// ```text
/// "SUBSCRIBED" / "CHILDREN" / "SPECIAL-USE" / "STATUS" SP "(" status-att *(SP status-att) ")"
/// ```
/// Children and special uses are told in any case.
fn return_options(cursor: &mut Cursor, returns: &mut ListReturn) -> Result<()> {
    cursor.list(LIST_PATTERNS_MAX, |cursor| {
        match cursor.word().as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" | "SPECIAL-USE" => {}
            "STATUS" => {
                cursor.space()?;
                returns.status = status_items(cursor)?;
            }
            _ => return Err(Error("there is no such return option")),
        }
        Ok(())
    })?;
    Ok(())
}
