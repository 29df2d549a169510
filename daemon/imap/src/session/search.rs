//! SEARCH and UID SEARCH (RFC 3501 §6.4.4; ESEARCH: RFC 4731).
//!
//! What the list of messages can decide is decided without reading. Then the header is read, and the
//! whole message only where that leaves the question open.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use message::text::{Day, decode_field, sent_day, visit_texts};
use message::{Part, fields, split};

use super::selected::has_flag;
use super::{Doing, Report, Session, failure_text};
use crate::ask::{Answer, Ask, Failure, Read, Row};
use crate::facts::Facts;
use crate::limits::SEARCH_STEP;
use crate::parse::{self, Key, Ranges, Returns, Test};
use crate::write;

/// A SEARCH on its way.
pub struct Search {
    tag: String,
    uid: bool,
    returns: Option<Returns>,
    key: Key<Ranges>,
    /// What to read first where the list does not decide.
    read_first: Read,
    /// Message number to go on with, minus one.
    next: usize,
    /// Numbers or UIDs, ascending.
    found: Vec<u32>,
}

/// A message, as far as it is known.
struct Subject<'a> {
    number: u32,
    row: &'a Row,
    text: Text<'a>,
}

enum Text<'a> {
    Unread,
    Header(&'a [u8]),
    Whole(&'a [u8]),
}

impl Session {
    pub(super) fn search(&mut self, tag: String, uid: bool, search: parse::Search) {
        let Some(selected) = self.selected() else { return };
        let parse::Search { returns, key } = search;
        let key = key.resolve(selected.count(), selected.largest_uid());
        let read_first = match (key.has(is_about_header), key.has(is_about_other_header)) {
            (false, _) => Read::Whole,
            (true, false) => Read::Facts,
            (true, true) => Read::Header,
        };
        let search = Search { tag, uid, returns, key, read_first, next: 0, found: Vec::new() };
        self.doing = Doing::Searching(Box::new(search));
    }

    /// Decides for the next messages until one has to be read.
    pub(super) fn search_on(&mut self, mut search: Box<Search>) -> bool {
        let Some(selected) = self.selected() else { return true };
        for _ in 0..SEARCH_STEP {
            let Some(shown) = selected.rows().get(search.next) else {
                self.searched(*search);
                return true;
            };
            search.next += 1;
            if shown.gone {
                continue;
            }
            let number = u32::try_from(search.next).unwrap_or(u32::MAX);
            let subject = Subject { number, row: &shown.row, text: Text::Unread };
            match subject.decide(&search.key) {
                Some(true) => search.hit(number, &shown.row),
                Some(false) => {}
                None => {
                    let row = shown.row.clone();
                    let what = search.read_first;
                    self.search_text(search, number, row, what);
                    return true;
                }
            }
        }
        self.doing = Doing::Searching(search);
        true
    }

    fn search_text(&mut self, mut search: Box<Search>, number: u32, row: Row, what: Read) {
        self.ask(Ask::Read { entry: row.entry, what }, move |session, answer| {
            let facts;
            let bytes: Arc<[u8]>;
            let text = match answer {
                Answer::Facts(read) => {
                    facts = read;
                    Text::Header(&facts.header)
                }
                Answer::Bytes(read) => {
                    bytes = read;
                    match what {
                        Read::Facts | Read::Header => Text::Header(&bytes),
                        Read::Whole => Text::Whole(&bytes),
                    }
                }
                Answer::Failed(Failure::NoSuchMessage) => {
                    session.changed = true;
                    session.doing = Doing::Searching(search);
                    return;
                }
                other => {
                    let text = failure_text(&other, "NONEXISTENT");
                    let report = Report { hold_expunges: !search.uid, ..Report::default() };
                    return session.finish(search.tag, &text, report);
                }
            };
            match (Subject { number, row: &row, text }.decide(&search.key), what) {
                (None, Read::Facts | Read::Header) => {
                    return session.search_text(search, number, row, Read::Whole);
                }
                (Some(true), _) => search.hit(number, &row),
                (_, _) => {}
            }
            session.doing = Doing::Searching(search);
        });
    }

    fn searched(&mut self, search: Search) {
        let Search { tag, uid, returns, found, .. } = search;
        let line = match returns {
            None => {
                found.iter().fold("SEARCH".to_owned(), |line, number| format_next(line, *number))
            }
            Some(returns) => extended(&tag, uid, returns, &found),
        };
        self.untagged(&line);
        self.finish(tag, "OK SEARCH done", Report { hold_expunges: !uid, ..Report::default() });
    }
}

fn is_about_header(test: &Test) -> bool {
    matches!(test, Test::Header(..) | Test::SentBefore(_) | Test::SentOn(_) | Test::SentSince(_))
}

/// About a field that is not among the facts.
fn is_about_other_header(test: &Test) -> bool {
    is_about_header(test) && !Facts::decide_test(test)
}

impl Search {
    fn hit(&mut self, number: u32, row: &Row) {
        self.found.push(if self.uid { row.uid } else { number });
    }
}

fn format_next(mut line: String, number: u32) -> String {
    line.push(' ');
    line.push_str(&number.to_string());
    line
}

/// ```text
/// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
/// ```
fn extended(tag: &str, uid: bool, returns: Returns, found: &[u32]) -> String {
    let mut line = format!("ESEARCH (TAG \"{tag}\")");
    if uid {
        line.push_str(" UID");
    }
    if let (Some(min), Some(max)) = (found.first(), found.last()) {
        if returns.min {
            line.push_str(&format!(" MIN {min}"));
        }
        if returns.max {
            line.push_str(&format!(" MAX {max}"));
        }
        if returns.all {
            line.push_str(&format!(" ALL {}", write::uid_set(found.iter().copied())));
        }
    }
    if returns.count {
        line.push_str(&format!(" COUNT {}", found.len()));
    }
    line
}

impl Subject<'_> {
    /// Whether the message meets the key; `None` when more of it has to be read.
    fn decide(&self, key: &Key<Ranges>) -> Option<bool> {
        match key {
            Key::Test(test) => self.test(test),
            Key::Sequence(set) => Some(set.contains(self.number)),
            Key::Uid(set) => Some(set.contains(self.row.uid)),
            Key::Not(key) => self.decide(key).map(|met| !met),
            Key::Or(one, other) => match (self.decide(one), self.decide(other)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Key::And(keys) => {
                // Cheap keys are asked as well as dear ones: one that is not met decides.
                let mut met = Some(true);
                for key in keys {
                    match self.decide(key) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => met = None,
                    }
                }
                met
            }
        }
    }

    fn test(&self, test: &Test) -> Option<bool> {
        let size = u64::from(self.row.size);
        let internal = || internal_day(self.row.internal_date_s);
        // A message without a readable date was sent at no time.
        let sent = |met: fn(Day, Day) -> bool, day: &Day| {
            Some(sent_day(self.header()?).is_some_and(|sent| met(sent, *day)))
        };
        match test {
            Test::All => Some(true),
            Test::Nothing => Some(false),
            Test::Flag(flag) => Some(has_flag(&self.row.flags, flag)),
            Test::Larger(bytes) => Some(size > *bytes),
            Test::Smaller(bytes) => Some(size < *bytes),
            Test::Before(day) => Some(internal() < *day),
            Test::On(day) => Some(internal() == *day),
            Test::Since(day) => Some(internal() >= *day),
            Test::SentBefore(day) => sent(|sent, day| sent < day, day),
            Test::SentOn(day) => sent(|sent, day| sent == day, day),
            Test::SentSince(day) => sent(|sent, day| sent >= day, day),
            Test::Header(name, needle) => Some(header_holds(self.header()?, Some(name), needle)),
            Test::Body(needle) => Some(body_holds(self.whole()?, needle)),
            Test::Text(needle) => {
                let in_header = header_holds(self.header()?, None, needle);
                if in_header { Some(true) } else { Some(body_holds(self.whole()?, needle)) }
            }
        }
    }

    fn header(&self) -> Option<&[u8]> {
        match self.text {
            Text::Unread => None,
            Text::Header(header) => Some(header),
            Text::Whole(message) => Some(split(message).0),
        }
    }

    fn whole(&self) -> Option<&[u8]> {
        match self.text {
            Text::Unread | Text::Header(_) => None,
            Text::Whole(message) => Some(message),
        }
    }
}

/// Whether a field (of that name) holds the text, as it is read or as it stands. Over all fields the
/// names count too, as TEXT wants it.
fn header_holds(header: &[u8], name: Option<&str>, needle: &str) -> bool {
    fields(header).filter(|field| name.is_none_or(|name| field.is(name))).any(|field| {
        let raw = if name.is_some() { field.unfolded() } else { field.raw.to_vec() };
        needle.is_empty()
            || decode_field(field.value).to_lowercase().contains(needle)
            || String::from_utf8_lossy(&raw).to_lowercase().contains(needle)
    })
}

fn body_holds(message: &[u8], needle: &str) -> bool {
    let mut found = needle.is_empty();
    let _ = visit_texts(message, &Part::parse(message), &mut |text| {
        found |= text.to_lowercase().contains(needle);
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

fn internal_day(at_s: i64) -> Day {
    let at = Timestamp::from_second(at_s).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = at.to_zoned(TimeZone::UTC).date();
    Day {
        year: date.year().unsigned_abs(),
        month: date.month().unsigned_abs(),
        day: date.day().unsigned_abs(),
    }
}
