//! DELE and RSET, which only mark, and QUIT, which deletes (RFC 1939 §5, §6).

use super::{Question, Session, printable};
use crate::command::Number;
use crate::{Ask, DeleteAnswer};

impl Session {
    pub(super) fn dele(&mut self, number: Number) {
        if self.message(number).is_none() {
            return self.no_such_message();
        }
        if let Some(maildrop) = &mut self.maildrop {
            maildrop.messages[number.0 - 1].deleted = true;
        }
        self.reply("+OK will be deleted at QUIT");
    }

    pub(super) fn rset(&mut self) {
        for message in self.maildrop.iter_mut().flat_map(|maildrop| &mut maildrop.messages) {
            message.deleted = false;
        }
        self.reply_with_totals();
    }

    pub(super) fn quit(&mut self) {
        if let Some(maildrop) = &self.maildrop {
            let marked = maildrop.messages.iter().filter(|message| message.deleted);
            let entries: Vec<u128> = marked.map(|message| message.row.entry).collect();
            if !entries.is_empty() {
                let account = maildrop.account;
                let messages = entries.len();
                return self.ask(Question::Delete { messages }, Ask::Delete { account, entries });
            }
        }
        self.reply("+OK goodbye");
        self.close();
    }

    pub(super) fn deleted(&mut self, messages: usize, answer: DeleteAnswer) {
        match answer {
            DeleteAnswer::Deleted => self.reply(&format!("+OK {messages} deleted, goodbye")),
            DeleteAnswer::Unavailable(text) => {
                self.reply(&format!("-ERR [SYS/TEMP] not deleted: {}", printable(&text)));
            }
        }
        self.close();
    }
}
