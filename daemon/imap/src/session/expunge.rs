//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9).

use super::selected::has_flag;
use super::{Report, Session};
use crate::ask::{Answer, Ask};
use crate::parse::SequenceSet;

impl Session {
    /// Looks first, so that what counts are the marks that are set now.
    pub(super) fn expunge(&mut self, tag: String, uids: Option<SequenceSet>) {
        if self.selected().is_some_and(|selected| selected.read_only) {
            return self.finish(tag, "NO the mailbox is open for reading only", Report::default());
        }
        self.look(Report { look: true, with_uid: true, ..Report::default() }, move |session| {
            let (mailbox, entries) = session.marked_deleted(uids.as_ref());
            if entries.is_empty() {
                return session.tagged(&tag, "OK EXPUNGE done");
            }
            session.ask(Ask::Expunge { mailbox, entries }, move |session, answer| match answer {
                Answer::Done => {
                    let report = Report { look: true, with_uid: true, ..Report::default() };
                    session.finish(tag, "OK EXPUNGE done", report);
                }
                other => session.failed(tag, other),
            });
        });
    }

    /// The selected mailbox and its entries with `\Deleted`, of the given UIDs only.
    pub(super) fn marked_deleted(&mut self, uids: Option<&SequenceSet>) -> (u128, Vec<u128>) {
        let Some(selected) = self.selected() else { return (0, Vec::new()) };
        let wanted = uids.map(|uids| selected.resolve(uids, true));
        let entries = selected
            .rows()
            .iter()
            .filter(|shown| !shown.gone && has_flag(&shown.row.flags, "\\Deleted"))
            .filter(|shown| wanted.as_ref().is_none_or(|wanted| wanted.contains(shown.row.uid)))
            .map(|shown| shown.row.entry)
            .collect();
        (selected.mailbox, entries)
    }
}
