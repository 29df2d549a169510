//! From a command's pieces to a [`Command`] (RFC 9051 §9, and RFC 3501 §9 where clients still use it).
//!
//! One file per kind of thing: `cursor` reads atoms, strings and numbers; the others read what the verb
//! of their name takes. Each function's comment is its grammar.
//!
//! Leniencies, all of them: several spaces where one belongs, and spaces at the end of a command;
//! bytes above 127 in strings and atoms; FETCH items and flags with or without their parentheses.

mod append;
mod command;
mod cursor;
mod date;
mod fetch;
mod list;
mod search;
mod sequence;
mod store;

pub use append::Append;
pub use command::{Command, StatusItem, command};
pub use fetch::{Item, SectionItem};
pub use list::List;
pub use search::{Key, Returns, Search, Test};
pub use sequence::{Ranges, SequenceSet};
pub use store::Store;

use cursor::is_astring_char;

/// What is wrong with a command, for the person who reads the BAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub &'static str);

type Result<T> = std::result::Result<T, Error>;

/// `tag = 1*<any ASTRING-CHAR except "+">`
pub fn tag(text: &[u8]) -> Option<String> {
    let right =
        !text.is_empty() && text.iter().all(|&c| is_astring_char(c) && c != b'+' && c < 128);
    right.then(|| String::from_utf8_lossy(text).into_owned())
}
