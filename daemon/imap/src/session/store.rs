//! STORE and UID STORE (RFC 9051 §6.4.6).

use super::refresh::Stored;
use super::{Report, Session, failure_text};
use crate::ask::{Answer, Ask};
use crate::parse;

impl Session {
    pub(super) fn store(&mut self, tag: String, uid: bool, store: parse::Store) {
        let Some(selected) = self.selected() else { return };
        let hold = Report { hold_expunges: !uid, with_uid: uid, ..Report::default() };
        if selected.read_only {
            return self.finish(tag, "NO the mailbox is open for reading only", hold);
        }
        if !uid && store.set.exceeds(selected.count()) {
            return self.bad(Some(tag), "there is no message with that number");
        }
        let mailbox = selected.mailbox;
        let (uids, entries): (Vec<u32>, Vec<u128>) =
            selected.in_set(&store.set, uid).map(|(_, row)| (row.uid, row.entry)).unzip();
        if entries.is_empty() {
            return self.finish(tag, "OK STORE done", hold);
        }
        let parse::Store { change, silent, flags, .. } = store;
        let ask = Ask::Store { mailbox, entries, change, flags: flags.clone() };
        self.ask(ask, move |session, answer| match answer {
            Answer::Done => {
                let stored = Some(Stored { uids, silent, change, flags });
                session.finish(tag, "OK STORE done", Report { look: true, stored, ..hold });
            }
            other => session.finish(tag, &failure_text(&other, "NONEXISTENT"), hold),
        });
    }
}
