//! What SEARCH takes.

use message::text::Day;

use super::cursor::Cursor;
use super::{Error, Ranges, Result, SequenceSet, date};
use crate::limits::{KEYWORD_BYTES_MAX, SEARCH_DEPTH_MAX, SEARCH_KEYS_MAX};

/// One SEARCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What to answer with; `None` for the list of RFC 3501.
    pub returns: Option<Returns>,
    pub key: Key,
}

/// `RETURN (...)` (RFC 4731).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Returns {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
}

/// A condition on messages, with sets of numbers as the client wrote them or resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<Set = SequenceSet> {
    Test(Test),
    Sequence(Set),
    Uid(Set),
    Not(Box<Key<Set>>),
    Or(Box<Key<Set>>, Box<Key<Set>>),
    And(Vec<Key<Set>>),
}

/// A condition that stands alone. Texts to look for are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    All,
    /// No message: there is no `\Recent` here, so NEW and RECENT find nothing.
    Nothing,
    /// Has this flag.
    Flag(String),
    Larger(u64),
    Smaller(u64),
    /// Internal date, the day in UTC.
    Before(Day),
    On(Day),
    Since(Day),
    SentBefore(Day),
    SentOn(Day),
    SentSince(Day),
    /// A header field of this name holds this text; with an empty text, that it is there.
    Header(String, String),
    Body(String),
    Text(String),
}

impl Key {
    /// The same condition in a mailbox of `count` messages, of which `largest` is the last UID.
    pub fn resolve(self, count: u32, largest: u32) -> Key<Ranges> {
        let boxed = |key: Box<Key>| Box::new(key.resolve(count, largest));
        match self {
            Key::Test(test) => Key::Test(test),
            Key::Sequence(set) => Key::Sequence(set.resolve(count)),
            Key::Uid(set) => Key::Uid(set.resolve(largest)),
            Key::Not(key) => Key::Not(boxed(key)),
            Key::Or(one, other) => Key::Or(boxed(one), boxed(other)),
            Key::And(keys) => {
                Key::And(keys.into_iter().map(|key| key.resolve(count, largest)).collect())
            }
        }
    }
}

impl<Set> Key<Set> {
    /// Whether some test of it is one of those that `wanted` picks.
    pub fn has(&self, wanted: fn(&Test) -> bool) -> bool {
        match self {
            Key::Test(test) => wanted(test),
            Key::Sequence(_) | Key::Uid(_) => false,
            Key::Not(key) => key.has(wanted),
            Key::Or(one, other) => one.has(wanted) || other.has(wanted),
            Key::And(keys) => keys.iter().any(|key| key.has(wanted)),
        }
    }
}

/// Why a SEARCH cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    Syntax(Error),
    /// Only US-ASCII and UTF-8 are known.
    Charset,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Syntax(error)
    }
}

/// ```text
/// search = "SEARCH" [SP "RETURN" SP "(" [return-opt *(SP return-opt)] ")"]
///          [SP "CHARSET" SP charset] 1*(SP search-key)
/// ```
pub fn search(cursor: &mut Cursor) -> std::result::Result<Search, Problem> {
    let mut returns = None;
    if cursor.skip_word("RETURN ") {
        returns = Some(return_options(cursor)?);
        cursor.space()?;
    }
    if cursor.skip_word("CHARSET ") {
        let charset = cursor.text()?.to_ascii_uppercase();
        if !["US-ASCII", "UTF-8", "ASCII", "UTF8"].contains(&charset.as_str()) {
            return Err(Problem::Charset);
        }
        cursor.space()?;
    }
    let mut keys = Keys { left: SEARCH_KEYS_MAX };
    let key = keys.all_until_end(cursor)?;
    Ok(Search { returns, key })
}

fn return_options(cursor: &mut Cursor) -> Result<Returns> {
    let mut returns = Returns::default();
    cursor.spaces();
    cursor.list(8, |cursor| {
        match cursor.word().as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            _ => return Err(Error("there is no such return option")),
        }
        Ok(())
    })?;
    if returns == Returns::default() {
        returns.all = true; // RFC 4731 §3.1: an empty list means ALL
    }
    Ok(returns)
}

struct Keys {
    left: usize,
}

impl Keys {
    fn all_until_end(&mut self, cursor: &mut Cursor) -> Result<Key> {
        let mut keys = vec![self.key(cursor, 0)?];
        while cursor.skip(b' ') {
            cursor.spaces();
            if cursor.peek().is_none() {
                break;
            }
            keys.push(self.key(cursor, 0)?);
        }
        Ok(one_or_and(keys))
    }

    /// ```text
    /// search-key = flag-key / date-key / text-key / "LARGER" SP number64 / "SMALLER" SP number64 /
    ///              "UID" SP sequence-set / sequence-set / "NOT" SP search-key /
    ///              "OR" SP search-key SP search-key / "(" search-key *(SP search-key) ")"
    /// ```
    fn key(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Key> {
        if depth > SEARCH_DEPTH_MAX || self.left == 0 {
            return Err(Error("the search is too complicated"));
        }
        self.left -= 1;
        match cursor.peek() {
            Some(b'(') => {
                let keys = cursor.list(SEARCH_KEYS_MAX, |cursor| self.key(cursor, depth + 1))?;
                return if keys.is_empty() {
                    Err(Error("nothing to search for"))
                } else {
                    Ok(one_or_and(keys))
                };
            }
            Some(b'*' | b'0'..=b'9') => return Ok(Key::Sequence(SequenceSet::parse(cursor)?)),
            _ => {}
        }
        let word = cursor.word();
        match word.as_str() {
            "NOT" => {
                cursor.space()?;
                Ok(Key::Not(Box::new(self.key(cursor, depth + 1)?)))
            }
            "OR" => {
                cursor.space()?;
                let one = self.key(cursor, depth + 1)?;
                cursor.space()?;
                Ok(Key::Or(Box::new(one), Box::new(self.key(cursor, depth + 1)?)))
            }
            "UID" => {
                cursor.space()?;
                Ok(Key::Uid(SequenceSet::parse(cursor)?))
            }
            word => match flag_key(word) {
                Some(key) => Ok(key),
                None => key_with_value(word, cursor),
            },
        }
    }
}

/// Keys that are one word.
fn flag_key(word: &str) -> Option<Key> {
    let flag = |flag: &str| Key::Test(Test::Flag(flag.to_owned()));
    let not = |key| Key::Not(Box::new(key));
    Some(match word {
        "ALL" | "OLD" => Key::Test(Test::All),
        "NEW" | "RECENT" => Key::Test(Test::Nothing),
        "ANSWERED" => flag("\\Answered"),
        "DELETED" => flag("\\Deleted"),
        "DRAFT" => flag("\\Draft"),
        "FLAGGED" => flag("\\Flagged"),
        "SEEN" => flag("\\Seen"),
        "UNANSWERED" => not(flag("\\Answered")),
        "UNDELETED" => not(flag("\\Deleted")),
        "UNDRAFT" => not(flag("\\Draft")),
        "UNFLAGGED" => not(flag("\\Flagged")),
        "UNSEEN" => not(flag("\\Seen")),
        _ => return None,
    })
}

/// Keys with an argument.
fn key_with_value(word: &str, cursor: &mut Cursor) -> Result<Key> {
    const UNKNOWN: Error = Error("there is no such search key");
    if word.is_empty() {
        return Err(UNKNOWN);
    }
    cursor.space().map_err(|_| UNKNOWN)?;
    Ok(Key::Test(match word {
        "KEYWORD" => Test::Flag(keyword(cursor)?),
        "UNKEYWORD" => {
            let flag = Key::Test(Test::Flag(keyword(cursor)?));
            return Ok(Key::Not(Box::new(flag)));
        }
        "LARGER" => Test::Larger(cursor.number64()?),
        "SMALLER" => Test::Smaller(cursor.number64()?),
        "BEFORE" => Test::Before(date::day(cursor)?),
        "ON" => Test::On(date::day(cursor)?),
        "SINCE" => Test::Since(date::day(cursor)?),
        "SENTBEFORE" => Test::SentBefore(date::day(cursor)?),
        "SENTON" => Test::SentOn(date::day(cursor)?),
        "SENTSINCE" => Test::SentSince(date::day(cursor)?),
        "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => Test::Header(word.to_owned(), needle(cursor)?),
        "HEADER" => {
            let name = cursor.text()?;
            cursor.space()?;
            Test::Header(name, needle(cursor)?)
        }
        "BODY" => Test::Body(needle(cursor)?),
        "TEXT" => Test::Text(needle(cursor)?),
        _ => return Err(UNKNOWN),
    }))
}

/// A text to look for, in lower case. Bytes that are no UTF-8 are found nowhere.
fn needle(cursor: &mut Cursor) -> Result<String> {
    Ok(String::from_utf8_lossy(&cursor.astring()?).to_lowercase())
}

fn keyword(cursor: &mut Cursor) -> Result<String> {
    let keyword = cursor.atom()?;
    if keyword.len() > KEYWORD_BYTES_MAX {
        Err(Error("the keyword is too long"))
    } else {
        Ok(keyword)
    }
}

fn one_or_and(mut keys: Vec<Key>) -> Key {
    match keys.pop() {
        Some(key) if keys.is_empty() => key,
        Some(key) => {
            keys.push(key);
            Key::And(keys)
        }
        None => Key::Test(Test::All),
    }
}
