//! When an address is announced to the LAN: at once and four times after it was taken, and each minute
//! while it is the peer's.

use std::time::{Duration, Instant};

use crate::Side;
use crate::limits::{ANNOUNCE_AGAIN_AFTER, ANNOUNCE_AGAIN_MAX, ANNOUNCE_AT, ANNOUNCE_EVERY};

/// The announcements that are due, for both addresses.
#[derive(Default)]
pub struct Announcer {
    addresses: [Option<Schedule>; 2],
}

struct Schedule {
    started: Instant,
    /// How many of [`ANNOUNCE_AT`] went out.
    sent: usize,
    next: Option<Instant>,
    last: Option<Instant>,
    each_minute: bool,
    /// How long after the last one the next sighting of a second holder is answered.
    patience: Duration,
}

impl Announcer {
    /// The address was taken. `each_minute`: it is the peer's.
    pub(crate) fn start(&mut self, now: Instant, address: Side, each_minute: bool) {
        self.addresses[address as usize] = Some(Schedule {
            started: now,
            sent: 0,
            next: Some(now),
            last: None,
            each_minute,
            patience: ANNOUNCE_AGAIN_AFTER,
        });
    }

    pub(crate) fn stop(&mut self, address: Side) {
        self.addresses[address as usize] = None;
    }

    /// A second holder was seen: once more, but no war. Each answer makes the next one wait longer;
    /// when nobody was seen for long enough, patience is forgotten.
    pub(crate) fn again(&mut self, now: Instant, address: Side) {
        let Some(schedule) = &mut self.addresses[address as usize] else { return };
        let since_last = schedule.last.map(|last| now.saturating_duration_since(last));
        if since_last.is_some_and(|since| since >= 2 * ANNOUNCE_AGAIN_MAX) {
            schedule.patience = ANNOUNCE_AGAIN_AFTER;
        }
        let earliest = schedule.last.map_or(now, |last| (last + schedule.patience).max(now));
        if schedule.next.is_none_or(|next| next > earliest) {
            schedule.next = Some(earliest);
            schedule.patience = (schedule.patience * 2).min(ANNOUNCE_AGAIN_MAX);
        }
    }

    pub(crate) fn due(&mut self, now: Instant) -> Vec<Side> {
        let mut due = Vec::new();
        for address in Side::BOTH {
            let Some(schedule) = &mut self.addresses[address as usize] else { continue };
            if schedule.next.is_some_and(|next| next <= now) {
                due.push(address);
                schedule.last = Some(now);
                // What a late call has passed over is not made up for.
                while ANNOUNCE_AT.get(schedule.sent).is_some_and(|at| schedule.started + *at <= now)
                {
                    schedule.sent += 1;
                }
                schedule.next = match ANNOUNCE_AT.get(schedule.sent) {
                    Some(at) => Some(schedule.started + *at),
                    None => schedule.each_minute.then_some(now + ANNOUNCE_EVERY),
                };
            }
        }
        due
    }

    #[must_use]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.addresses.iter().flatten().filter_map(|schedule| schedule.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn origin() -> Instant {
        Instant::now()
    }

    fn times(announcer: &mut Announcer, origin: Instant, until_ms: u64) -> Vec<u64> {
        let mut at = Vec::new();
        while let Some(next) = announcer.next() {
            if next > origin + Duration::from_millis(until_ms) {
                break;
            }
            for _ in announcer.due(next) {
                at.push(u64::try_from((next - origin).as_millis()).unwrap());
            }
        }
        at
    }

    #[test]
    fn five_times_and_then_each_minute_for_the_peers_address() {
        let origin = origin();
        let mut announcer = Announcer::default();
        announcer.start(origin, Side::A, true);
        assert_eq!(
            times(&mut announcer, origin, 130_000),
            [0, 50, 250, 1000, 5000, 65_000, 125_000]
        );
        announcer.start(origin, Side::A, false);
        assert_eq!(times(&mut announcer, origin, 130_000), [0, 50, 250, 1000, 5000]);
    }

    #[test]
    fn a_second_holder_is_answered_less_and_less_often() {
        let origin = origin();
        let mut announcer = Announcer::default();
        announcer.start(origin, Side::B, false);
        assert_eq!(times(&mut announcer, origin, 10_000).len(), 5);
        let at = |s| origin + Duration::from_secs(s);
        let mut answered = Vec::new();
        for second in 20..300 {
            announcer.again(at(second), Side::B);
            if !announcer.due(at(second)).is_empty() {
                answered.push(second);
            }
        }
        assert_eq!(answered, [20, 22, 26, 34, 50, 82, 142, 202, 262]);
        announcer.again(at(1_000), Side::B);
        assert_eq!(announcer.due(at(1_000)), [Side::B]);
        announcer.again(at(1_000), Side::B);
        assert_eq!(announcer.next(), Some(at(1_001)), "patience was forgotten");
        announcer.again(at(1_000), Side::A);
        assert_eq!(announcer.next(), Some(at(1_001)), "an address that it does not hold");
    }
}
