//! RENAME (RFC 9051 §6.3.6).

use std::collections::VecDeque;

use super::create::{check_name, missing_above};
use super::{Report, Session};
use crate::ask::{Answer, Ask, Failure, Mailbox};

impl Session {
    /// Mailboxes below are renamed with it, from the top down; the levels above the new name are
    /// created. INBOX stays, empty: its messages move into the new mailbox.
    pub(super) fn rename(&mut self, tag: String, from: String, to: String) {
        if let Err(why) = check_name(&to) {
            return self.finish(tag, &format!("NO [CANNOT] {why}"), Report::default());
        }
        self.list_mailboxes(tag, move |session, tag, mailboxes| {
            let renames = renames(&from, &to, &mailboxes);
            if renames.is_empty() {
                return session.failed(tag, Answer::Failed(Failure::NoSuchMailbox));
            }
            if to.strip_prefix(&from).is_some_and(|below| below.starts_with('/')) && from != "INBOX"
            {
                let text = "NO [CANNOT] a mailbox cannot go below itself";
                return session.finish(tag, text, Report::default());
            }
            if mailboxes.iter().any(|mailbox| renames.iter().any(|(_, new)| mailbox.name == *new)) {
                return session.failed(tag, Answer::Failed(Failure::AlreadyExists));
            }
            let above = missing_above(&to, &mailboxes);
            session.create_all(tag, above, move |session, tag| {
                if from == "INBOX" {
                    let inbox = renames[0].0;
                    session.empty_inbox(tag, inbox, to);
                } else {
                    session.rename_all(tag, renames.into());
                }
            });
        });
    }

    fn rename_all(&mut self, tag: String, mut renames: VecDeque<(u128, String)>) {
        let Some((mailbox, name)) = renames.pop_front() else {
            return self.finish(tag, "OK RENAME done", Report::default());
        };
        self.ask(Ask::Rename { mailbox, name }, move |session, answer| match answer {
            Answer::Done => session.rename_all(tag, renames),
            other => session.failed(tag, other),
        });
    }

    fn empty_inbox(&mut self, tag: String, inbox: u128, to: String) {
        self.ask(Ask::Create { name: to }, move |session, answer| match answer {
            Answer::Created { mailbox } => session.move_all(tag, inbox, mailbox),
            other => session.failed(tag, other),
        });
    }

    fn move_all(&mut self, tag: String, from: u128, to: u128) {
        self.ask(Ask::Select { mailbox: from }, move |session, answer| {
            let entries: Vec<u128> = match answer {
                Answer::Snapshot(snapshot) => snapshot.rows.iter().map(|row| row.entry).collect(),
                other => return session.failed(tag, other),
            };
            if entries.is_empty() {
                return session.finish(tag, "OK RENAME done", Report::default());
            }
            session.ask(Ask::Move { from, entries, to }, move |session, answer| match answer {
                Answer::Copied(_) => {
                    let look = session.selected().is_some_and(|now| now.mailbox == from);
                    session.finish(tag, "OK RENAME done", Report { look, ..Report::default() });
                }
                other => session.failed(tag, other),
            });
        });
    }
}

/// The mailboxes to rename and their new names, those above before those below. INBOX goes alone.
fn renames(from: &str, to: &str, mailboxes: &[Mailbox]) -> Vec<(u128, String)> {
    let mut renames: Vec<(u128, String)> = mailboxes
        .iter()
        .filter_map(|mailbox| {
            let rest = mailbox.name.strip_prefix(from)?;
            let below = rest.starts_with('/') && from != "INBOX";
            (rest.is_empty() || below).then(|| (mailbox.id, format!("{to}{rest}")))
        })
        .collect();
    renames.sort_by(|one, other| one.1.cmp(&other.1));
    renames
}
