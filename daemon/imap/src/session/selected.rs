//! What the client was told about the selected mailbox, and how that becomes what is true now.
//!
//! Message numbers are positions in [`Selected::rows`]. They change only here, together with the lines
//! that tell the client (RFC 9051 §7.5.1).

use std::iter::Peekable;

use super::refresh::{Report, Stored};
use crate::ask::{Delta, Row, Snapshot};
use crate::parse::{Ranges, SequenceSet};
use crate::write;

pub struct Selected {
    pub mailbox: u128,
    pub read_only: bool,
    pub uid_validity: u32,
    pub version: u64,
    rows: Vec<Shown>,
    /// How many messages the client was told of.
    told: u32,
    /// Keywords that the client was told of.
    keywords: Vec<String>,
}

/// A message as the client knows it.
pub struct Shown {
    pub row: Row,
    /// It is expunged, and the client could not be told yet.
    pub gone: bool,
}

impl Selected {
    pub fn new(mailbox: u128, read_only: bool, snapshot: Snapshot) -> Self {
        let shown = |row| Shown { row, gone: false };
        let mut selected = Self {
            mailbox,
            read_only,
            uid_validity: snapshot.uid_validity,
            version: snapshot.version,
            rows: snapshot.rows.into_iter().map(shown).collect(),
            told: 0,
            keywords: Vec::new(),
        };
        selected.told = selected.count();
        selected.learn_keywords();
        selected
    }

    /// How many messages the client knows.
    pub fn count(&self) -> u32 {
        number(self.rows.len())
    }

    pub fn rows(&self) -> &[Shown] {
        &self.rows
    }

    pub fn largest_uid(&self) -> u32 {
        self.rows.last().map_or(0, |shown| shown.row.uid)
    }

    /// The messages of a set that are still there, with their numbers.
    pub fn in_set(&self, set: &SequenceSet, uid: bool) -> impl Iterator<Item = (u32, &Row)> {
        let ranges = self.resolve(set, uid);
        self.numbered()
            .filter(move |(number, shown)| {
                !shown.gone && ranges.contains(if uid { shown.row.uid } else { *number })
            })
            .map(|(number, shown)| (number, &shown.row))
    }

    pub fn resolve(&self, set: &SequenceSet, uid: bool) -> Ranges {
        set.resolve(if uid { self.largest_uid() } else { self.count() })
    }

    pub fn numbered(&self) -> impl Iterator<Item = (u32, &Shown)> {
        (1..).zip(&self.rows)
    }

    /// Whether expunges wait to be told.
    pub fn holds_expunges(&self) -> bool {
        self.rows.iter().any(|shown| shown.gone)
    }

    /// `FLAGS`, and what of them a client may set (RFC 9051 §7.3.5, §7.1 PERMANENTFLAGS).
    pub fn flag_lines(&self) -> String {
        let mut flags = "\\Answered \\Flagged \\Deleted \\Seen \\Draft".to_owned();
        for keyword in &self.keywords {
            flags.push(' ');
            flags.push_str(keyword);
        }
        let permanent = if self.read_only { String::new() } else { format!("{flags} \\*") };
        format!("* FLAGS ({flags})\r\n* OK [PERMANENTFLAGS ({permanent})] these can be set\r\n")
    }

    /// The lines that tell the client what is true now: expunges from the last message down, then flags
    /// (of `changed` rows, as [`Selected::merge`] gives them), then how many there are.
    pub fn tell(&mut self, changed: &[(u32, Vec<String>)], report: &Report) -> String {
        let told = self.told;
        let mut lines = String::new();
        let expunged = if report.hold_expunges { 0 } else { self.drop_gone(&mut lines) };
        if self.learn_keywords() {
            lines.push_str(&self.flag_lines());
        }
        for (number, shown) in self.numbered() {
            let told_before = match changed.binary_search_by_key(&shown.row.uid, |(uid, _)| *uid) {
                Ok(at) => Some(changed[at].1.as_slice()),
                Err(_) => None,
            };
            if report.tells(&shown.row, told_before) && !shown.gone {
                lines.push_str(&flags_line(number, &shown.row, report.with_uid));
            }
        }
        if self.count() + expunged != told {
            lines.push_str(&format!("* {} EXISTS\r\n", self.count()));
        }
        self.told = self.count();
        lines
    }

    /// Joins the rows the client knows with those there are. Gives UID and old flags of each whose
    /// flags are others now, by ascending UID.
    ///
    /// | in the client's list | in the box's | becomes |
    /// |---|---|---|
    /// | yes | yes | the box's row |
    /// | yes | no | gone |
    /// | no | yes, above all the client knows | appended |
    /// | no | yes, below one it knows | left out: it cannot have a number in this session |
    ///
    /// The last case does not occur: new messages are shown above every UIDNEXT told.
    pub fn merge(&mut self, snapshot: Snapshot) -> Vec<(u32, Vec<String>)> {
        self.version = snapshot.version;
        let mut changed = Vec::new();
        let mut now = snapshot.rows.into_iter().peekable();
        for shown in &mut self.rows {
            match row_of(&mut now, shown.row.uid) {
                None => shown.gone = true,
                Some(row) => {
                    let before = std::mem::replace(&mut shown.row, row);
                    if !same_flags(&before.flags, &shown.row.flags) {
                        changed.push((before.uid, before.flags));
                    }
                }
            }
        }
        self.rows.extend(now.map(|row| Shown { row, gone: false }));
        changed
    }

    /// The same from what is different only.
    pub fn lay_over(&mut self, delta: Delta) -> Vec<(u32, Vec<String>)> {
        self.version = delta.version;
        let mut changed = Vec::new();
        for row in delta.rows {
            match self.rows.binary_search_by_key(&row.uid, |shown| shown.row.uid) {
                Ok(at) => {
                    let before = std::mem::replace(&mut self.rows[at].row, row);
                    if !same_flags(&before.flags, &self.rows[at].row.flags) {
                        changed.push((before.uid, before.flags));
                    }
                }
                Err(at) if at == self.rows.len() => self.rows.push(Shown { row, gone: false }),
                Err(_) => {}
            }
        }
        for uid in delta.gone {
            if let Ok(at) = self.rows.binary_search_by_key(&uid, |shown| shown.row.uid) {
                self.rows[at].gone = true;
            }
        }
        changed
    }

    fn drop_gone(&mut self, lines: &mut String) -> u32 {
        let gone: Vec<u32> =
            self.numbered().filter(|(_, shown)| shown.gone).map(|(number, _)| number).collect();
        for number in gone.iter().rev() {
            lines.push_str(&format!("* {number} EXPUNGE\r\n"));
        }
        self.rows.retain(|shown| !shown.gone);
        number(gone.len())
    }

    /// Whether there are keywords that the client was not told of.
    fn learn_keywords(&mut self) -> bool {
        let before = self.keywords.len();
        for shown in &self.rows {
            for flag in shown.row.flags.iter().filter(|flag| !flag.starts_with('\\')) {
                if !has_flag(&self.keywords, flag) {
                    self.keywords.push(flag.clone());
                }
            }
        }
        self.keywords.len() > before
    }
}

impl Report {
    /// Whether a message's flags are told: when they changed, unless this client's own silent STORE did
    /// just that, and in any case when it stored them and wants to hear.
    fn tells(&self, row: &Row, told_before: Option<&[String]>) -> bool {
        let own = self.stored.as_ref().filter(|stored| stored.uids.binary_search(&row.uid).is_ok());
        match (own, told_before) {
            (None, before) => before.is_some(),
            (Some(Stored { silent: false, .. }), _) => true,
            (Some(stored), Some(before)) => !same_flags(&stored.expected(before), &row.flags),
            (Some(stored), None) => !same_flags(&stored.expected(&row.flags), &row.flags),
        }
    }
}

/// The row with this UID, passing over smaller ones.
fn row_of(rows: &mut Peekable<std::vec::IntoIter<Row>>, uid: u32) -> Option<Row> {
    while rows.next_if(|row| row.uid < uid).is_some() {}
    rows.next_if(|row| row.uid == uid)
}

fn flags_line(number: u32, row: &Row, with_uid: bool) -> String {
    let uid = if with_uid { format!("UID {} ", row.uid) } else { String::new() };
    format!("* {number} FETCH ({uid}FLAGS ({}))\r\n", write::flags(&row.flags))
}

/// Keywords do not depend on case (RFC 9051 §2.3.2).
pub fn has_flag(flags: &[String], flag: &str) -> bool {
    flags.iter().any(|known| known.eq_ignore_ascii_case(flag))
}

fn same_flags(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|flag| has_flag(other, flag))
}

/// Message numbers have 32 bits; a mailbox with more messages would have run out of UIDs before.
fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
