//! When a program is started again. Pure: one for each program that must run.
//!
//! | it | then |
//! |---|---|
//! | ended after running steadily | again after the shortest wait |
//! | ended soon, again and again | each wait twice the last, up to a limit |
//! | could not be started | as if it had ended at once |
//! | must not run any more | never again |

use std::time::{Duration, Instant};

use crate::limits::{RESTART_AFTER_MAX, RESTART_AFTER_MIN, STEADY_AFTER};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// It should run from now on.
    Wanted,
    /// It should not run any more. It is not this machine's business to end it.
    Unwanted,
    Started,
    /// It ended, or could not be started.
    Ended,
    Time,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Start,
}

/// One program's restarts.
#[derive(Debug)]
pub struct Supervisor {
    state: State,
    wanted: bool,
    /// How often in a row it ended before it ran steadily.
    failures: u32,
    output: Option<Output>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Absent {
        start_at: Option<Instant>,
    },
    /// [`Output::Start`] has been given out.
    Starting,
    Running {
        since: Instant,
    },
}

impl Default for Supervisor {
    fn default() -> Supervisor {
        Supervisor {
            state: State::Absent { start_at: None },
            wanted: false,
            failures: 0,
            output: None,
        }
    }
}

impl Supervisor {
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Wanted => {
                self.wanted = true;
                if let State::Absent { start_at: start_at @ None } = &mut self.state {
                    *start_at = Some(now);
                }
            }
            Input::Unwanted => {
                self.wanted = false;
                self.output = None;
                if !matches!(self.state, State::Running { .. }) {
                    self.state = State::Absent { start_at: None };
                }
            }
            Input::Started => self.state = State::Running { since: now },
            Input::Ended => self.ended(now),
            Input::Time => {}
        }
        if let State::Absent { start_at: Some(at) } = self.state
            && at <= now
        {
            self.state = State::Starting;
            self.output = Some(Output::Start);
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.output.take()
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Absent { start_at } => start_at,
            State::Starting | State::Running { .. } => None,
        }
    }

    /// For the owner: "starts again in 3 s".
    #[must_use]
    pub fn describe(&self, now: Instant) -> String {
        match self.state {
            State::Running { since } => {
                format!("running for {} s", now.saturating_duration_since(since).as_secs())
            }
            State::Starting => "starting".into(),
            State::Absent { start_at: Some(at) } => {
                let wait = at.saturating_duration_since(now).as_secs_f32();
                format!("starts again in {wait:.1} s")
            }
            State::Absent { start_at: None } => "not to be started".into(),
        }
    }

    fn ended(&mut self, now: Instant) {
        let steady = match self.state {
            State::Running { since } => now.saturating_duration_since(since) >= STEADY_AFTER,
            State::Absent { .. } | State::Starting => false,
        };
        self.failures = if steady { 0 } else { self.failures.saturating_add(1) };
        let start_at = self.wanted.then(|| now + restart_after(self.failures));
        self.state = State::Absent { start_at };
    }
}

fn restart_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    RESTART_AFTER_MIN.saturating_mul(1 << doublings).min(RESTART_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets time pass until it is started; how long that took.
    fn until_start(supervisor: &mut Supervisor, now: &mut Instant) -> Duration {
        let before = *now;
        *now = supervisor.deadline().unwrap_or(*now);
        supervisor.handle(*now, Input::Time);
        assert_eq!(supervisor.poll(), Some(Output::Start));
        assert_eq!(supervisor.deadline(), None, "it is being started");
        *now - before
    }

    #[test]
    fn waits_double_and_start_over_after_a_steady_run() {
        let mut now = Instant::now();
        let mut supervisor = Supervisor::default();
        supervisor.handle(now, Input::Wanted);
        assert_eq!(supervisor.poll(), Some(Output::Start));
        let mut waits = Vec::new();
        for _ in 0..9 {
            supervisor.handle(now, Input::Started);
            supervisor.handle(now, Input::Ended);
            waits.push(until_start(&mut supervisor, &mut now).as_millis());
        }
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
        supervisor.handle(now, Input::Started);
        now += STEADY_AFTER;
        supervisor.handle(now, Input::Ended);
        assert_eq!(until_start(&mut supervisor, &mut now), RESTART_AFTER_MIN);
    }

    #[test]
    fn a_program_that_cannot_be_started_is_tried_again() {
        let mut now = Instant::now();
        let mut supervisor = Supervisor::default();
        supervisor.handle(now, Input::Wanted);
        assert_eq!(supervisor.poll(), Some(Output::Start));
        supervisor.handle(now, Input::Ended);
        assert_eq!(supervisor.poll(), None, "not at once");
        assert_eq!(until_start(&mut supervisor, &mut now), RESTART_AFTER_MIN);
    }

    #[test]
    fn what_is_not_wanted_stays_away() {
        let now = Instant::now();
        let mut supervisor = Supervisor::default();
        supervisor.handle(now, Input::Time);
        assert_eq!((supervisor.poll(), supervisor.deadline()), (None, None));
        supervisor.handle(now, Input::Wanted);
        supervisor.handle(now, Input::Started);
        supervisor.handle(now, Input::Unwanted);
        supervisor.handle(now, Input::Ended);
        assert_eq!(supervisor.deadline(), None);
        assert_eq!(supervisor.describe(now), "not to be started");
        supervisor.handle(now, Input::Wanted);
        supervisor.handle(now, Input::Unwanted);
        assert_eq!(supervisor.deadline(), None, "not even when it was about to start");
    }
}
