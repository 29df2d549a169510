//! What APPEND takes.

use super::cursor::Cursor;
use super::store::flag_list;
use super::{Error, Result, date};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    pub mailbox: String,
    pub flags: Vec<String>,
    /// Seconds since 1970 UTC.
    pub internal_date_s: Option<i64>,
    pub message: Vec<u8>,
}

/// ```text
/// append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal
/// ```
pub fn append(cursor: &mut Cursor) -> Result<Append> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = flag_list(cursor)?;
        cursor.space()?;
    }
    let mut internal_date_s = None;
    if cursor.peek() == Some(b'"') {
        internal_date_s = Some(date::date_time(cursor)?);
        cursor.space()?;
    }
    let message = cursor.literal().ok_or(Error("the message must be a literal"))?;
    Ok(Append { mailbox, flags, internal_date_s, message })
}
