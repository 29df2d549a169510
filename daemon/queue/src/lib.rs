//! Messages for other hosts: which box sends one, and when.
//!
//! A message is a record with an owner, the box that took it. An attempt is a committed record before the
//! connection, its outcome one after: so whoever takes over knows what was tried. What a box may do with a
//! message follows from what it knows:
//!
//! | this box | the message is | it sends |
//! |---|---|---|
//! | is in `both` | its own | yes |
//! | is in `both` | the peer's | no: the peer does |
//! | is alone | its own | yes |
//! | is alone, the peer is known to be off | the peer's | yes |
//! | is alone, the peer is not heard | the peer's | after [`limits::QUEUE_TAKEOVER`] |
//! | is in no view, or joining | any | no |
//!
//! In a split both boxes live, and the world must not get everything twice: hence the wait for the takeover.
//!
//! In each of these cases it waits while an attempt may be under way: its own until it is over, the peer's
//! until its outcome is known, or for [`limits::ATTEMPT`]. So an attempt that has not come to its connection
//! within [`limits::CONNECT`] is given up: the box may have stood still, and its peer waits no longer. An
//! attempt of a box that is known to be off, or of this box before a restart, is over. And then it waits
//! between attempts ([`limits::RETRIES`]).
//!
//! A box that dies between the other host's "250" and the outcome's commit leaves a message that is sent
//! once more. No mail server can do without that (RFC 1047).
//!
//! Nothing here does I/O, reads a clock, or knows what SMTP is.

pub mod limits;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use record::{AttemptId, QueueId, Side};

/// What this box is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// In no view, or about to join, or it has not applied yet what it held when it joined.
    Outside,
    Both,
    /// Nothing is heard of the peer. `peer_is_off`: not only unheard; it said goodbye, or the admin said so,
    /// or no port has carrier.
    Alone {
        peer_is_off: bool,
    },
}

/// Who has tried to send a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub id: AttemptId,
    pub side: Side,
    /// Its outcome is known.
    pub over: bool,
}

/// What is to be done about a message now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    Send,
    /// Nothing before this moment, unless something changes.
    Wait {
        until: Instant,
    },
    /// Nothing, unless something changes.
    Leave,
}

/// How long things take; [`Timing::default`] has the limits' values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    pub takeover: Duration,
    pub attempt: Duration,
    pub connect: Duration,
    /// Before the second attempt, the third, and so on; the last one for all further.
    pub retries: &'static [Duration],
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            takeover: limits::QUEUE_TAKEOVER,
            attempt: limits::ATTEMPT,
            connect: limits::CONNECT,
            retries: &limits::RETRIES,
        }
    }
}

/// A rule left out on purpose, to see that somebody notices. Nothing but the simulator may use this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// Whoever is alone sends everything at once.
    NoTakeoverWait,
    /// The peer's attempts do not count.
    PeersAttemptsUnseen,
}

/// What one box remembers, in one run of the program.
#[derive(Debug)]
pub struct Queue {
    side: Side,
    timing: Timing,
    standing: Standing,
    since: Option<Instant>,
    /// This run's attempts that are not over, at most one for each message.
    under_way: BTreeMap<QueueId, (AttemptId, Instant)>,
    /// When this box first knew of an attempt.
    known: BTreeMap<QueueId, BTreeMap<AttemptId, Instant>>,
    sabotage: Option<Sabotage>,
}

impl Queue {
    #[must_use]
    pub fn new(side: Side, timing: Timing) -> Queue {
        Queue {
            side,
            timing,
            standing: Standing::Outside,
            since: None,
            under_way: BTreeMap::new(),
            known: BTreeMap::new(),
            sabotage: None,
        }
    }

    /// Tells how this box stands now; time in `Alone` counts from the first word of it.
    pub fn stands(&mut self, now: Instant, standing: Standing) {
        let is_alone = |standing| matches!(standing, Standing::Alone { .. });
        if self.since.is_none() || is_alone(self.standing) != is_alone(standing) {
            self.since = Some(now);
        }
        self.standing = standing;
    }

    /// This box has asked for the attempt's record; [`Queue::over`] ends it.
    pub fn begin(&mut self, now: Instant, message: QueueId, attempt: AttemptId) {
        self.under_way.insert(message, (attempt, now));
    }

    /// The attempt's outcome is committed, or it never came to it.
    pub fn over(&mut self, message: QueueId) {
        self.under_way.remove(&message);
    }

    /// The message is settled: nothing of it is remembered.
    pub fn forget(&mut self, message: QueueId) {
        self.known.remove(&message);
    }

    /// May this box send the message, of which `attempts` are known? With `this` attempt, which is committed:
    /// may it connect? Much may have come in between.
    pub fn turn(
        &mut self,
        now: Instant,
        message: QueueId,
        owner: Side,
        attempts: &[Attempt],
        this: Option<AttemptId>,
    ) -> Turn {
        let known = self.known.entry(message).or_default();
        for attempt in attempts {
            known.entry(attempt.id).or_insert(now);
        }
        let Some(from) = self.from(now, owner) else { return Turn::Leave };
        let own = self.under_way.get(&message);
        let too_late = own.is_some_and(|(_, begun)| now >= *begun + self.timing.connect);
        if own.map(|(id, _)| *id) != this || too_late {
            return Turn::Leave;
        }
        let others: Vec<&Attempt> = attempts.iter().filter(|one| Some(one.id) != this).collect();
        let waits = others.iter().filter_map(|attempt| self.until(message, attempt));
        let due = waits.chain(self.retry(message, &others)).fold(from, Instant::max);
        if due > now { Turn::Wait { until: due } } else { Turn::Send }
    }

    /// From when on the owner's messages are this box's to send; `None` when they are not.
    fn from(&self, now: Instant, owner: Side) -> Option<Instant> {
        let own = owner == self.side;
        match self.standing {
            Standing::Outside => None,
            Standing::Both => own.then_some(now),
            Standing::Alone { peer_is_off } => {
                let at_once = own || peer_is_off || self.sabotage == Some(Sabotage::NoTakeoverWait);
                Some(if at_once { now } else { self.since? + self.timing.takeover })
            }
        }
    }

    /// Until when the attempt may be under way.
    fn until(&self, message: QueueId, attempt: &Attempt) -> Option<Instant> {
        let peers = attempt.side != self.side;
        let off = self.standing == Standing::Alone { peer_is_off: true };
        if attempt.over || !peers || off || self.sabotage == Some(Sabotage::PeersAttemptsUnseen) {
            return None;
        }
        Some(*self.known.get(&message)?.get(&attempt.id)? + self.timing.attempt)
    }

    /// When the next attempt is due, after those that there were.
    fn retry(&self, message: QueueId, attempts: &[&Attempt]) -> Option<Instant> {
        let known = self.known.get(&message)?;
        let last = attempts.iter().filter_map(|attempt| known.get(&attempt.id)).max()?;
        let retries = self.timing.retries;
        let pause = retries.get(attempts.len() - 1).or(retries.last())?;
        Some(*last + *pause)
    }

    /// Breaks a rule from now on.
    pub fn sabotage(&mut self, rule: Option<Sabotage>) {
        self.sabotage = rule;
    }
}
