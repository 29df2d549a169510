//! COPY, MOVE and their UID forms (RFC 9051 §6.4.7, §6.4.8; COPYUID: §7.1).

use super::{Report, Session, failure_text};
use crate::ask::{Answer, Ask, Copied};
use crate::parse::SequenceSet;
use crate::write;

impl Session {
    /// `and_remove` is MOVE. Its COPYUID goes untagged before the expunges, so that the client knows
    /// where the messages went when they vanish (RFC 6851 §4.3).
    pub(super) fn copy(
        &mut self,
        tag: String,
        uid: bool,
        set: &SequenceSet,
        name: String,
        and_remove: bool,
    ) {
        let Some(selected) = self.selected() else { return };
        let verb = if and_remove { "MOVE" } else { "COPY" };
        if and_remove && selected.read_only {
            return self.finish(tag, "NO the mailbox is open for reading only", Report::default());
        }
        if !uid && set.exceeds(selected.count()) {
            return self.bad(Some(tag), "there is no message with that number");
        }
        let from = selected.mailbox;
        let entries: Vec<u128> = selected.in_set(set, uid).map(|(_, row)| row.entry).collect();
        self.look_up(tag, name, "TRYCREATE", move |session, tag, found| {
            let to = found.id;
            if entries.is_empty() {
                return session.finish(
                    tag,
                    &format!("OK {verb} done, of nothing"),
                    Report::default(),
                );
            }
            let ask = match and_remove {
                true => Ask::Move { from, entries, to },
                false => Ask::Copy { from, entries, to },
            };
            let look = and_remove || from == to;
            session.ask(ask, move |session, answer| match answer {
                Answer::Copied(copied) => session.copied(tag, &copied, and_remove, look),
                other => {
                    let text = failure_text(&other, "TRYCREATE");
                    session.finish(tag, &text, Report::default());
                }
            });
        });
    }

    fn copied(&mut self, tag: String, copied: &Copied, and_remove: bool, look: bool) {
        let code = copy_uid(copied);
        let report = Report { look, with_uid: true, ..Report::default() };
        if and_remove {
            if !code.is_empty() {
                self.untagged(&format!("OK {code}moved"));
            }
            return self.finish(tag, "OK MOVE done", report);
        }
        self.finish(tag, &format!("OK {code}COPY done"), report);
    }
}

/// `[COPYUID uidvalidity source-set destination-set] `, or nothing where nothing was copied.
fn copy_uid(copied: &Copied) -> String {
    if copied.uids.is_empty() {
        return String::new();
    }
    let from = write::uid_set(copied.uids.iter().map(|(from, _)| *from));
    let to = write::uid_set(copied.uids.iter().map(|(_, to)| *to));
    format!("[COPYUID {} {from} {to}] ", copied.uid_validity)
}
