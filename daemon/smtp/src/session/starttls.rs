//! STARTTLS (RFC 3207).

use std::time::Instant;

use super::{Output, Phase, Session};

impl Session {
    pub(super) fn starttls(&mut self) {
        if self.tls {
            return self.bad_command("503 5.5.1 TLS is active already");
        }
        self.reply("220 2.0.0 go ahead");
        self.outputs.push_back(Output::StartTls);
        self.phase = Phase::StartingTls;
        // Anything behind the command came in plaintext and must not run as if it were protected.
        self.input.clear();
    }

    /// §4.2: both sides forget everything and the client greets again.
    pub(super) fn tls_started(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::StartingTls) {
            return;
        }
        self.phase = Phase::Command;
        self.tls = true;
        self.helo = None;
        self.account = None;
        self.transaction = None;
        self.restart_deadline(now);
    }
}
