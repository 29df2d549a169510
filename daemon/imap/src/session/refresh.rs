//! Looking whether the selected mailbox changed, and telling the client, at the end of a command or
//! while it idles (RFC 9051 §7.5.1, RFC 2180).

use super::{Session, failure_text};
use crate::ask::{Answer, Ask, Change, Failure};
use crate::session::selected::has_flag;

/// How to look and what to tell.
#[derive(Default)]
pub struct Report {
    /// Look even if the box has not said that something changed.
    pub look: bool,
    /// Message numbers must not change now: the command named messages by number, and another that
    /// does may be on its way (RFC 9051 §7.5.1).
    pub hold_expunges: bool,
    /// Give the UID with each message's flags.
    pub with_uid: bool,
    /// What this command stored itself.
    pub stored: Option<Stored>,
}

/// A STORE that was done.
pub struct Stored {
    /// In ascending order.
    pub uids: Vec<u32>,
    pub silent: bool,
    pub change: Change,
    pub flags: Vec<String>,
}

impl Stored {
    /// The flags that a silent client believes in now.
    pub fn expected(&self, before: &[String]) -> Vec<String> {
        let named = |flag: &&String| has_flag(&self.flags, flag);
        let kept = before.iter();
        match self.change {
            Change::Replace => self.flags.clone(),
            Change::Remove => kept.filter(|flag| !named(flag)).cloned().collect(),
            Change::Add => kept.filter(|flag| !named(flag)).chain(&self.flags).cloned().collect(),
        }
    }
}

impl Session {
    /// The end of a command: tells what changed, then `text` under the command's tag.
    pub(super) fn finish(&mut self, tag: String, text: &str, report: Report) {
        let text = text.to_owned();
        self.look(report, move |session| session.tagged(&tag, &text));
    }

    /// Tells what changed in the selected mailbox, if one is selected, and goes on.
    pub(super) fn look(
        &mut self,
        report: Report,
        then: impl FnOnce(&mut Self) + Send + Sync + 'static,
    ) {
        let wanted = self.changed || report.look;
        let Some(selected) = self.selected() else { return then(self) };
        if !wanted {
            if !report.hold_expunges && selected.holds_expunges() {
                let lines = selected.tell(&[], &report);
                self.out.send(lines.as_bytes());
            }
            return then(self);
        }
        let ask = Ask::Refresh { mailbox: selected.mailbox, version: selected.version };
        self.changed = false;
        self.ask(ask, move |session, answer| {
            if session.refreshed(answer, &report) {
                then(session);
            }
        });
    }

    /// Whether the session goes on.
    fn refreshed(&mut self, answer: Answer, report: &Report) -> bool {
        let Some(selected) = self.selected() else { return true };
        let changed = match answer {
            Answer::Unchanged => Vec::new(),
            Answer::Delta(delta) => selected.lay_over(delta),
            Answer::Snapshot(now) if now.uid_validity == selected.uid_validity => {
                selected.merge(now)
            }
            Answer::Snapshot(_) => {
                self.bye("the selected mailbox was joined with another, select it again");
                return false;
            }
            Answer::Failed(Failure::NoSuchMailbox) => {
                self.bye("the selected mailbox was deleted");
                return false;
            }
            other => {
                // What the client knows stays as it is; it is told the next time.
                let text = failure_text(&other, "NONEXISTENT");
                self.untagged(&text);
                return true;
            }
        };
        let lines = selected.tell(&changed, report);
        self.out.send(lines.as_bytes());
        true
    }
}
