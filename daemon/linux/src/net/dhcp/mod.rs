//! A DHCP client for one port (RFC 2131). Pure: frames in and out, no socket and no clock.
//!
//! ```text
//! a lease was kept ─▶ rebooting ─ ACK ─▶ bound ─ T1 ─▶ renewing ─ T2 ─▶ rebinding ─ end ─▶ selecting
//! none was kept    ─▶ selecting ─ OFFER ─▶ requesting ─ ACK ─▶ bound        NAK, anywhere ─▶ selecting
//! ```
//!
//! A kept lease is used at once and asked for again: after a power cut the box has its address before
//! the server answers, and when it does not answer at all the lease runs to its end
//! (RFC 2131 §3.2). Whether a new address is free is its caller's to find out; when it is not, the
//! caller says [`Input::InUse`].

mod message;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::{Address, Mac};
use crate::limits::{
    DHCP_AGAIN_AFTER, DHCP_DECLINED_WAIT, DHCP_RENEW_AGAIN_MIN, DHCP_TRIES, LEASE_S_MAX,
};
use message::{Kind, Message, Query};

/// What a server lets this box use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub address: Address,
    pub gateways: Vec<Ipv4Addr>,
    /// Option 42.
    pub time_servers: Vec<Ipv4Addr>,
    pub server: Ipv4Addr,
    /// From now on, as of the message that said so.
    pub seconds: u32,
    /// T1: from then on this server is asked for more time,
    pub renew_seconds: u32,
    /// T2: and from then on every server.
    pub rebind_seconds: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A whole Ethernet frame.
    Frame(&'a [u8]),
    /// The port got its carrier: it may be another network.
    Reconnected,
    /// Somebody else has the address that was given.
    InUse,
    /// The deadline came.
    Tick,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A whole Ethernet frame.
    Send(Vec<u8>),
    /// This is the address now; also at each renewal.
    Bound(Lease),
    /// There is no address any more.
    Lost,
}

#[derive(Debug)]
pub struct Client {
    mac: Mac,
    transaction: u32,
    state: State,
    /// Since when this state, and how often it has asked.
    since: Instant,
    tries: u32,
    next: Option<Instant>,
    outputs: std::collections::VecDeque<Output>,
}

#[derive(Clone, Debug)]
enum State {
    Selecting,
    Requesting(Lease),
    /// Asks for what it had; `usable` while that has not ended.
    Rebooting {
        lease: Lease,
        usable_until: Option<Instant>,
    },
    Bound(Held),
    Renewing(Held),
    Rebinding(Held),
    /// The address was taken by somebody else; a pause before the next try (RFC 2131 §3.1.5).
    Declined,
}

#[derive(Clone, Debug)]
struct Held {
    lease: Lease,
    since: Instant,
    server_mac: Mac,
}

impl Held {
    fn at(&self, seconds: u32) -> Instant {
        self.since + Duration::from_secs(seconds.into())
    }
}

impl Client {
    /// `transaction` is random. `kept` is the lease of an earlier run with the seconds it has left:
    /// zero when it has ended or nobody knows.
    #[must_use]
    pub fn new(now: Instant, mac: Mac, transaction: u32, kept: Option<(Lease, u32)>) -> Client {
        let mut client = Client {
            mac,
            transaction,
            state: State::Selecting,
            since: now,
            tries: 0,
            next: Some(now),
            outputs: Default::default(),
        };
        if let Some((lease, left)) = kept {
            let until = now + Duration::from_secs(left.min(lease.seconds).into());
            let usable_until = (left > 0).then_some(until);
            if usable_until.is_some() {
                client.outputs.push_back(Output::Bound(Lease { seconds: left, ..lease.clone() }));
            }
            client.state = State::Rebooting { lease, usable_until };
        }
        client.advance(now);
        client
    }

    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Tick => {}
            Input::Frame(frame) => {
                if let Some(message) = message::read(frame, self.mac, self.transaction) {
                    self.hear(now, message);
                }
            }
            Input::Reconnected => self.reconnected(now),
            Input::InUse => self.decline(now),
        }
        self.advance(now);
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let ends = match &self.state {
            State::Rebooting { usable_until, .. } => *usable_until,
            State::Bound(held) => Some(held.at(held.lease.renew_seconds)),
            State::Renewing(held) => Some(held.at(held.lease.rebind_seconds)),
            State::Rebinding(held) => Some(held.at(held.lease.seconds)),
            State::Selecting | State::Requesting(_) | State::Declined => None,
        };
        ends.into_iter().chain(self.next).min()
    }

    fn enter(&mut self, now: Instant, state: State) {
        self.next = match state {
            State::Bound(_) => None,
            State::Declined => Some(now + DHCP_DECLINED_WAIT),
            _ => Some(now),
        };
        // Answers to what was asked before are nothing any more.
        self.transaction = self.transaction.wrapping_add(1);
        self.state = state;
        self.since = now;
        self.tries = 0;
    }

    /// Does what is due: the next state, or the question again.
    fn advance(&mut self, now: Instant) {
        loop {
            let past = |at: Instant| now >= at;
            let next = match &self.state {
                State::Rebooting { usable_until: Some(until), .. } if past(*until) => {
                    self.outputs.push_back(Output::Lost);
                    Some(State::Selecting)
                }
                // Without an answer a lease that has time left runs on: next, it is renewed.
                State::Rebooting { lease, usable_until } if self.tries >= DHCP_TRIES => {
                    Some(match usable_until {
                        None => State::Selecting,
                        Some(until) => State::Rebinding(Held {
                            lease: Lease {
                                seconds: u32::try_from((*until - now).as_secs()).unwrap_or(0),
                                ..lease.clone()
                            },
                            since: now,
                            server_mac: Mac::BROADCAST,
                        }),
                    })
                }
                State::Requesting(_) if self.tries >= DHCP_TRIES => Some(State::Selecting),
                State::Bound(held) if past(held.at(held.lease.renew_seconds)) => {
                    Some(State::Renewing(held.clone()))
                }
                State::Renewing(held) if past(held.at(held.lease.rebind_seconds)) => {
                    Some(State::Rebinding(held.clone()))
                }
                State::Rebinding(held) if past(held.at(held.lease.seconds)) => {
                    self.outputs.push_back(Output::Lost);
                    Some(State::Selecting)
                }
                State::Declined if self.next.is_some_and(past) => Some(State::Selecting),
                _ => None,
            };
            match next {
                Some(state) => self.enter(now, state),
                None => break,
            }
        }
        if self.next.is_some_and(|at| now >= at) {
            self.ask(now);
        }
    }

    /// RFC 2131 §4.3.2 has the table of which fields go into which question.
    fn ask(&mut self, now: Instant) {
        let secs = u16::try_from((now - self.since).as_secs()).unwrap_or(u16::MAX);
        let blank = Query { kind: Kind::Request, secs, ..Query::default() };
        let query = match &self.state {
            State::Selecting => Query { kind: Kind::Discover, ..blank },
            State::Requesting(offer) => {
                Query { requested: Some(offer.address.ip), server: Some(offer.server), ..blank }
            }
            State::Rebooting { lease, .. } => Query { requested: Some(lease.address.ip), ..blank },
            State::Renewing(held) => Query {
                own: Some(held.lease.address.ip),
                to: Some((held.lease.server, held.server_mac)),
                ..blank
            },
            State::Rebinding(held) => Query { own: Some(held.lease.address.ip), ..blank },
            State::Bound(_) | State::Declined => return,
        };
        let frame = message::write(self.mac, self.transaction, &query);
        self.outputs.push_back(Output::Send(frame));
        self.tries += 1;
        self.next = Some(now + self.pause(now));
    }

    /// RFC 2131 §4.1 and §4.4.5.
    fn pause(&self, now: Instant) -> Duration {
        let half_of =
            |until: Instant| (until.saturating_duration_since(now) / 2).max(DHCP_RENEW_AGAIN_MIN);
        match &self.state {
            State::Renewing(held) => half_of(held.at(held.lease.rebind_seconds)),
            State::Rebinding(held) => half_of(held.at(held.lease.seconds)),
            _ => {
                let doublings = self.tries.saturating_sub(1).min(DHCP_TRIES);
                // The transaction's own low bits spread the boxes of a site that start together.
                let spread = Duration::from_millis(u64::from(self.transaction & 0x3ff));
                DHCP_AGAIN_AFTER * 2_u32.pow(doublings) + spread
            }
        }
    }

    fn hear(&mut self, now: Instant, message: Message) {
        let expects_answer =
            !matches!(self.state, State::Selecting | State::Bound(_) | State::Declined);
        match (message.kind, &self.state) {
            (Kind::Offer, State::Selecting) => {
                if let Some(lease) = message.lease {
                    self.enter(now, State::Requesting(lease));
                }
            }
            (Kind::Ack, _) if expects_answer => {
                let Some(lease) = message.lease else { return };
                self.outputs.push_back(Output::Bound(lease.clone()));
                let held = Held { lease, since: now, server_mac: message.from };
                self.enter(now, State::Bound(held));
            }
            (Kind::Nak, _) if expects_answer => {
                if self.has_address() {
                    self.outputs.push_back(Output::Lost);
                }
                self.enter(now, State::Selecting);
            }
            _ => {}
        }
    }

    fn has_address(&self) -> bool {
        match &self.state {
            State::Rebooting { usable_until, .. } => usable_until.is_some(),
            State::Bound(_) | State::Renewing(_) | State::Rebinding(_) => true,
            State::Selecting | State::Requesting(_) | State::Declined => false,
        }
    }

    fn reconnected(&mut self, now: Instant) {
        match &self.state {
            State::Bound(held) | State::Renewing(held) | State::Rebinding(held) => {
                let (lease, until) = (held.lease.clone(), held.at(held.lease.seconds));
                self.enter(now, State::Rebooting { lease, usable_until: Some(until) });
            }
            State::Rebooting { .. } | State::Selecting => {
                self.tries = 0;
                self.next = Some(now);
            }
            State::Requesting(_) | State::Declined => {}
        }
    }

    fn decline(&mut self, now: Instant) {
        let lease = match &self.state {
            State::Bound(held) | State::Renewing(held) | State::Rebinding(held) => &held.lease,
            State::Rebooting { lease, .. } => lease,
            State::Selecting | State::Requesting(_) | State::Declined => return,
        };
        let query = Query {
            kind: Kind::Decline,
            requested: Some(lease.address.ip),
            server: Some(lease.server),
            ..Query::default()
        };
        let frame = message::write(self.mac, self.transaction, &query);
        self.outputs.push_back(Output::Send(frame));
        self.outputs.push_back(Output::Lost);
        self.enter(now, State::Declined);
    }
}

/// A lease's times from what a server said (RFC 2131 §4.4.5): T1 is half of it and T2 seven eighths,
/// unless it says something that makes sense.
fn times(seconds: u32, t1: Option<u32>, t2: Option<u32>) -> (u32, u32, u32) {
    let seconds = seconds.min(LEASE_S_MAX);
    let t2 = t2.filter(|t2| *t2 < seconds).unwrap_or(seconds - seconds / 8);
    let t1 = t1.filter(|t1| *t1 < t2).unwrap_or(t2.min(seconds / 2));
    (seconds, t1, t2)
}

#[cfg(test)]
mod tests;
