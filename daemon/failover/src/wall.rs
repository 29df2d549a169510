//! How far the two boxes' wall clocks are apart. Nothing here is decided by it; but wall time decides
//! between concurrent values of one field (§5 of the design), and the owner should know when that goes
//! wrong.

use std::time::Instant;

use crate::limits::{CLOCKS_APART, CLOCKS_APART_FOR};

#[derive(Default)]
pub(crate) struct WallClocks {
    /// This box's own, Unix ms, at that moment.
    own: Option<(Instant, u64)>,
    /// How far the peer's is before this one, ms.
    peer_ahead_ms: Option<i64>,
    /// Since when that is too much.
    apart_since: Option<Instant>,
}

impl WallClocks {
    pub(crate) fn set(&mut self, now: Instant, unix_ms: u64) {
        self.own = Some((now, unix_ms));
    }

    /// Unix ms; `None` before it was told.
    pub(crate) fn own_ms(&self, now: Instant) -> Option<u64> {
        let (at, unix_ms) = self.own?;
        let passed = now.saturating_duration_since(at).as_millis();
        Some(unix_ms.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    /// What a heartbeat said. One that lay in a queue while this box stood still is old news: only what
    /// lasts counts.
    pub(crate) fn hear(&mut self, now: Instant, peer_ms: Option<u64>) {
        let (Some(own), Some(peer)) = (self.own_ms(now), peer_ms) else { return };
        let ahead = i64::try_from(i128::from(peer) - i128::from(own)).unwrap_or(i64::MAX);
        self.peer_ahead_ms = Some(ahead);
        if u128::from(ahead.unsigned_abs()) < CLOCKS_APART.as_millis() {
            self.apart_since = None;
        } else {
            self.apart_since.get_or_insert(now);
        }
    }

    pub(crate) fn peer_ahead_ms(&self) -> Option<i64> {
        self.peer_ahead_ms
    }

    pub(crate) fn are_apart(&self, now: Instant) -> bool {
        self.apart_since
            .is_some_and(|since| now.saturating_duration_since(since) >= CLOCKS_APART_FOR)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn minutes_apart_for_a_while() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut clocks = WallClocks::default();
        clocks.hear(start, Some(5));
        assert_eq!(clocks.peer_ahead_ms(), None, "before this box knows its own");
        clocks.set(start, 1_000_000);
        assert_eq!(clocks.own_ms(at(3)), Some(1_003_000));
        let apart_ms = u64::try_from(CLOCKS_APART.as_millis()).unwrap();
        clocks.hear(at(1), Some(1_001_000 - apart_ms));
        assert!(!clocks.are_apart(at(1)), "one heartbeat may be old");
        assert_eq!(clocks.peer_ahead_ms(), Some(-(apart_ms as i64)));
        let later = at(1) + CLOCKS_APART_FOR;
        clocks.hear(later, Some(0));
        assert!(clocks.are_apart(later));
        clocks.set(later, 500);
        clocks.hear(later, Some(900));
        assert!(!clocks.are_apart(later), "put right");
        clocks.hear(later, None);
        clocks.hear(later, Some(u64::MAX));
        assert_eq!(clocks.peer_ahead_ms(), Some(i64::MAX));
    }
}
