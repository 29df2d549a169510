//! IDLE (RFC 2177; RFC 9051 §6.3.13).

use super::{Doing, Report, Session};

impl Session {
    pub(super) fn start_idle(&mut self, tag: String) {
        self.out.send(b"+ idling\r\n");
        self.doing = Doing::Idling { tag };
    }

    /// Tells what changed, or takes the client's DONE; whether there was something to do.
    pub(super) fn idle(&mut self, tag: String) -> bool {
        if self.changed && self.selected().is_some() {
            let report = Report { with_uid: true, ..Report::default() };
            self.look(report, move |session| session.doing = Doing::Idling { tag });
            return true;
        }
        match self.reader.next_line() {
            None => {
                self.doing = Doing::Idling { tag };
                return false;
            }
            Some(Ok(line)) if line.trim_ascii_end().eq_ignore_ascii_case(b"DONE") => {
                self.finish(tag, "OK IDLE done", Report { with_uid: true, ..Report::default() });
            }
            Some(Ok(_)) => self.bad(Some(tag), "IDLE ends with DONE"),
            Some(Err(_)) => self.bye("the line is too long"),
        }
        true
    }
}
