//! One round of deliveries: several connections at once, each going on until its message is answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Result;
use rack::client::{Answer, Smtp};

use super::super::pair::{ANSWER_LIMIT, Account, PATIENCE};
use super::ledger::{Ledger, sender};

/// Where and how to deliver.
pub struct Sending<'a> {
    /// The SMTP port.
    pub smtp: SocketAddr,
    /// Who gets mail.
    pub accounts: &'a [Account],
    /// How many connections.
    pub senders: usize,
    /// Told how many are answered, each time that changes.
    pub progress: &'a (dyn Fn(usize) + Sync),
}

/// What a round was like.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// How long it took.
    pub seconds: f64,
    /// How many got their `250`.
    pub acknowledged: usize,
    /// Attempts that ended without an answer.
    pub unanswered: usize,
    /// Refusals for now (4xx); each was tried again.
    pub refused_for_now: usize,
    /// Deliveries that nobody answered for as long as the demo's patience lasts, and the last that was heard.
    pub given_up: Vec<(usize, String)>,
    /// The longest time in which no message was acknowledged.
    pub longest_pause_seconds: f64,
}

/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

/// Delivers what `numbers` names. When `after` of them are answered, runs `meanwhile` beside the rest.
pub fn round<T>(
    sending: &Sending<'_>,
    ledger: &mut Ledger<'_>,
    numbers: &[usize],
    after: usize,
    meanwhile: impl FnOnce() -> Result<T>,
) -> Result<(Round, T)> {
    let start = Instant::now();
    let shared = Shared {
        sending,
        numbers,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        tally: Mutex::new(Tally::new(ledger, start)),
        answered: Condvar::new(),
    };
    let result = std::thread::scope(|scope| {
        for n in 0..sending.senders {
            let shared = &shared;
            // Half of the clients pipeline, half do not.
            scope.spawn(move || shared.deliver_all(n % 2 == 0));
        }
        shared.wait_for(after);
        let result = meanwhile();
        shared.stop.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    })?;
    let mut round =
        shared.tally.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).round;
    round.seconds = start.elapsed().as_secs_f64();
    Ok((round, result))
}

struct Shared<'a, 'ledger> {
    sending: &'a Sending<'a>,
    numbers: &'a [usize],
    next: AtomicUsize,
    /// Nobody answers any more: the rest of the round would only take its patience one by one.
    stop: AtomicBool,
    tally: Mutex<Tally<'a, 'ledger>>,
    answered: Condvar,
}

struct Tally<'a, 'ledger> {
    ledger: &'a mut Ledger<'ledger>,
    round: Round,
    answered: usize,
    last_acknowledged: Instant,
}

impl<'a, 'ledger> Tally<'a, 'ledger> {
    fn new(ledger: &'a mut Ledger<'ledger>, start: Instant) -> Self {
        Self { ledger, round: Round::default(), answered: 0, last_acknowledged: start }
    }

    fn acknowledge(&mut self, number: usize) {
        self.ledger.delivery_mut(number).acknowledged = true;
        self.round.acknowledged += 1;
        let pause = self.last_acknowledged.elapsed().as_secs_f64();
        self.round.longest_pause_seconds = self.round.longest_pause_seconds.max(pause);
        self.last_acknowledged = Instant::now();
    }
}

impl<'a, 'ledger> Shared<'a, 'ledger> {
    fn deliver_all(&self, pipelining: bool) {
        let mut session = None;
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&number) = self.numbers.get(next) else { break };
            self.deliver(number, &mut session, pipelining);
            let mut tally = self.lock();
            tally.answered += 1;
            (self.sending.progress)(tally.answered);
            self.answered.notify_all();
        }
        if let Some(session) = session {
            // Everything has been answered already.
            _ = session.quit();
        }
    }

    /// Tries until the message is accepted or refused for good.
    fn deliver(&self, number: usize, session: &mut Option<Smtp>, pipelining: bool) {
        let (message, to) = {
            let tally = self.lock();
            let account = tally.ledger.delivery(number).account;
            (tally.ledger.message(number), &self.sending.accounts[account].address)
        };
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < PATIENCE && !self.stop.load(Ordering::Relaxed) {
            let Some(connected) = self.session(session, pipelining, &mut last) else { continue };
            match connected.deliver(&sender(number), &[to], &message.bytes) {
                Ok(Answer::Accepted) => return self.lock().acknowledge(number),
                Ok(Answer::Refused { code: 400..500, text, .. }) => {
                    self.lock().round.refused_for_now += 1;
                    last = text;
                    std::thread::sleep(PAUSE);
                }
                Ok(Answer::Refused { command, code, text }) => {
                    let refused = format!("{code} {text} (to {command})");
                    self.lock().ledger.delivery_mut(number).refused = Some(refused);
                    return;
                }
                Err(unanswered) => {
                    *session = None;
                    last = unanswered.to_string();
                    let mut tally = self.lock();
                    tally.round.unanswered += 1;
                    tally.ledger.delivery_mut(number).unanswered += usize::from(unanswered.whole);
                }
            }
        }
        self.stop.store(true, Ordering::Relaxed);
        self.lock().round.given_up.push((number, last));
    }

    /// The session that is open, or a new one; none when nobody greets.
    fn session<'s>(
        &self,
        session: &'s mut Option<Smtp>,
        pipelining: bool,
        last: &mut String,
    ) -> Option<&'s mut Smtp> {
        if session.is_none() {
            match Smtp::connect(self.sending.smtp, ANSWER_LIMIT) {
                Ok(new) => *session = Some(if pipelining { new } else { new.without_pipelining() }),
                Err(error) => {
                    *last = error.to_string();
                    std::thread::sleep(PAUSE);
                }
            }
        }
        session.as_mut()
    }

    fn wait_for(&self, count: usize) {
        let count = count.min(self.numbers.len());
        let mut tally = self.lock();
        while tally.answered < count {
            tally = self.answered.wait(tally).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// A sender that panicked has left numbers that are still right, and its panic ends the round anyway.
    fn lock(&self) -> MutexGuard<'_, Tally<'a, 'ledger>> {
        self.tally.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
