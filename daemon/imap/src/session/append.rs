//! APPEND (RFC 9051 §6.3.12; APPENDUID: §7.1).

use super::{Report, Session, failure_text};
use crate::ask::{Answer, Ask};
use crate::parse;

impl Session {
    pub(super) fn append(&mut self, tag: String, append: parse::Append) {
        let parse::Append { mailbox, flags, internal_date_s, message } = append;
        if message.is_empty() {
            return self.finish(tag, "NO an empty message is none", Report::default());
        }
        if message.len() > self.config.limits.message_bytes_max {
            return self.finish(tag, "NO [TOOBIG] the message is too long", Report::default());
        }
        self.look_up(tag, mailbox, "TRYCREATE", move |session, tag, found| {
            let mailbox = found.id;
            let ask = Ask::Append { mailbox, flags, internal_date_s, message };
            session.ask(ask, move |session, answer| match answer {
                Answer::Appended { uid_validity, uid } => {
                    let look = session.selected().is_some_and(|now| now.mailbox == mailbox);
                    let text = format!("OK [APPENDUID {uid_validity} {uid}] APPEND done");
                    session.finish(tag, &text, Report { look, ..Report::default() });
                }
                other => {
                    let text = failure_text(&other, "TRYCREATE");
                    session.finish(tag, &text, Report::default());
                }
            });
        });
    }
}
