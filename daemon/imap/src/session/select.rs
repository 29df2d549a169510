//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2).

use super::selected::{Selected, has_flag};
use super::{Output, Report, Session, State};
use crate::ask::{Answer, Ask, Snapshot};

impl Session {
    /// The mailbox selected before is left in any case, also when the new one is not there. The box
    /// watches the new one before it takes the snapshot, so that no change falls in between.
    pub(super) fn select(&mut self, tag: String, mailbox: String, read_only: bool) {
        if self.leave() {
            self.untagged("OK [CLOSED] the mailbox before is closed");
        }
        self.look_up(tag, mailbox, "NONEXISTENT", move |session, tag, found| {
            let mailbox = found.id;
            session.out.push(Output::Watch { mailbox });
            session.changed = false;
            session.ask(Ask::Select { mailbox }, move |session, answer| match answer {
                Answer::Snapshot(snapshot) => session.opened(&tag, mailbox, read_only, snapshot),
                other => {
                    session.out.push(Output::Unwatch);
                    session.failed(tag, other);
                }
            });
        });
    }

    fn opened(&mut self, tag: &str, mailbox: u128, read_only: bool, snapshot: Snapshot) {
        let (uid_validity, uid_next) = (snapshot.uid_validity, snapshot.uid_next);
        let selected = Selected::new(mailbox, read_only, snapshot);
        self.out.send(selected.flag_lines().as_bytes());
        self.untagged(&format!("{} EXISTS", selected.count()));
        self.untagged("0 RECENT");
        let unseen = |row: &crate::ask::Row| !has_flag(&row.flags, "\\Seen");
        if let Some((first, _)) = selected.numbered().find(|(_, shown)| unseen(&shown.row)) {
            self.untagged(&format!("OK [UNSEEN {first}] the first without \\Seen"));
        }
        self.untagged(&format!("OK [UIDVALIDITY {uid_validity}] UIDs are valid"));
        self.untagged(&format!("OK [UIDNEXT {uid_next}] the next UID"));
        self.state = State::Selected(Box::new(selected));
        let (mode, verb) =
            if read_only { ("READ-ONLY", "EXAMINE") } else { ("READ-WRITE", "SELECT") };
        self.tagged(tag, &format!("OK [{mode}] {verb} done"));
    }

    pub(super) fn unselect(&mut self, tag: &str) {
        self.leave();
        self.tagged(tag, "OK UNSELECT done");
    }

    /// Expunges what is marked, without telling, and leaves the mailbox. It is left also when the
    /// messages could not be expunged: they stay marked.
    pub(super) fn close(&mut self, tag: String) {
        if self.selected().is_some_and(|selected| selected.read_only) {
            self.leave();
            return self.tagged(&tag, "OK CLOSE done");
        }
        let report = Report { look: true, hold_expunges: true, ..Report::default() };
        self.look(report, move |session| {
            let (mailbox, entries) = session.marked_deleted(None);
            session.leave();
            if entries.is_empty() {
                return session.tagged(&tag, "OK CLOSE done");
            }
            session.ask(Ask::Expunge { mailbox, entries }, move |session, answer| {
                session.done(tag, answer, "CLOSE");
            });
        });
    }

    /// Back to no mailbox selected; whether there was one.
    pub(super) fn leave(&mut self) -> bool {
        let was_selected = matches!(self.state, State::Selected(_));
        if was_selected {
            self.state = State::Authenticated;
            self.changed = false;
            self.out.push(Output::Unwatch);
        }
        was_selected
    }
}
