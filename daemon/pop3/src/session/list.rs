//! STAT, LIST and UIDL (RFC 1939 §5, §7).

use super::{Maildrop, Message, Session};
use crate::Row;
use crate::command::Number;

impl Session {
    pub(super) fn stat(&mut self) {
        let (count, bytes) = self.totals();
        self.reply(&format!("+OK {count} {bytes}"));
    }

    pub(super) fn list(&mut self, number: Option<Number>) {
        self.listing(number, |row| row.size_bytes.to_string());
    }

    /// The entry's id: unique for ever, the same on both boxes, and no wall clock or UID in it.
    pub(super) fn uidl(&mut self, number: Option<Number>) {
        self.listing(number, |row| format!("{:032x}", row.entry));
    }

    fn listing(&mut self, number: Option<Number>, show: impl Fn(&Row) -> String) {
        if let Some(number) = number {
            match self.message(number) {
                Some(message) => {
                    let line = format!("+OK {} {}", number.0, show(&message.row));
                    self.reply(&line);
                }
                None => self.no_such_message(),
            }
            return;
        }
        self.reply_with_totals();
        let lines: Vec<String> = self
            .remaining()
            .map(|(number, message)| format!("{number} {}", show(&message.row)))
            .collect();
        lines.iter().for_each(|line| self.reply(line));
        self.reply(".");
    }

    pub(super) fn reply_with_totals(&mut self) {
        let (count, bytes) = self.totals();
        self.reply(&format!("+OK {count} messages ({bytes} octets)"));
    }

    pub(super) fn no_such_message(&mut self) {
        self.reply("-ERR no such message");
    }

    /// A message that is there and not marked as deleted.
    pub(super) fn message(&self, number: Number) -> Option<&Message> {
        let index = number.0.checked_sub(1)?;
        self.maildrop.as_ref()?.messages.get(index).filter(|message| !message.deleted)
    }

    fn totals(&self) -> (usize, u64) {
        self.remaining().fold((0, 0), |(count, bytes), (_, message)| {
            (count + 1, bytes + u64::from(message.row.size_bytes))
        })
    }

    /// Numbers and messages that are not marked as deleted.
    fn remaining(&self) -> impl Iterator<Item = (usize, &Message)> {
        let messages = self.maildrop.iter().flat_map(|Maildrop { messages, .. }| messages);
        messages.enumerate().filter(|(_, message)| !message.deleted).map(|(at, m)| (at + 1, m))
    }
}
