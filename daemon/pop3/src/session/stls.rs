//! STLS (RFC 2595 §4).

use super::{Output, Phase, Queued, Session};

impl Session {
    /// Without TLS nobody can have logged in, so this is the AUTHORIZATION state.
    pub(super) fn stls(&mut self) {
        if self.tls {
            return self.bad_command("TLS is active already");
        }
        self.reply("+OK go ahead");
        self.outputs.push_back(Queued::Output(Output::StartTls));
        self.phase = Phase::StartingTls;
        // Anything behind the command came in plaintext and must not run as if it were protected.
        self.input.clear();
    }

    pub(super) fn tls_started(&mut self) {
        if !matches!(self.phase, Phase::StartingTls) {
            return;
        }
        self.phase = Phase::Command;
        self.tls = true;
        self.restart_deadline();
    }
}
