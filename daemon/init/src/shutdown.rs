//! The orderly end, step by step. Pure.
//!
//! ```text
//! request ─▶ ask maild ─▶ (it ends, or MAILD_STOP_MAX: kill it) ─▶ ask the rest ─▶ (they end, or
//! OTHERS_STOP_MAX) ─▶ kill the rest ─▶ (gone, or KILLED_GONE_MAX) ─▶ put the disks down, end
//! ```

use std::time::Instant;

use linux::power::End;

use crate::limits::{KILLED_GONE_MAX, MAILD_STOP_MAX, OTHERS_STOP_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The box shall end. A second request changes nothing.
    Request(End),
    /// What of our programs runs now. Said again whenever something may have changed, time
    /// included.
    Programs { maild: bool, others: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    AskMaild,
    KillMaild,
    AskOthers,
    KillOthers,
    /// Unmount, sync, and end the box.
    PutDown(End),
}

#[derive(Debug)]
pub struct Shutdown {
    step: Step,
    end: End,
    until: Option<Instant>,
    maild: bool,
    others: usize,
    output: Option<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    MaildAsked,
    MaildKilled,
    OthersAsked,
    OthersKilled,
    Down,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown {
            step: Step::Idle,
            end: End::Reboot,
            until: None,
            maild: false,
            others: 0,
            output: None,
        }
    }
}

impl Shutdown {
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Request(end) if self.step == Step::Idle => {
                self.end = end;
                self.enter(now, Step::MaildAsked);
            }
            Input::Request(_) => {}
            Input::Programs { maild, others } => {
                self.maild = maild;
                self.others = others;
            }
        }
        self.go_on(now);
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.output.take()
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }

    #[must_use]
    pub fn under_way(&self) -> bool {
        self.step != Step::Idle
    }

    /// Takes as many steps as have nothing to wait for, up to the next output.
    fn go_on(&mut self, now: Instant) {
        while self.output.is_none() {
            let late = self.until.is_some_and(|until| now >= until);
            let next = match self.step {
                Step::MaildAsked if !self.maild => Step::OthersAsked,
                Step::MaildAsked if late => Step::MaildKilled,
                Step::MaildKilled if !self.maild || late => Step::OthersAsked,
                Step::OthersAsked if self.others == 0 || late => Step::OthersKilled,
                Step::OthersKilled if (self.others == 0 && !self.maild) || late => Step::Down,
                Step::Idle | Step::Down => return,
                _ => return,
            };
            self.enter(now, next);
        }
    }

    fn enter(&mut self, now: Instant, step: Step) {
        self.step = step;
        let (output, patience) = match step {
            Step::Idle => return,
            Step::MaildAsked => (Output::AskMaild, Some(MAILD_STOP_MAX)),
            Step::MaildKilled => (Output::KillMaild, Some(KILLED_GONE_MAX)),
            Step::OthersAsked => (Output::AskOthers, Some(OTHERS_STOP_MAX)),
            Step::OthersKilled => (Output::KillOthers, Some(KILLED_GONE_MAX)),
            Step::Down => (Output::PutDown(self.end), None),
        };
        self.output = Some(output);
        self.until = patience.map(|patience| now + patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the end with programs that obey or not; the steps and how long it all took.
    fn play(maild_obeys: bool, others_obey: bool, killing_helps: bool) -> (Vec<Output>, u64) {
        let start = Instant::now();
        let mut now = start;
        let mut shutdown = Shutdown::default();
        let (mut maild, mut others) = (true, 2);
        let mut steps = Vec::new();
        shutdown.handle(now, Input::Programs { maild, others });
        assert_eq!(shutdown.poll(), None);
        shutdown.handle(now, Input::Request(End::PowerOff));
        shutdown.handle(now, Input::Request(End::Reboot));
        loop {
            while let Some(step) = shutdown.poll() {
                steps.push(step);
                match step {
                    Output::AskMaild => maild &= !maild_obeys,
                    Output::KillMaild => maild &= !killing_helps,
                    Output::AskOthers if others_obey => others = 0,
                    Output::KillOthers if killing_helps => (maild, others) = (false, 0),
                    Output::PutDown(_) => return (steps, (now - start).as_secs()),
                    _ => {}
                }
                shutdown.handle(now, Input::Programs { maild, others });
            }
            now = shutdown.deadline().expect("it never waits without an end");
            shutdown.handle(now, Input::Programs { maild, others });
        }
    }

    #[test]
    fn everybody_gets_a_chance_and_nobody_stops_it() {
        use Output::{AskMaild, AskOthers, KillMaild, KillOthers, PutDown};
        let gently = vec![AskMaild, AskOthers, KillOthers, PutDown(End::PowerOff)];
        let roughly = vec![AskMaild, KillMaild, AskOthers, KillOthers, PutDown(End::PowerOff)];
        assert_eq!(play(true, true, true), (gently.clone(), 0));
        assert_eq!(play(true, false, true), (gently, 2));
        assert_eq!(play(false, true, true), (roughly.clone(), 15));
        assert_eq!(play(false, false, false), (roughly, 15 + 2 + 2 + 2));
    }

    #[test]
    fn nothing_happens_before_it_is_asked_for() {
        let now = Instant::now();
        let mut shutdown = Shutdown::default();
        shutdown.handle(now, Input::Programs { maild: false, others: 0 });
        assert_eq!((shutdown.poll(), shutdown.deadline()), (None, None));
        assert!(!shutdown.under_way());
    }
}
