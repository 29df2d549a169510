//! CAPA (RFC 2449 §5).

use super::Session;

impl Session {
    pub(super) fn capa(&mut self) {
        self.reply("+OK");
        for capability in
            ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
        {
            self.reply(capability);
        }
        if self.tls {
            self.reply("USER");
            self.reply("SASL PLAIN");
        } else {
            self.reply("STLS");
        }
        self.reply(".");
    }
}
