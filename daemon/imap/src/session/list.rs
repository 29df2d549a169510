//! LIST with its extensions, and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5819).

use std::collections::{BTreeMap, VecDeque};

use super::{Report, Session};
use crate::ask::{Answer, Ask, Mailbox, SpecialUse};
use crate::parse::{self, StatusItem};
use crate::write;

/// A name to list: a mailbox, or a level above one that is no mailbox itself.
struct Name {
    mailbox: Option<Mailbox>,
    has_children: bool,
    /// Something below it is selected by the selection options.
    selected_below: bool,
}

impl Session {
    pub(super) fn list(&mut self, tag: String, list: parse::List) {
        if list.patterns.iter().all(String::is_empty) {
            // A question for the delimiter only.
            self.untagged("LIST (\\NoSelect) \"/\" \"\"");
            return self.finish(tag, "OK LIST done", Report::default());
        }
        self.list_mailboxes(tag, move |session, tag, mailboxes| {
            let mut statuses = VecDeque::new();
            for (name, entry) in names(mailboxes, &list) {
                let Some(attributes) = attributes(&name, &entry, &list) else { continue };
                let line = format!("LIST ({attributes}) \"/\" {}", write::mailbox(&name));
                let selected_below = entry.selected_below && list.recursive;
                let child_info =
                    if selected_below { " (\"CHILDINFO\" (\"SUBSCRIBED\"))" } else { "" };
                let wants_status = !list.returns.status.is_empty();
                let mailbox = entry.mailbox.filter(|_| wants_status);
                statuses.push_back((format!("{line}{child_info}"), mailbox));
            }
            session.list_lines(tag, statuses, list.returns.status);
        });
    }

    /// The lines, each followed by the mailbox's STATUS where that is wanted.
    fn list_lines(
        &mut self,
        tag: String,
        mut lines: VecDeque<(String, Option<Mailbox>)>,
        items: Vec<StatusItem>,
    ) {
        while let Some((line, mailbox)) = lines.pop_front() {
            self.untagged(&line);
            if let Some(Mailbox { id, name, .. }) = mailbox {
                return self.ask(Ask::Status { mailbox: id }, move |session, answer| {
                    // A mailbox that vanished meanwhile has no STATUS (RFC 5819 §2).
                    if let Answer::Status(status) = answer {
                        session.status_line(&name, &status, &items);
                    }
                    session.list_lines(tag, lines, items);
                });
            }
        }
        self.finish(tag, "OK LIST done", Report::default());
    }

    /// Subscribed mailboxes; also names above them that `%` matches and that are not subscribed.
    pub(super) fn lsub(&mut self, tag: String, list: parse::List) {
        self.list_mailboxes(tag, move |session, tag, mailboxes| {
            for (name, entry) in names(mailboxes, &list) {
                let subscribed = entry.mailbox.is_some_and(|mailbox| mailbox.subscribed);
                let attributes = if subscribed { "" } else { "\\NoSelect" };
                let percent = list.patterns.iter().any(|pattern| pattern.ends_with('%'));
                if subscribed || (entry.selected_below && percent) {
                    session
                        .untagged(&format!("LSUB ({attributes}) \"/\" {}", write::mailbox(&name)));
                }
            }
            session.finish(tag, "OK LSUB done", Report::default());
        });
    }
}

/// All names that match a pattern, INBOX first.
fn names(mailboxes: Vec<Mailbox>, list: &parse::List) -> Vec<(String, Name)> {
    let mut names: BTreeMap<String, Name> = BTreeMap::new();
    let empty = || Name { mailbox: None, has_children: false, selected_below: false };
    for mailbox in mailboxes {
        let selected = selects(&mailbox, list);
        for (end, _) in mailbox.name.match_indices('/') {
            let above = names.entry(mailbox.name[..end].to_owned()).or_insert_with(empty);
            above.has_children = true;
            above.selected_below |= selected;
        }
        let name = mailbox.name.clone();
        names.entry(name).or_insert_with(empty).mailbox = Some(mailbox);
    }
    let patterns: Vec<String> =
        list.patterns.iter().map(|pattern| format!("{}{pattern}", list.reference)).collect();
    names.retain(|name, _| patterns.iter().any(|pattern| matches(pattern, name)));
    let mut names: Vec<(String, Name)> = names.into_iter().collect();
    names.sort_by_key(|(name, _)| name != "INBOX");
    names
}

fn selects(mailbox: &Mailbox, list: &parse::List) -> bool {
    (!list.subscribed || mailbox.subscribed) && (!list.special_use || mailbox.special_use.is_some())
}

/// The attributes of a name in LIST; `None` when the selection options leave it out.
fn attributes(name: &str, entry: &Name, list: &parse::List) -> Option<String> {
    let selected = entry.mailbox.as_ref().is_some_and(|mailbox| selects(mailbox, list));
    let options = list.subscribed || list.special_use;
    let above = if options { entry.selected_below && list.recursive } else { entry.has_children };
    if !selected && !above {
        return None;
    }
    let mut attributes = Vec::new();
    match &entry.mailbox {
        None => attributes.push("\\NonExistent \\NoSelect"),
        Some(mailbox) => {
            if list.returns.subscribed && mailbox.subscribed {
                attributes.push("\\Subscribed");
            }
            attributes.extend(mailbox.special_use.map(special_use));
        }
    }
    attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    debug_assert!(!name.is_empty());
    Some(attributes.join(" "))
}

/// RFC 6154 §2.
fn special_use(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}

/// `*` stands for anything, `%` for anything but `/`. INBOX matches in any case.
fn matches(pattern: &str, name: &str) -> bool {
    wildcard(pattern.as_bytes(), name.as_bytes())
        || (name == "INBOX" && wildcard(pattern.to_ascii_uppercase().as_bytes(), b"INBOX"))
}

/// Takes time pattern times name and no recursion: `reach[i]` says that the pattern so far can end
/// after `i` bytes of the name.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for &wanted in pattern {
        match wanted {
            b'*' | b'%' => {
                for at in 0..name.len() {
                    reach[at + 1] |= reach[at] && (wanted == b'*' || name[at] != b'/');
                }
            }
            _ => {
                for at in (0..name.len()).rev() {
                    reach[at + 1] = reach[at] && name[at] == wanted;
                }
                reach[0] = false;
            }
        }
    }
    reach[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%", "a", true),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a*c", "a/b/c", true),
            ("%/%", "a/b", true),
            ("*b", "abab", true),
            ("a", "a", true),
            ("a", "A", false),
            ("inb*", "INBOX", true),
            ("inbox", "INBOX", true),
            ("", "a", false),
            ("a%", "a", true),
            ("**%%*", "", true),
            ("ü%", "übung", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
