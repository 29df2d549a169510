//! This box's own health, so that it cannot flutter: worse counts at once, better counts once it has
//! lasted, and longer with each relapse. Whoever looks (`maild`) has its own patience before it calls
//! the box anything but well.

use std::time::{Duration, Instant};

use crate::input::Health;
use crate::limits::{HEALTH_MEMORY, WELL_AFTER};

/// What counts, and what was last heard.
pub(crate) struct OwnHealth {
    counts: Health,
    heard: Health,
    /// Since when what is heard is better than what counts.
    better_since: Option<Instant>,
    recovered: Option<Instant>,
    patience: Duration,
    patience_max: Duration,
}

impl OwnHealth {
    pub(crate) fn new(patience_max: Duration) -> OwnHealth {
        OwnHealth {
            counts: Health::Well,
            heard: Health::Well,
            better_since: None,
            recovered: None,
            patience: WELL_AFTER,
            patience_max,
        }
    }

    pub(crate) fn hear(&mut self, now: Instant, health: Health) {
        self.heard = health;
        if level(&self.heard) < level(&self.counts) {
            self.better_since.get_or_insert(now);
            return;
        }
        if level(&self.counts) == 0 && level(&self.heard) > 0 {
            let past = |at| now.saturating_duration_since(at);
            self.patience = match self.recovered {
                Some(at) if past(at) < HEALTH_MEMORY => (self.patience * 2).min(self.patience_max),
                _ => WELL_AFTER,
            };
        }
        self.counts = self.heard.clone();
        self.better_since = None;
    }

    pub(crate) fn advance(&mut self, now: Instant) {
        let lasted = |since: Instant| now.saturating_duration_since(since) >= self.patience;
        if self.better_since.is_some_and(lasted) {
            self.better_since = None;
            self.counts = self.heard.clone();
            if self.counts == Health::Well {
                self.recovered = Some(now);
            }
        }
    }

    pub(crate) fn shift(&mut self, paused_for: Duration, now: Instant) {
        self.better_since = self.better_since.map(|at| (at + paused_for).min(now));
    }

    /// Clients are served as they should be.
    pub(crate) fn well(&self) -> bool {
        self.counts == Health::Well
    }

    /// What is replicated here is kept.
    pub(crate) fn stores(&self) -> bool {
        !matches!(self.counts, Health::Ill { .. })
    }

    /// Why not; empty when well.
    pub(crate) fn trouble(&self) -> &str {
        match &self.counts {
            Health::Well => "",
            Health::Limping { reason } | Health::Ill { reason } => reason,
        }
    }
}

fn level(health: &Health) -> u8 {
    match health {
        Health::Well => 0,
        Health::Limping { .. } => 1,
        Health::Ill { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ill() -> Health {
        Health::Ill { reason: "stuck".into() }
    }

    #[test]
    fn each_relapse_doubles_the_wait_and_time_forgives() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let mut now = Instant::now();
        let mut health = OwnHealth::new(Duration::from_secs(10));
        let mut waits = Vec::new();
        for _ in 0..4 {
            health.hear(now, ill());
            assert!(!health.well() && !health.stores());
            health.hear(now, Health::Well);
            let ill_at = now;
            while !health.well() {
                now += Duration::from_millis(100);
                health.advance(now);
            }
            waits.push((now - ill_at).as_secs());
        }
        assert_eq!(waits, [2, 4, 8, 10]);
        now += HEALTH_MEMORY;
        health.hear(now, ill());
        health.hear(now, Health::Well);
        health.advance(now + WELL_AFTER);
        assert!(health.well());
    }

    #[test]
    fn better_counts_only_when_it_lasts_and_worse_at_once() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut health = OwnHealth::new(Duration::from_secs(10));
        health.hear(at(0), Health::Limping { reason: "full".into() });
        assert!(health.stores() && health.trouble() == "full");
        health.hear(at(10), ill());
        assert!(!health.stores());
        health.hear(at(1_000), Health::Well);
        health.hear(at(2_000), ill());
        health.hear(at(2_100), Health::Well);
        health.advance(at(3_500));
        assert!(!health.well(), "the break counts from its end");
        health.advance(at(4_100));
        assert!(health.well() && health.trouble().is_empty());
    }
}
