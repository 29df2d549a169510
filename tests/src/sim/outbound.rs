//! Messages for other hosts: each box sends what [`queue::Queue`] gives it, and the world notes what it gets.

use std::collections::BTreeMap;
use std::time::Duration;

use mailbox::Queued;
use node::core::{Answer, Input};
use queue::{Queue, Timing, Turn};
use record::{AttemptId, QueueId, RequestId, Sent, Side};
use replica::{Mode, Wish};

use super::checks;
use super::clients::Clients;
use super::options::Break;
use super::world::{Step, World, at};

/// As a run takes half a minute at most.
const TIMING: Timing = Timing {
    takeover: Duration::from_secs(4),
    attempt: Duration::from_secs(10),
    connect: Duration::from_secs(3),
    retries: &[Duration::from_millis(400), Duration::from_millis(800)],
};
/// Messages looked at in one step.
const LOOK_AT: usize = 16;
/// Steps of a sender in one of the world's.
const STEPS_MAX: usize = 4;
/// After the faults, everything must be sent within so many rounds.
const ROUNDS: usize = 30;

/// What sends the messages of one box, in one run of its program.
pub struct Sender {
    queue: Queue,
    flights: BTreeMap<AttemptId, Flight>,
}

/// An attempt under way.
struct Flight {
    message: QueueId,
    /// The wish that is waited for.
    request: RequestId,
    stage: Stage,
}

enum Stage {
    /// Its record is on the way.
    Asked,
    /// It is committed: now the connection may be made.
    Committed,
    /// The other hosts have spoken.
    Answered(Vec<(u32, Sent)>),
    /// The outcome's record is on the way.
    Closing,
}

impl Sender {
    pub fn new(side: Side, broken: Option<Break>) -> Sender {
        let mut queue = Queue::new(side, TIMING);
        queue.sabotage(broken.and_then(Break::in_queue));
        Sender { queue, flights: BTreeMap::new() }
    }

    /// A wish of this box is committed.
    pub fn done(&mut self, request: RequestId) {
        let mut flights = self.flights.iter_mut();
        let Some((id, flight)) = flights.find(|(_, flight)| flight.request == request) else {
            return;
        };
        match flight.stage {
            Stage::Asked => flight.stage = Stage::Committed,
            Stage::Closing => {
                let (id, message) = (*id, flight.message);
                self.flights.remove(&id);
                self.queue.over(message);
            }
            Stage::Committed | Stage::Answered(_) => {}
        }
    }
}

/// One recipient got a message.
#[derive(Clone, Copy, Debug)]
struct Got {
    side: Side,
    /// The start of that side's program.
    run: u64,
    attempt: AttemptId,
    at: Duration,
}

/// The world outside, and what it knows of the boxes.
#[derive(Default)]
pub struct Elsewhere {
    /// The number of each message.
    expected: BTreeMap<QueueId, u64>,
    got: BTreeMap<(QueueId, u32), Vec<Got>>,
    runs: [u64; 2],
    up_since: [Duration; 2],
    alone_since: [Option<Duration>; 2],
}

impl Elsewhere {
    pub fn expects(&mut self, message: QueueId, number: u64) {
        self.expected.insert(message, number);
    }

    pub fn started(&mut self, side: Side, now: Duration) {
        self.runs[at(side)] += 1;
        self.up_since[at(side)] = now;
        self.alone_since[at(side)] = None;
    }

    pub fn mode(&mut self, side: Side, mode: Mode, now: Duration) {
        let since = &mut self.alone_since[at(side)];
        *since = (mode == Mode::Alone).then_some(since.unwrap_or(now));
    }

    pub fn has_got(&self, message: QueueId, recipient: u32) -> bool {
        self.got.contains_key(&(message, recipient))
    }
}

impl World {
    /// Whatever has happened to a box may have changed what is its to send.
    pub(super) fn tell_standing(&mut self, side: Side) {
        let now = self.now();
        let peer_is_off = !self.boxes[at(side.other())].is_up();
        if let Some(core) = &self.boxes[at(side)].core {
            self.senders[at(side)].queue.stands(now, core.queue_standing(peer_is_off));
        }
    }

    /// Some steps of a box's sender; at times it is quick, and everything else waits for it.
    pub(super) fn send_some(&mut self, side: Side) -> Step {
        let quick = self.random.permille(500);
        for _ in 0..1 + self.random.below(STEPS_MAX) {
            self.send(side)?;
            if quick {
                self.commit_at_once(side)?;
            }
        }
        Ok(())
    }

    /// As far as this box and, in a session, its peer can.
    fn commit_at_once(&mut self, side: Side) -> Step {
        let [a, b] = &self.boxes;
        let joined = a.session.is_some() && a.session == b.session && self.cable.is_whole();
        if joined && Side::BOTH.into_iter().all(|side| !self.is_paused(side)) {
            return self.settle(1);
        }
        self.sync(side)?;
        self.apply(side, u64::MAX)
    }

    fn send(&mut self, side: Side) -> Step {
        self.tell_standing(side);
        let ids: Vec<AttemptId> = self.senders[at(side)].flights.keys().copied().collect();
        if let Some(id) = self.random.pick(&ids).copied() {
            match &self.senders[at(side)].flights[&id].stage {
                Stage::Committed => return self.connect_elsewhere(side, id),
                // Other hosts take their time.
                Stage::Answered(_) if self.step != u64::MAX && self.random.permille(850) => {}
                Stage::Answered(sent) => {
                    let sent = sent.clone();
                    return self.close(side, id, sent);
                }
                Stage::Asked | Stage::Closing => {}
            }
        }
        for queued in self.unsent(side)? {
            if self.turn(side, &queued, None) == Turn::Send {
                return self.begin(side, &queued);
            }
        }
        Ok(())
    }

    fn unsent(&self, side: Side) -> Result<Vec<Queued>, String> {
        let Some(core) = &self.boxes[at(side)].core else { return Ok(Vec::new()) };
        core.index().unsent(LOOK_AT).map_err(|e| e.to_string())
    }

    fn turn(&mut self, side: Side, queued: &Queued, this: Option<AttemptId>) -> Turn {
        let (now, known) = (self.now(), queued.attempts.iter());
        let attempts: Vec<queue::Attempt> =
            known.map(|a| queue::Attempt { id: a.id, side: a.side, over: a.over }).collect();
        let queue = &mut self.senders[at(side)].queue;
        queue.turn(now, queued.message, queued.owner, &attempts, this)
    }

    fn begin(&mut self, side: Side, queued: &Queued) -> Step {
        let (attempt, request) = (AttemptId(self.random.id()), RequestId(self.random.id()));
        let message = queued.message;
        self.tell(|| format!("{side} is about to send {message:?}: {attempt:?}"));
        let now = self.now();
        let sender = &mut self.senders[at(side)];
        sender.queue.begin(now, message, attempt);
        sender.flights.insert(attempt, Flight { message, request, stage: Stage::Asked });
        let wish = Wish::Attempt { message, attempt, side };
        self.give(side, Input::Submit { request, wish, answer: Answer::AtApply })
    }

    /// The attempt is committed: is it still this box's turn?
    fn connect_elsewhere(&mut self, side: Side, id: AttemptId) -> Step {
        let message = self.senders[at(side)].flights[&id].message;
        let Some(core) = &self.boxes[at(side)].core else { return Ok(()) };
        let known = core.index().queued(message).map_err(|e| e.to_string())?;
        let queued = known.ok_or(format!("queue: {side} forgot {message:?}"))?;
        let unreadable = checks::rotten_part(core, queued.body).is_some();
        if queued.settled || unreadable || self.turn(side, &queued, Some(id)) != Turn::Send {
            self.tell(|| format!("{side} does not send {message:?} after all"));
            return self.close(side, id, Vec::new());
        }
        let Some(core) = &self.boxes[at(side)].core else { return Ok(()) };
        let bytes = checks::read(core, queued.body)?;
        if Clients::number(&bytes) != self.elsewhere.expected.get(&message).copied() {
            return Err(format!("P1: {side} sends other bytes for {message:?}"));
        }
        let mut answers = Vec::new();
        for (recipient, (_, known)) in (0..).zip(&queued.recipients) {
            if matches!(known, None | Some(Sent::Later { .. })) {
                let sent = self.answer_of_the_world();
                if sent == Sent::Taken {
                    self.got(side, &queued, id, recipient)?;
                }
                answers.push((recipient, sent));
            }
        }
        self.tell(|| format!("{side} sends {message:?}: {answers:?}"));
        if let Some(flight) = self.senders[at(side)].flights.get_mut(&id) {
            flight.stage = Stage::Answered(answers);
        }
        Ok(())
    }

    fn answer_of_the_world(&mut self) -> Sent {
        let is_over = self.step == u64::MAX;
        match self.random.below(100) {
            0..15 if !is_over => Sent::Later { reply: "450".into() },
            15..20 => Sent::Refused { reply: "550".into() },
            _ => Sent::Taken,
        }
    }

    fn close(&mut self, side: Side, attempt: AttemptId, recipients: Vec<(u32, Sent)>) -> Step {
        let request = RequestId(self.random.id());
        let Some(flight) = self.senders[at(side)].flights.get_mut(&attempt) else { return Ok(()) };
        (flight.request, flight.stage) = (request, Stage::Closing);
        let wish = Wish::Outcome { message: flight.message, attempt, recipients };
        self.give(side, Input::Submit { request, wish, answer: Answer::AtApply })
    }

    /// A recipient gets the message. May that be, after all that the world knows?
    fn got(&mut self, side: Side, queued: &Queued, attempt: AttemptId, recipient: u32) -> Step {
        let (now, message) = (self.elapsed(), queued.message);
        let peer_is_up = self.boxes[at(side.other())].is_up();
        let elsewhere = &mut self.elsewhere;
        if queued.owner != side && peer_is_up {
            let up_since = elsewhere.up_since[at(side.other())];
            let alone = elsewhere.alone_since[at(side)];
            let lived_on =
                alone.is_none_or(|since| up_since <= since && now - since < TIMING.takeover);
            if lived_on {
                return Err(format!("queue: {side} sends {message:?} of its living peer"));
            }
        }
        let new = Got { side, run: elsewhere.runs[at(side)], attempt, at: now };
        let before = elsewhere.got.entry((message, recipient)).or_default();
        let needless = |old: &Got| {
            let known = queued.attempts.iter().any(|known| known.id == old.attempt);
            // Whoever waits for an attempt counts from its record, which may be this much older.
            let just_now = now - old.at < TIMING.attempt - TIMING.connect;
            match old.side == side {
                true => old.run == new.run,
                // The one who had it is down: whether it was sent nobody can know.
                false => known && just_now && peer_is_up,
            }
        };
        if let Some(old) = before.iter().find(|old| needless(old)) {
            return Err(format!("queue: {message:?} is sent again: {old:?}, {new:?}"));
        }
        before.push(new);
        self.counts.sent += 1;
        Ok(())
    }

    /// After the faults: time passes until everything is sent.
    pub(super) fn send_all(&mut self) -> Step {
        for _ in 0..ROUNDS {
            let left = self.unsent(Side::A)?.len() + self.unsent(Side::B)?.len();
            if left == 0 {
                return Ok(());
            }
            self.idle(TIMING.attempt);
            // The attempt, the connection, the outcome.
            for _ in 0..3 {
                for side in Side::BOTH {
                    (0..2 * LOOK_AT).try_for_each(|_| self.send(side))?;
                }
                self.settle(2)?;
            }
        }
        Ok(())
    }
}
