//! MAIL (RFC 5321 §4.1.1.2).

use super::{Question, Role, Session, Transaction, printable};
use crate::address::Path;
use crate::command::Mail;
use crate::{Ask, SenderAnswer};

impl Session {
    pub(super) fn mail(&mut self, mail: Mail) {
        if self.helo.is_none() {
            return self.bad_command("503 5.5.1 EHLO first");
        }
        if self.transaction.is_some() {
            return self.bad_command("503 5.5.1 one message at a time");
        }
        if self.config.role == Role::Submission && self.account.is_none() {
            // RFC 6409 §4.3; RFC 3207 §4 for the first text.
            return self.reply(if self.tls {
                "530 5.7.0 authentication required"
            } else {
                "530 5.7.0 use STARTTLS first, then AUTH"
            });
        }
        let size_bytes_max = self.config.limits.message_bytes_max as u64;
        if mail.size_bytes.is_some_and(|size_bytes| size_bytes > size_bytes_max) {
            return self.reply("552 5.3.4 message too big");
        }
        let from = match mail.from {
            Path::Address(address) => Some(address),
            Path::Null | Path::Postmaster => None,
        };
        let transaction = Transaction { from: from.clone(), recipients: Vec::new() };
        match (self.account, from) {
            (Some(account), Some(address)) => {
                self.ask(Question::Sender(transaction), Ask::Sender { account, address });
            }
            // The null sender is everyone's: receipts and bounces of a client carry it.
            _ => self.sender_known(transaction, SenderAnswer::Allowed),
        }
    }

    pub(super) fn sender_known(&mut self, transaction: Transaction, answer: SenderAnswer) {
        match answer {
            SenderAnswer::Allowed => {
                self.transaction = Some(transaction);
                self.reply("250 2.1.0 sender accepted");
            }
            SenderAnswer::Refused => self.reply("553 5.7.1 this sender address is not yours"),
            SenderAnswer::Unavailable(text) => {
                self.reply(&format!("451 4.3.0 {}", printable(&text)));
            }
        }
    }
}
