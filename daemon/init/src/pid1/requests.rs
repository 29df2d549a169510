//! What comes in at init's socket.

use std::time::Instant;

use control::limits::LOG_LINES_MAX;
use control::{FromInit, Program, Report, ToInit};
use linux::power::End;

use super::Pid1;
use crate::life;
use crate::limits::LOG_ANSWER_BYTES_MAX;
use crate::socket::Received;

impl Pid1 {
    pub(super) fn read_messages(&mut self, now: Instant) {
        let received = self.socket.as_mut().map(|socket| socket.read()).unwrap_or_default();
        for message in received {
            self.answer(now, message);
        }
        if let Some(socket) = &mut self.socket {
            socket.sweep();
        }
    }

    fn answer(&mut self, now: Instant, received: Received) {
        let is_maild = received.program == Some(Program::Maild);
        let answer = match received.message {
            ToInit::Hello { .. } => return,
            ToInit::Tick { .. } if is_maild => return self.maild.hear(now, life::Input::Tick),
            ToInit::Rebuilding { .. } if is_maild => {
                return self.maild.hear(now, life::Input::Rebuilding);
            }
            ToInit::Stopping if is_maild => return self.maild.hear(now, life::Input::Stopping),
            ToInit::Clock(change) if is_maild => self.clock.change(now, change, &mut self.log),
            ToInit::Tick { .. }
            | ToInit::Rebuilding { .. }
            | ToInit::Stopping
            | ToInit::Clock(_) => return,
            ToInit::Reboot => self.ask_to_end(now, End::Reboot, received.program),
            ToInit::PowerOff => self.ask_to_end(now, End::PowerOff, received.program),
            ToInit::Report => FromInit::Report(self.report(now)),
            ToInit::Log { lines } => FromInit::Log { lines: self.newest_lines(lines) },
        };
        if let Some(socket) = &mut self.socket {
            socket.send(received.from, &answer);
        }
    }

    fn ask_to_end(&mut self, now: Instant, how: End, who: Option<Program>) -> FromInit {
        if self.shutdown.under_way() {
            return FromInit::Refused { reason: "the box is ending already".into() };
        }
        let who = match who {
            Some(Program::Console) => "asked for at the console",
            Some(Program::Maild) => "asked for at the panel",
            None => "asked for",
        };
        self.end(now, how, who);
        FromInit::Accepted
    }

    fn report(&self, now: Instant) -> Report {
        Report {
            hostname: self.hostname.clone(),
            version: self.version.clone(),
            problems: self.problems.clone(),
            maild: self.maild.describe(now),
            uptime_s: linux::clock::since_boot().as_secs(),
        }
    }

    fn newest_lines(&self, count: u16) -> Vec<String> {
        let count = usize::from(count).min(LOG_LINES_MAX);
        let mut lines: Vec<String> = self.log.ring().newest(count).cloned().collect();
        let mut bytes = 0;
        let fits = |line: &&String| {
            bytes += line.len();
            bytes <= LOG_ANSWER_BYTES_MAX
        };
        let kept = lines.iter().rev().take_while(fits).count();
        lines.drain(..lines.len() - kept);
        lines
    }
}
