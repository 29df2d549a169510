//! How long a link must last before two boxes that were both alone, or one that was, join: longer, when it comes and
//! goes fast.
//!
//! Whenever boxes that are alone hear of each other, each mailbox that gets mail afterwards burns two or three blocks
//! of its UIDs: in the next episode, and also in the same one, since a lane must not go on below what became known.
//! 2³² UIDs are 65 536 blocks: a link that comes and goes each second would use them up in a few hours.
//!
//! | what | does |
//! |---|---|
//! | a session comes up, and a lane was opened since the last one did | one level up |
//! | no session broke for [`CALM`] | one level down, and again after as long |
//! | the first [`JOINS_AT_ONCE`] levels | no wait |
//! | each level above | doubles the time that a session must last first, from [`JOIN_WAIT_MIN`] to [`JOIN_WAIT_MAX`] |
//!
//! Until then a box that is alone keeps its lanes, and one whose peer is alone, too, sends it no records.
//! (A peer that is not alone gets them at once: it has no lanes.) A session that breaks meanwhile has cost
//! nothing. So a link that comes and goes each second burns nothing more, and one that always lasts just as
//! long as it must, about three blocks in each [`JOIN_WAIT_MAX`].
//!
//! Nothing of this is kept across a restart, which takes a while itself. The peer has a count of its own.

use std::time::{Duration, Instant};

use crate::limits::{CALM, JOIN_WAIT_MAX, JOIN_WAIT_MIN, JOINS_AT_ONCE};

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The latest that was heard of.
    now: Option<Instant>,
    /// A lane was opened since the last session came up.
    opened: bool,
    level: u32,
    /// No session broke since; levels that were taken off are counted in.
    calm_since: Option<Instant>,
}

impl Pace {
    pub fn tick(&mut self, now: Instant) {
        let calm_since = self.calm_since.get_or_insert(now);
        while self.level > 0 && now.saturating_duration_since(*calm_since) >= CALM {
            self.level -= 1;
            *calm_since += CALM;
        }
        self.now = Some(now);
    }

    pub fn now(&self) -> Option<Instant> {
        self.now
    }

    pub fn lane_opened(&mut self) {
        self.opened = true;
    }

    /// When the boxes may join in a session that comes up now.
    pub fn session_up(&mut self) -> Option<Instant> {
        if std::mem::take(&mut self.opened) {
            self.level = self.level.saturating_add(1);
        }
        self.now.map(|now| now + self.wait())
    }

    pub fn session_broke(&mut self) {
        self.calm_since = self.now;
    }

    fn wait(&self) -> Duration {
        let Some(doublings) = self.level.checked_sub(JOINS_AT_ONCE + 1) else {
            return Duration::ZERO;
        };
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        JOIN_WAIT_MIN.saturating_mul(factor).min(JOIN_WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn pace_of(level: u32) -> Pace {
        let mut pace = Pace::default();
        pace.tick(Instant::now());
        for _ in 0..level {
            pace.lane_opened();
            pace.session_up();
        }
        pace
    }

    #[test]
    fn the_first_joins_are_at_once_and_then_each_waits_twice_as_long() {
        assert_eq!(pace_of(JOINS_AT_ONCE).wait(), Duration::ZERO);
        assert_eq!(pace_of(JOINS_AT_ONCE + 1).wait(), JOIN_WAIT_MIN);
        assert_eq!(pace_of(JOINS_AT_ONCE + 4).wait(), JOIN_WAIT_MIN * 8);
        assert_eq!(pace_of(1000).wait(), JOIN_WAIT_MAX);
    }

    #[test]
    fn a_session_that_opened_no_lane_costs_nothing() {
        let mut pace = pace_of(JOINS_AT_ONCE + 1);
        for _ in 0..100 {
            pace.session_up();
        }
        assert_eq!(pace.wait(), JOIN_WAIT_MIN);
    }

    #[test]
    fn only_a_link_that_lasts_is_forgiven() {
        let mut pace = pace_of(JOINS_AT_ONCE + 4);
        let mut now = pace.now().unwrap();
        for _ in 0..10 {
            now += CALM - Duration::from_secs(1);
            pace.tick(now);
            pace.session_broke();
        }
        assert_eq!(pace.wait(), JOIN_WAIT_MIN * 8);
        pace.tick(now + CALM * 2);
        assert_eq!(pace.wait(), JOIN_WAIT_MIN * 2);
        pace.tick(now + CALM * 4);
        assert_eq!(pace.wait(), Duration::ZERO);
    }
}
