//! One round of deliveries: several connections at once, each going on until its message is
//! answered.

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
    /// Deliveries that nobody answered for as long as the demo's patience lasts, and the last that
    /// was heard.
    pub given_up: Vec<(usize, String)>,
    /// The longest time in which no message was acknowledged.
    pub longest_pause_seconds: f64,
}

/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

/// Delivers what `numbers` names. When `after` of them are answered, runs `meanwhile` beside the
/// rest.
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

    /// A sender that panicked has left numbers that are still right, and its panic ends the round
    /// anyway.
    fn lock(&self) -> MutexGuard<'_, Tally<'a, 'ledger>> {
        self.tally.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use super::super::super::corpus::Message;
    use super::*;

    /// A server that answers well, badly or not at all, by the number of the message.
    #[derive(Default)]
    struct Moody {
        stored: Mutex<Vec<(String, Vec<u8>)>>,
        seen: AtomicUsize,
    }

    impl Moody {
        fn start(self: Arc<Self>) -> SocketAddr {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let this = self.clone();
                    std::thread::spawn(move || this.serve(stream.unwrap()));
                }
            });
            address
        }

        fn serve(&self, mut stream: TcpStream) -> Option<()> {
            let mut lines = BufReader::new(stream.try_clone().ok()?);
            stream.write_all(b"220 moody\r\n").ok()?;
            let mut from = String::new();
            loop {
                let mut line = String::new();
                lines.read_line(&mut line).ok().filter(|&length| length > 0)?;
                let answer = match line.get(..4)? {
                    "EHLO" => "250-moody\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
                    "RCPT" if line.contains("<nobody@") => "550 no such user\r\n",
                    "DATA" if from.is_empty() => "503 whose?\r\n",
                    "DATA" => {
                        stream.write_all(b"354 go on\r\n").ok()?;
                        let message = data(&mut lines)?;
                        self.answer(&from, message)?
                    }
                    "MAIL" => {
                        from = line.split(['<', '>']).nth(1)?.to_owned();
                        "250 ok\r\n"
                    }
                    "QUIT" => "221 bye\r\n",
                    _ => "250 ok\r\n",
                };
                if line.starts_with("RCPT") && answer.starts_with('5') {
                    from.clear();
                }
                stream.write_all(answer.as_bytes()).ok()?;
            }
        }

        /// `None` hangs up.
        fn answer(&self, from: &str, message: Vec<u8>) -> Option<&'static str> {
            let store = || self.stored.lock().unwrap().push((from.to_owned(), message));
            match self.seen.fetch_add(1, Ordering::Relaxed) % 10 {
                3 => None,
                5 => {
                    store();
                    None
                }
                7 => Some("451 not now\r\n"),
                _ => {
                    store();
                    Some("250 taken\r\n")
                }
            }
        }
    }

    /// Reads to the lonely dot and takes the stuffing out.
    fn data(lines: &mut impl BufRead) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let mut line = Vec::new();
            lines.take(1 << 20).read_until(b'\n', &mut line).ok().filter(|&length| length > 0)?;
            if line == b".\r\n" {
                return Some(message);
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    #[test]
    fn every_answer_and_every_silence_is_accounted_for() {
        let corpus: Vec<Message> = (0..7)
            .map(|n| Message {
                name: n.to_string(),
                bytes: format!("A: {n}\r\n\r\n.\r\n..\u{e9}\r\n").into_bytes(),
            })
            .collect();
        let accounts = ["a@example.test", "nobody@example.test"]
            .map(|address| Account { address: address.into(), password: String::new() });
        let mut ledger = Ledger::new(&corpus);
        let mut numbers: Vec<usize> = (0..200).map(|n| ledger.plan(n % 7, 0)).collect();
        numbers.extend((0..8).map(|n| ledger.plan(n % 7, 1)));
        let server = Arc::new(Moody::default());
        let sending = Sending {
            smtp: server.clone().start(),
            accounts: &accounts,
            senders: 4,
            progress: &|_| {},
        };
        let (round, stored_at_half) =
            round(&sending, &mut ledger, &numbers, 100, || Ok(server.stored.lock().unwrap().len()))
                .unwrap();
        assert!(stored_at_half >= 80, "the cut came after {stored_at_half}");
        assert_eq!(round.acknowledged, 200);
        assert!(round.refused_for_now > 0 && round.unanswered > 0 && round.given_up.is_empty());
        let refused = numbers[200..].iter().map(|&n| ledger.delivery(n).refused.as_deref());
        assert!(refused.into_iter().all(|reply| reply == Some("550 no such user (to RCPT)")));

        let stored = server.stored.lock().unwrap();
        let found = stored.iter().map(|(from, message)| {
            let message = [format!("Return-Path: <{from}>\r\n").as_bytes(), message].concat();
            ledger.identify(0, &message)
        });
        let reading = ledger.compare(found);
        assert_eq!((reading.found, reading.missing.len(), reading.altered.len()), (200, 0, 0));
        assert!(reading.doubled.is_empty(), "{:?}", reading.doubled);
        assert!(reading.repeated > 0);
    }
}
