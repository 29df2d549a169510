//! EHLO and HELO (RFC 5321 §4.1.1.1).

use super::{Helo, Session};

impl Session {
    pub(super) fn ehlo(&mut self, name: String) {
        self.greeted(Helo { name, esmtp: true });
        let mut lines = vec![self.config.hostname.clone()];
        lines.push("PIPELINING".to_owned());
        lines.push(format!("SIZE {}", self.config.limits.message_bytes_max));
        lines.push(if self.tls { "AUTH PLAIN LOGIN" } else { "STARTTLS" }.to_owned());
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        for line in lines {
            self.reply(&format!("250-{line}"));
        }
        self.reply("250 8BITMIME");
    }

    pub(super) fn helo(&mut self, name: String) {
        self.greeted(Helo { name, esmtp: false });
        self.reply(&format!("250 {}", self.config.hostname));
    }

    /// A greeting ends the transaction as RSET does (§4.1.4); who has authenticated stays so.
    fn greeted(&mut self, helo: Helo) {
        self.helo = Some(helo);
        self.transaction = None;
    }
}
