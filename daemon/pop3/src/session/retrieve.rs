//! RETR and TOP (RFC 1939 §5, §7).

use super::{Question, Queued, Session, printable};
use crate::command::Number;
use crate::content::{self, Content};
use crate::{Ask, Part, ReadAnswer};

/// How much of the message that is being read goes to the client.
pub(super) enum Wanted {
    Whole,
    Top { body_lines: usize },
}

impl Session {
    pub(super) fn retr(&mut self, number: Number) {
        self.ask_read(number, Wanted::Whole, Part::Whole);
    }

    pub(super) fn top(&mut self, number: Number, body_lines: usize) {
        let part = if body_lines == 0 { Part::Header } else { Part::Whole };
        self.ask_read(number, Wanted::Top { body_lines }, part);
    }

    fn ask_read(&mut self, number: Number, wanted: Wanted, part: Part) {
        let account = self.maildrop.as_ref().map(|maildrop| maildrop.account);
        let entry = self.message(number).map(|message| message.row.entry);
        match (account, entry) {
            (Some(account), Some(entry)) => {
                self.ask(Question::Read(wanted), Ask::Read { account, entry, part });
            }
            _ => self.no_such_message(),
        }
    }

    pub(super) fn read(&mut self, wanted: Wanted, answer: ReadAnswer) {
        match answer {
            ReadAnswer::Message(mut message) => {
                if let Wanted::Top { body_lines } = wanted {
                    content::cut(&mut message, body_lines);
                }
                self.reply(&format!("+OK {} octets", message.len()));
                self.outputs.push_back(Queued::Message(Content::new(message)));
            }
            ReadAnswer::Gone => self.reply("-ERR that message is no longer there"),
            ReadAnswer::Unavailable(text) => {
                self.reply(&format!("-ERR [SYS/TEMP] {}", printable(&text)));
            }
        }
    }
}
