//! RCPT (RFC 5321 §4.1.1.3).

use super::{Question, Session, printable};
use crate::address::Path;
use crate::{Address, Ask, Recipient, RecipientAnswer};

impl Session {
    pub(super) fn rcpt(&mut self, to: Path) {
        let Some(transaction) = &self.transaction else {
            // Not counted as a bad command: a pipelined group brings many behind one refused MAIL.
            return self.reply("503 5.5.1 MAIL first");
        };
        if transaction.recipients.len() >= self.config.limits.recipients_max {
            return self.reply("452 4.5.3 too many recipients");
        }
        let address = match to {
            Path::Address(address) => address,
            Path::Postmaster | Path::Null => self.postmaster(),
        };
        let authenticated = self.account;
        self.ask(Question::Recipient(address.clone()), Ask::Recipient { address, authenticated });
    }

    pub(super) fn recipient_known(&mut self, address: Address, answer: RecipientAnswer) {
        match answer {
            RecipientAnswer::Accepted { account } => {
                self.add_recipient(Recipient { account, address });
                self.reply("250 2.1.5 recipient accepted");
            }
            RecipientAnswer::NoSuchUser => self.reply("550 5.1.1 no such user here"),
            RecipientAnswer::NotLocal => {
                self.reply("550 5.7.1 this server does not relay mail to that domain");
            }
            RecipientAnswer::Refused(text) => {
                self.reply(&format!("550 5.7.1 {}", printable(&text)));
            }
            RecipientAnswer::Unavailable(text) => {
                self.reply(&format!("451 4.3.0 {}", printable(&text)));
            }
        }
    }

    /// One address named twice gets the message once.
    fn add_recipient(&mut self, recipient: Recipient) {
        if let Some(transaction) = &mut self.transaction
            && !transaction.recipients.contains(&recipient)
        {
            transaction.recipients.push(recipient);
        }
    }

    fn postmaster(&self) -> Address {
        Address::postmaster(&self.config.hostname)
    }
}
