//! Which record format the pair writes: what the log says, until both boxes have blessed a newer one.

use record::{Op, Side};

use crate::machine::{Mode, Output, Replica};
use crate::message::Message;
use crate::sabotage::Sabotage;

impl Replica {
    /// The newest record format that this box writes.
    #[must_use]
    pub fn format(&self) -> u16 {
        self.written
    }

    pub(crate) fn bless(&mut self, format: u16) {
        let format = format.clamp(self.formats.oldest, self.formats.newest);
        if self.formats.blessed == format {
            return;
        }
        self.formats.blessed = format;
        if self.session.is_some() {
            self.out.push_back(Output::Send(Message::Blessed(format)));
        }
        self.raise_format();
    }

    /// Side a says so when both boxes have blessed more than what the log says. Its record is a format like
    /// any other only to those who read it; whoever holds it was blessed for what comes after.
    pub(crate) fn raise_format(&mut self) {
        let Some(session) = self.session.as_ref().filter(|_| self.mode == Mode::Both) else {
            return;
        };
        if self.me.side != Side::A {
            return;
        }
        let agreed = match self.is_broken(Sabotage::FormatTooSoon) {
            true => Ok(self.formats.blessed),
            false => self.formats.agree(&session.peer_formats, self.written),
        };
        match agreed {
            Ok(version) if version > self.written => {
                tracing::info!(version, "the pair writes a new record format from now on");
                self.append(Op::Format { version });
            }
            Ok(_) => {}
            // Somebody has blessed less than before: what the log says stays.
            Err(refused) => tracing::warn!(%refused, "the record format stays"),
        }
    }
}
