//! Is maild alive? Pure. What the hardware watchdog and the rule "kill it when it hangs" go by.
//!
//! | maild | in order while |
//! |---|---|
//! | absent | always: PID 1 starts it again |
//! | starting | it ticks or says "rebuilding" within [`STARTING_MAX`] |
//! | rebuilding | it says so again within [`REBUILDING_SILENCE_MAX`] |
//! | ticking | the last tick is younger than [`TICK_SILENCE_MAX`] |
//! | stopping | it ends within [`STOPPING_MAX`] |
//!
//! Disk and LAN never count: a box that cannot serve is for the peer to replace, not for a reset.

use std::time::{Duration, Instant};

use crate::limits::{REBUILDING_SILENCE_MAX, STARTING_MAX, STOPPING_MAX, TICK_SILENCE_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Started,
    Ended,
    Tick,
    Rebuilding,
    Stopping,
    /// The whole box stood still: nobody can have spoken.
    Paused,
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It hangs: end it. Given out once for each start.
    Kill,
}

/// Maild's life as far as its words tell.
#[derive(Debug)]
pub struct Life {
    phase: Phase,
    since: Instant,
    killed: bool,
    output: Option<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Absent,
    Starting,
    Rebuilding,
    Ticking,
    Stopping,
}

impl Life {
    #[must_use]
    pub fn new(now: Instant) -> Life {
        Life { phase: Phase::Absent, since: now, killed: false, output: None }
    }

    pub fn handle(&mut self, now: Instant, input: Input) {
        let phase = match (input, self.phase) {
            (Input::Started, _) => Some(Phase::Starting),
            (Input::Ended, _) => Some(Phase::Absent),
            (Input::Paused, phase) => Some(phase),
            // Words that were on their way when it ended, or ticks of a loop that winds down.
            (_, Phase::Absent | Phase::Stopping) | (Input::Time, _) => None,
            (Input::Tick, _) => Some(Phase::Ticking),
            (Input::Rebuilding, _) => Some(Phase::Rebuilding),
            (Input::Stopping, _) => Some(Phase::Stopping),
        };
        if let Some(phase) = phase {
            self.phase = phase;
            self.since = now;
        }
        if matches!(input, Input::Started | Input::Ended) {
            self.killed = false;
        }
        if !self.in_order(now) && !self.killed {
            self.killed = true;
            self.output = Some(Output::Kill);
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.output.take()
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.patience().filter(|_| !self.killed).map(|patience| self.since + patience)
    }

    /// Whether the hardware watchdog may be fed.
    #[must_use]
    pub fn in_order(&self, now: Instant) -> bool {
        self.patience().is_none_or(|patience| now.saturating_duration_since(self.since) < patience)
    }

    fn patience(&self) -> Option<Duration> {
        match self.phase {
            Phase::Absent => None,
            Phase::Starting => Some(STARTING_MAX),
            Phase::Rebuilding => Some(REBUILDING_SILENCE_MAX),
            Phase::Ticking => Some(TICK_SILENCE_MAX),
            Phase::Stopping => Some(STOPPING_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and how long each is followed by silence; whether it is in order then.
    fn check(words: &[(Input, Duration)], in_order: bool) {
        let mut now = Instant::now();
        let mut life = Life::new(now);
        for (input, silence) in words {
            life.handle(now, *input);
            now += *silence;
        }
        life.handle(now, Input::Time);
        assert_eq!(life.in_order(now), in_order, "{words:?}");
        assert_eq!(life.poll(), (!in_order).then_some(Output::Kill), "{words:?}");
        life.handle(now, Input::Time);
        assert_eq!(life.poll(), None, "killed once is enough");
    }

    #[test]
    fn alive_or_hung() {
        use Input::{Ended, Rebuilding, Started, Stopping, Tick};
        let moment = Duration::from_millis(100);
        let long = Duration::from_secs(3600);
        check(&[(Ended, long)], true);
        check(&[(Started, STARTING_MAX - moment)], true);
        check(&[(Started, STARTING_MAX)], false);
        check(&[(Started, moment), (Tick, TICK_SILENCE_MAX - moment)], true);
        check(&[(Started, moment), (Tick, moment), (Tick, TICK_SILENCE_MAX)], false);
        check(&[(Started, moment), (Rebuilding, TICK_SILENCE_MAX * 2)], true);
        check(&[(Started, moment), (Rebuilding, REBUILDING_SILENCE_MAX)], false);
        check(&[(Started, moment), (Tick, moment), (Stopping, TICK_SILENCE_MAX)], true);
        check(&[(Started, moment), (Stopping, STOPPING_MAX - moment), (Tick, moment)], false);
        check(&[(Started, moment), (Tick, moment), (Ended, long)], true);
        check(&[(Started, moment), (Ended, moment), (Tick, long)], true);
        check(&[(Started, moment), (Ended, long), (Started, moment)], true);
    }

    #[test]
    fn a_pause_of_the_box_is_not_held_against_it() {
        let now = Instant::now();
        let mut life = Life::new(now);
        life.handle(now, Input::Started);
        life.handle(now, Input::Tick);
        let later = now + TICK_SILENCE_MAX * 9;
        life.handle(later, Input::Paused);
        assert_eq!(life.poll(), None);
        assert_eq!(life.deadline(), Some(later + TICK_SILENCE_MAX), "but from now on it counts");
    }

    #[test]
    fn the_next_look_is_when_patience_ends() {
        let now = Instant::now();
        let mut life = Life::new(now);
        assert_eq!(life.deadline(), None);
        life.handle(now, Input::Started);
        life.handle(now, Input::Tick);
        assert_eq!(life.deadline(), Some(now + TICK_SILENCE_MAX));
        life.handle(now + TICK_SILENCE_MAX, Input::Time);
        assert_eq!(life.poll(), Some(Output::Kill));
        assert_eq!(life.deadline(), None);
        assert!(!life.in_order(now + TICK_SILENCE_MAX), "until it is gone");
    }
}
