//! FETCH and UID FETCH (RFC 9051 §6.4.5).
//!
//! Message after message: read what is needed of one, answer, go on. `\Seen` is set at the end, for all
//! messages whose text was sent, with one change; the client hears of it before the tagged OK.

use std::ops::Range;
use std::sync::Arc;

use message::{Envelope, Found, Part, header_length};

use super::outbox::Outbox;
use super::selected::has_flag;
use super::{Doing, Report, Session, failure_text};
use crate::ask::{self, Answer, Ask, Change, Failure, Row};
use crate::facts::Facts;
use crate::parse::{Item, Ranges, SequenceSet};
use crate::write;

/// A FETCH on its way.
pub struct Fetch {
    tag: String,
    uid: bool,
    items: Vec<Item>,
    wanted: Ranges,
    /// How much of each message the items need.
    read: Option<ask::Read>,
    /// Message number to go on with, minus one.
    next: usize,
    /// Entries to mark as seen.
    seen: Vec<u128>,
    /// Some message numbers stand for messages that are expunged already. UIDs that are gone are
    /// passed over like those that never were (RFC 9051 §6.4.9).
    missing: bool,
}

/// What was read of a message.
enum Known {
    Facts(Arc<Facts>),
    Text(Text),
}

/// A message, as far as it was read.
struct Text {
    bytes: Arc<[u8]>,
    /// Its structure, if it was read whole and some item needs that.
    root: Option<Part>,
}

impl Session {
    pub(super) fn fetch(
        &mut self,
        tag: String,
        uid: bool,
        set: &SequenceSet,
        mut items: Vec<Item>,
    ) {
        let Some(selected) = self.selected() else { return };
        if !uid && set.exceeds(selected.count()) {
            return self.bad(Some(tag), "there is no message with that number");
        }
        if uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid); // RFC 9051 §6.4.9: told whether asked for or not
        }
        let wanted = selected.resolve(set, uid);
        let read = what_to_read(&items);
        let (next, seen, missing) = (0, Vec::new(), false);
        let fetch = Fetch { tag, uid, items, wanted, read, next, seen, missing };
        self.doing = Doing::Fetching(Box::new(fetch));
    }

    /// Answers for the next messages until there is enough to send or something to read.
    pub(super) fn fetch_on(&mut self, mut fetch: Box<Fetch>) -> bool {
        while !self.out.is_full() {
            let Some(selected) = self.selected() else { return true };
            let Some(shown) = selected.rows().get(fetch.next) else {
                self.fetched(*fetch);
                return true;
            };
            fetch.next += 1;
            let number = u32::try_from(fetch.next).unwrap_or(u32::MAX);
            if !fetch.wanted.contains(if fetch.uid { shown.row.uid } else { number }) {
                continue;
            }
            if shown.gone {
                fetch.missing = !fetch.uid;
                continue;
            }
            let row = shown.row.clone();
            let Some(what) = fetch.read else {
                respond(&mut self.out, number, &row, &fetch.items, None);
                continue;
            };
            self.ask(Ask::Read { entry: row.entry, what }, move |session, answer| {
                session.fetch_text(fetch, number, &row, answer);
            });
            return true;
        }
        self.doing = Doing::Fetching(fetch);
        true
    }

    fn fetch_text(&mut self, mut fetch: Box<Fetch>, number: u32, row: &Row, answer: Answer) {
        match answer {
            Answer::Bytes(_) | Answer::Facts(_) => {
                let known = match answer {
                    Answer::Bytes(bytes) => Some(Known::Text(Text::new(bytes, &fetch))),
                    Answer::Facts(facts) => Some(Known::Facts(facts)),
                    _ => None,
                };
                respond(&mut self.out, number, row, &fetch.items, known.as_ref());
                if fetch.items.iter().any(marks_seen) && !has_flag(&row.flags, "\\Seen") {
                    fetch.seen.push(row.entry);
                }
            }
            Answer::Failed(Failure::NoSuchMessage) => {
                fetch.missing = !fetch.uid;
                self.changed = true;
            }
            other => {
                let text = failure_text(&other, "NONEXISTENT");
                let report = Report { hold_expunges: !fetch.uid, ..Report::default() };
                return self.finish(fetch.tag, &text, report);
            }
        }
        self.doing = Doing::Fetching(fetch);
    }

    fn fetched(&mut self, fetch: Fetch) {
        let Fetch { tag, uid, seen: entries, missing, .. } = fetch;
        let text = match missing {
            true => "NO [EXPUNGEISSUED] some of the messages are gone",
            false => "OK FETCH done",
        };
        let look = Report { look: true, hold_expunges: !uid, with_uid: uid, stored: None };
        match self.selected() {
            Some(selected) if !selected.read_only && !entries.is_empty() => {
                let (mailbox, flags) = (selected.mailbox, vec!["\\Seen".to_owned()]);
                let ask = Ask::Store { mailbox, entries, change: Change::Add, flags };
                // If the mark cannot be set now, the messages were still read.
                self.ask(ask, move |session, _| session.finish(tag, text, look));
            }
            _ => self.finish(tag, text, Report { look: false, ..look }),
        }
    }
}

impl Text {
    fn new(bytes: Arc<[u8]>, fetch: &Fetch) -> Self {
        let whole = fetch.read == Some(ask::Read::Whole);
        let root = (whole && fetch.items.iter().any(needs_structure)).then(|| Part::parse(&bytes));
        Self { bytes, root }
    }

    fn header(&self) -> &[u8] {
        match &self.root {
            Some(root) => self.bytes.get(root.header.clone()).unwrap_or_default(),
            None => &self.bytes[..header_length(&self.bytes)],
        }
    }
}

/// As little as will do for all of the items.
fn what_to_read(items: &[Item]) -> Option<ask::Read> {
    let read = items.iter().filter_map(needs).max_by_key(|read| *read == ask::Read::Whole)?;
    let mut needing = items.iter().filter(|item| needs(item).is_some());
    Some(if needing.all(Facts::answer_item) { ask::Read::Facts } else { read })
}

fn needs(item: &Item) -> Option<ask::Read> {
    match item {
        Item::Flags | Item::Uid | Item::InternalDate | Item::Size | Item::ModSeq => None,
        Item::Envelope => Some(ask::Read::Header),
        Item::Section(item) if item.section.needs_only_header() => Some(ask::Read::Header),
        Item::Body | Item::BodyStructure | Item::Section(_) => Some(ask::Read::Whole),
    }
}

fn needs_structure(item: &Item) -> bool {
    match item {
        Item::Body | Item::BodyStructure => true,
        Item::Section(item) => !item.section.is_whole() && !item.section.needs_only_header(),
        _ => false,
    }
}

fn marks_seen(item: &Item) -> bool {
    matches!(item, Item::Section(section) if section.marks_seen)
}

/// `"*" SP nz-number SP "FETCH" SP "(" msg-att ")"`
fn respond(out: &mut Outbox, number: u32, row: &Row, items: &[Item], known: Option<&Known>) {
    out.send(format!("* {number} FETCH (").as_bytes());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.send(b" ");
        }
        match (item, known) {
            (Item::Flags, _) => send(out, &format!("FLAGS ({})", write::flags(&row.flags))),
            (Item::Uid, _) => send(out, &format!("UID {}", row.uid)),
            (Item::InternalDate, _) => {
                send(out, &format!("INTERNALDATE {}", write::date_time(row.internal_date_s)));
            }
            (Item::Size, _) => send(out, &format!("RFC822.SIZE {}", row.size)),
            (Item::ModSeq, _) => send(out, &format!("MODSEQ ({})", row.modseq)),
            (Item::Envelope, Some(Known::Facts(facts))) => {
                send(out, "ENVELOPE ");
                out.send(&facts.envelope);
            }
            (Item::Body, Some(Known::Facts(facts))) => {
                send(out, "BODY ");
                out.send(&facts.body);
            }
            (Item::BodyStructure, Some(Known::Facts(facts))) => {
                send(out, "BODYSTRUCTURE ");
                out.send(&facts.body_structure);
            }
            (Item::Envelope, Some(Known::Text(text))) => {
                let mut shown = b"ENVELOPE ".to_vec();
                write::envelope(&mut shown, &Envelope::of(text.header()));
                out.send(&shown);
            }
            (
                Item::Body | Item::BodyStructure,
                Some(Known::Text(Text { bytes, root: Some(root) })),
            ) => {
                let extended = *item == Item::BodyStructure;
                let mut shown =
                    if extended { b"BODYSTRUCTURE ".to_vec() } else { b"BODY ".to_vec() };
                write::body(&mut shown, bytes, root, extended);
                out.send(&shown);
            }
            (Item::Section(item), Some(known)) => {
                send(out, &item.label);
                out.send(b" ");
                match known {
                    Known::Text(text) => {
                        send_found(out, &text.bytes, find(item, text), item.partial);
                    }
                    Known::Facts(facts) => {
                        let found = item.section.find_in_header(&facts.header);
                        send_found(out, &Arc::from([]), found, item.partial);
                    }
                }
            }
            // Not reached: what these need was read. NIL keeps the response well-formed.
            (Item::Envelope | Item::Body | Item::BodyStructure | Item::Section(_), _) => {
                out.send(b"BODY NIL");
            }
        }
    }
    out.send(b")\r\n");
}

fn find(item: &crate::parse::SectionItem, text: &Text) -> Option<Found> {
    let section = &item.section;
    match &text.root {
        _ if section.is_whole() => Some(Found::Range(0..text.bytes.len())),
        Some(root) => section.find(&text.bytes, root),
        None => section.find_in_header(text.header()),
    }
}

/// `nstring`, always as a literal: NIL where there is no such part.
fn send_found(
    out: &mut Outbox,
    message: &Arc<[u8]>,
    found: Option<Found>,
    partial: Option<(u64, u64)>,
) {
    match found {
        None => out.send(b"NIL"),
        Some(Found::Range(range)) => {
            let range = cut(range, partial);
            send(out, &format!("{{{}}}\r\n", range.len()));
            out.send_shared(message, range);
        }
        Some(Found::Built(bytes)) => {
            let range = cut(0..bytes.len(), partial);
            send(out, &format!("{{{}}}\r\n", range.len()));
            out.send(&bytes[range]);
        }
    }
}

/// The part of `range` that a partial asks for; empty when it begins behind the end.
fn cut(range: Range<usize>, partial: Option<(u64, u64)>) -> Range<usize> {
    let Some((first, length)) = partial else { return range };
    let bounded = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let start = range.start.saturating_add(bounded(first)).min(range.end);
    start..start.saturating_add(bounded(length)).min(range.end)
}

fn send(out: &mut Outbox, text: &str) {
    out.send(text.as_bytes());
}
