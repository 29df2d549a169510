//! Whether clients can reach this box: the LAN port's carrier, and the gateway where there is one. Where
//! the gateway does not answer, a witness that does stands for it; its silence means nothing.
//!
//! The settled answer is slow to fall (both boxes lose a switch at nearly the same time, and then no
//! address shall move) and slower to rise (a box that comes back listens first).

use std::time::{Duration, Instant};

use crate::limits::{CARRIER_LOST_SETTLE, GATEWAY_GAP, GATEWAY_LOST_SETTLE, REACHABLE_SETTLE};

/// Reachability of this box (assumed until something else is known), at this moment and settled.
pub struct Reach {
    has_gateway: bool,
    carrier_lost: Option<Instant>,
    gateway_lost: Option<Instant>,
    gateway_answered: Option<Instant>,
    /// When it answered again after a silence.
    gateway_back: Option<Instant>,
    /// The witness answers: whatever the gateway does, somebody beyond this box is there.
    vouched: bool,
    /// Since when both are there; `None` while one is missing.
    good_since: Option<Instant>,
    settled: bool,
}

impl Reach {
    pub(crate) fn new(has_gateway: bool) -> Reach {
        Reach {
            has_gateway,
            carrier_lost: None,
            gateway_lost: None,
            gateway_answered: None,
            gateway_back: None,
            vouched: false,
            good_since: None,
            settled: true,
        }
    }

    pub(crate) fn carrier(&mut self, now: Instant, up: bool) {
        self.carrier_lost = if up { None } else { self.carrier_lost.or(Some(now)) };
    }

    pub(crate) fn gateway(&mut self, now: Instant, reachable: bool) {
        if reachable {
            let before = self.gateway_answered.replace(now);
            if before.is_none_or(|at| now.saturating_duration_since(at) >= GATEWAY_GAP) {
                self.gateway_back = Some(now);
            }
        }
        if self.has_gateway {
            self.gateway_lost = if reachable { None } else { self.gateway_lost.or(Some(now)) };
        }
    }

    pub(crate) fn advance(&mut self, now: Instant, vouched: bool) {
        if self.vouched && !vouched {
            self.gateway_lost = self.gateway_lost.map(|_| now);
        }
        self.vouched = vouched;
        if self.now() {
            let since = *self.good_since.get_or_insert(now);
            self.settled |= now.saturating_duration_since(since) >= REACHABLE_SETTLE;
            return;
        }
        self.good_since = None;
        let past = |since: Option<Instant>, settle| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= settle)
        };
        if past(self.carrier_lost, CARRIER_LOST_SETTLE)
            || (!vouched && past(self.gateway_lost, GATEWAY_LOST_SETTLE))
        {
            self.settled = false;
        }
    }

    /// Somebody beyond this box was heard after that moment: the silence of the peer is not this box's
    /// own cable, whose loss is noticed later than the silence.
    #[must_use]
    pub fn proven_since(&self, since: Option<Instant>) -> bool {
        let since = since.filter(|_| self.has_gateway && !self.vouched);
        since.is_none_or(|since| self.gateway_answered.is_some_and(|at| at > since))
    }

    /// Without a break for this long: the cable that was cut for both, and works again, brings the gateway's
    /// answer as soon as the peer's first heartbeat.
    #[must_use]
    pub fn unbroken_for(&self, now: Instant, time: Duration) -> bool {
        let back = self.gateway_back.filter(|_| self.has_gateway && !self.vouched);
        let long = |at| now.saturating_duration_since(at) >= time;
        self.good_since.is_some_and(long) && back.is_none_or(long)
    }

    /// At this very moment.
    #[must_use]
    pub fn now(&self) -> bool {
        self.carrier_lost.is_none() && (self.gateway_lost.is_none() || self.vouched)
    }

    /// What decides about this box's own address. The peer is told no as soon as [`Reach::now`] says
    /// so: then it is not counted on to serve in this box's place.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.settled
    }
}
