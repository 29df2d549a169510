//! DATA (RFC 5321 §4.1.1.4): the message, and the one place where a 250 for it is sent.

use super::{Phase, Question, Session, Taken, printable};
use crate::content::Content;
use crate::{Ask, DeliverAnswer, Envelope};

impl Session {
    pub(super) fn data(&mut self) {
        let Some(transaction) = &self.transaction else {
            return self.bad_command("503 5.5.1 MAIL first");
        };
        if transaction.recipients.is_empty() {
            return self.reply("554 5.5.1 no valid recipients");
        }
        self.reply("354 send the message, end with a line of one dot");
        self.phase = Phase::Data(Content::new(self.config.limits.message_bytes_max));
    }

    pub(super) fn next_data(&mut self) -> Taken {
        let Phase::Data(content) = &mut self.phase else {
            return Taken::Nothing;
        };
        if self.input.rest().is_empty() {
            return Taken::Nothing;
        }
        let fed = content.feed(self.input.rest());
        self.input.consume(fed.used);
        if !fed.ended {
            return if fed.progressed { Taken::Progress } else { Taken::Some };
        }
        if let Phase::Data(content) = std::mem::replace(&mut self.phase, Phase::Command) {
            self.deliver(content.finish());
        }
        Taken::Progress
    }

    fn deliver(&mut self, message: Option<Vec<u8>>) {
        let transaction = self.transaction.take();
        let Some(message) = message else {
            return self.reply("552 5.3.4 message too big");
        };
        let (Some(transaction), Some(helo)) = (transaction, &self.helo) else {
            return self.end("4.3.0", "lost the envelope");
        };
        let envelope = Envelope {
            from: transaction.from,
            recipients: transaction.recipients,
            helo: helo.name.clone(),
            esmtp: helo.esmtp,
            client_ip: self.config.client_ip,
            tls: self.tls,
            authenticated: self.account,
        };
        self.ask(Question::Deliver, Ask::Deliver { envelope, message });
    }

    pub(super) fn delivered(&mut self, answer: DeliverAnswer) {
        match answer {
            DeliverAnswer::Delivered => self.reply("250 2.0.0 message accepted"),
            DeliverAnswer::Unavailable(text) => {
                self.reply(&format!("451 4.3.0 {}", printable(&text)));
            }
            DeliverAnswer::StorageFull => self.reply("452 4.3.1 no room at the moment"),
            DeliverAnswer::Rejected(text) => {
                self.reply(&format!("554 5.6.0 {}", printable(&text)));
            }
        }
    }
}
