//! CREATE, DELETE, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4, §6.3.5, §6.3.7, §6.3.8).

use std::collections::VecDeque;

use super::{Report, Session};
use crate::ask::{Answer, Ask, Failure, Mailbox};
use crate::limits::{MAILBOX_LEVELS_MAX, MAILBOX_NAME_BYTES_MAX};

impl Session {
    /// A `/` at the end only says that more will be created below (RFC 9051 §6.3.4).
    pub(super) fn create(&mut self, tag: String, name: String) {
        let name = name.strip_suffix('/').map(str::to_owned).unwrap_or(name);
        if let Err(why) = check_name(&name) {
            return self.finish(tag, &format!("NO [CANNOT] {why}"), Report::default());
        }
        self.list_mailboxes(tag, move |session, tag, mailboxes| {
            if mailboxes.iter().any(|mailbox| mailbox.name == name) {
                return session.failed(tag, Answer::Failed(Failure::AlreadyExists));
            }
            let mut missing = missing_above(&name, &mailboxes);
            missing.push_back(name);
            session.create_all(tag, missing, |session, tag| {
                session.finish(tag, "OK CREATE done", Report::default());
            });
        });
    }

    /// Creates one mailbox after the other and goes on.
    pub(super) fn create_all(
        &mut self,
        tag: String,
        mut names: VecDeque<String>,
        then: impl FnOnce(&mut Self, String) + Send + Sync + 'static,
    ) {
        let Some(name) = names.pop_front() else { return then(self, tag) };
        self.ask(Ask::Create { name }, move |session, answer| match answer {
            Answer::Created { .. } => session.create_all(tag, names, then),
            other => session.failed(tag, other),
        });
    }

    /// Mailboxes below keep their names; the deleted one is then listed as nonexistent.
    pub(super) fn delete(&mut self, tag: String, name: String) {
        if name == "INBOX" {
            return self.finish(tag, "NO [CANNOT] the inbox cannot be deleted", Report::default());
        }
        self.look_up(tag, name, "NONEXISTENT", |session, tag, found| {
            let mailbox = found.id;
            session.ask(Ask::Delete { mailbox }, move |session, answer| {
                let own = session.selected().is_some_and(|selected| selected.mailbox == mailbox);
                if own && answer == Answer::Done {
                    session.leave();
                }
                session.done(tag, answer, "DELETE");
            });
        });
    }

    pub(super) fn subscribe(&mut self, tag: String, name: String, subscribed: bool) {
        let verb = if subscribed { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
        self.look_up(tag, name, "NONEXISTENT", move |session, tag, found| {
            let ask = Ask::Subscribe { mailbox: found.id, subscribed };
            session.ask(ask, move |session, answer| session.done(tag, answer, verb));
        });
    }
}

/// The levels above `name` that do not exist, from the top.
pub(super) fn missing_above(name: &str, mailboxes: &[Mailbox]) -> VecDeque<String> {
    let above = name.match_indices('/').map(|(end, _)| &name[..end]);
    let missing = above.filter(|above| !mailboxes.iter().any(|mailbox| mailbox.name == *above));
    missing.map(str::to_owned).collect()
}

/// Whether a mailbox can have this name. `*` and `%` are wildcards of LIST, control characters break
/// what others show.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > MAILBOX_NAME_BYTES_MAX {
        return Err("the name is too long");
    }
    if name.split('/').count() > MAILBOX_LEVELS_MAX {
        return Err("the name has too many levels");
    }
    if name.split('/').any(|level| level.trim().is_empty() || level == "." || level == "..") {
        return Err("a level of the name is empty");
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '*' | '%')) {
        return Err("the name has characters that no mailbox name can have");
    }
    Ok(())
}
