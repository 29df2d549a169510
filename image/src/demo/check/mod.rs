//! `twinpost demo --check`: mail in, a box dead, mail out, and the same with the other box.
//!
//! 1. Both boxes start; accounts are made.
//! 2. Every message goes to a, and is read back from b.
//! 3. Every message goes to a again, and in the middle a loses its power. The clients go on at a's
//!    address; then every message with a `250` must be there.
//! 4. a gets power, catches up, both boxes have the same digest, and a shows every message itself.
//! 5. Steps 3 and 4 with b.

mod collect;
mod deliver;
mod ledger;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rack::Side;

use self::collect::Collected;
use self::deliver::Sending;
use self::ledger::Ledger;
use self::report::{COMPLAINTS_MAX, Digests, Outcome, ReadingReport, Refusal, RoundReport};
use super::corpus::Corpus;
use super::greeting::Watch;
use super::pair::{PATIENCE, Pair};
use super::waiting;
use crate::progress::Step;

/// A round with a power cut has at least so many deliveries: a handful would be over before the
/// cut.
const ROUND_MIN: usize = 400;
const POLL: Duration = Duration::from_millis(250);

/// Runs the whole check. It also reports when it ends early.
pub fn run(pair: &mut Pair, corpus: &Corpus, senders: usize) -> Outcome {
    let start = Instant::now();
    let mut check = Check {
        senders,
        ledger: Ledger::new(&corpus.messages),
        corpus,
        outcome: prepared(pair, corpus),
        bad: Bad::default(),
    };
    let ended = check.run(pair);
    let mut outcome = check.finish();
    outcome.error = ended.err().map(|error| format!("{error:#}"));
    outcome.seconds = round3(start.elapsed());
    outcome
}

struct Check<'a> {
    senders: usize,
    corpus: &'a Corpus,
    ledger: Ledger<'a>,
    outcome: Outcome,
    bad: Bad,
}

/// Deliveries that any reading has shown to be wrong: one may be wrong in many readings.
#[derive(Default)]
struct Bad {
    missing: BTreeSet<usize>,
    doubled: BTreeSet<usize>,
    altered: BTreeSet<String>,
}

fn prepared(pair: &Pair, corpus: &Corpus) -> Outcome {
    Outcome {
        corpus_messages: corpus.messages.len(),
        corpus_bytes: corpus.bytes(),
        not_mail: corpus.not_mail.len(),
        not_mail_names: corpus.not_mail.clone(),
        accounts: pair.accounts.len(),
        image_bytes: pair.image_bytes,
        image_used_bytes: pair.image_used_bytes,
        qemu: pair.qemu().to_string(),
        ..Outcome::default()
    }
}

impl Check<'_> {
    fn run(&mut self, pair: &mut Pair) -> Result<()> {
        self.start(pair)?;
        let first: Vec<usize> = self.plan(self.corpus.messages.len());
        self.deliver(pair, "to a", Side::A, &first, None)?;
        self.read(pair, "from b", pair.ports(Side::B).imaps)?;
        self.compare_digests(pair, "both boxes new")?;
        for victim in Side::BOTH {
            self.lose(pair, victim)?;
            self.regain(pair, victim)?;
        }
        Ok(())
    }

    fn start(&mut self, pair: &mut Pair) -> Result<()> {
        let step = waiting("boot", "both boxes");
        let boots = pair.start()?;
        self.outcome.boot_seconds = boots.iter().copied().map(round3).collect();
        step.done(format!("greetings after {:.1} and {:.1} s", secs(boots[0]), secs(boots[1])));
        let step = waiting("view", "waiting until both boxes are in");
        pair.wait_for_both()?;
        pair.create_accounts(Side::A)?;
        for side in Side::BOTH {
            self.outcome.ram_at_rest_bytes.extend(pair.panel(side).status()?.ram_bytes());
            self.outcome.qemu_resident_bytes.extend(pair.resident_bytes(side));
        }
        step.done(format!("both; {} accounts made", pair.accounts.len()));
        Ok(())
    }

    /// Plans a round: every message once, and again from the first until there are `count`.
    fn plan(&mut self, count: usize) -> Vec<usize> {
        let (messages, accounts) = (self.corpus.messages.len(), self.outcome.accounts);
        (0..count)
            .map(|n| {
                // One on after each pass, so that an account gets another message then.
                let account = (n + n / messages) % accounts;
                self.ledger.plan(n % messages, account)
            })
            .collect()
    }

    /// Cuts a box's power in the middle of a round to its address.
    fn lose(&mut self, pair: &mut Pair, victim: Side) -> Result<()> {
        let numbers = self.plan(self.corpus.messages.len().max(ROUND_MIN));
        self.deliver(pair, &format!("to {victim}, killed"), victim, &numbers, Some(victim))?;
        let survivor = victim.other();
        let imaps = pair.ports(victim).imaps;
        self.read(pair, &format!("from {survivor} at {victim}'s address"), imaps)
    }

    /// Gives a box its power back.
    fn regain(&mut self, pair: &mut Pair, side: Side) -> Result<()> {
        let step = waiting("return", format!("box {side} starts and catches up"));
        let on = pair.power_on(side)?;
        let panel = pair.panel(side);
        pair.wait(side, "an answer of its panel", || panel.status().map(Some))?;
        let answered = on.elapsed();
        pair.wait_for_both()?;
        let both = on.elapsed();
        self.outcome.return_seconds.push(round3(both));
        self.outcome.catch_up_seconds.push(round3(both - answered));
        step.done(format!("box {side} is back after {:.1} s", secs(both)));
        self.compare_digests(pair, &format!("{side} back"))?;
        let own = pair.ports(side).own_imaps;
        self.read(pair, &format!("from {side}, back"), own)
    }

    fn deliver(
        &mut self,
        pair: &mut Pair,
        name: &str,
        to: Side,
        numbers: &[usize],
        kill: Option<Side>,
    ) -> Result<()> {
        let smtp = pair.ports(to).smtp;
        let accounts = pair.accounts.clone();
        let step = Step::count("deliveries", numbers.len() as u64);
        step.say(name);
        let progress = |count: usize| step.at(count as u64);
        let sending =
            Sending { smtp, accounts: &accounts, senders: self.senders, progress: &progress };
        let after = if kill.is_some() { numbers.len() / 3 } else { 0 };
        let (round, takeover) =
            deliver::round(&sending, &mut self.ledger, numbers, after, || match kill {
                None => Ok(None),
                Some(victim) => {
                    let cut = pair.kill(victim)?;
                    let takeover = Watch::start(smtp, cut).wait(PATIENCE);
                    takeover.map(Some).context("nobody greets at the dead box's address")
                }
            })?;
        let mut outcome = format!("{name}: {} of {}", round.acknowledged, numbers.len());
        if let Some(takeover) = takeover {
            self.outcome.takeover_seconds.push(round3(takeover));
            outcome += &format!(", takeover in {:.2} s", secs(takeover));
        }
        step.done(outcome);
        for (number, last) in &round.given_up {
            self.complain(format!("no answer for {}: {last}", self.ledger.message(*number).name));
        }
        self.outcome.messages_unanswered += round.given_up.len();
        self.outcome.rounds.push(RoundReport {
            name: name.to_owned(),
            deliveries: numbers.len(),
            acknowledged: round.acknowledged,
            attempts_unanswered: round.unanswered,
            refused_for_now: round.refused_for_now,
            seconds: round3(Duration::from_secs_f64(round.seconds)),
            longest_pause_seconds: round3(Duration::from_secs_f64(round.longest_pause_seconds)),
        });
        Ok(())
    }

    /// Reads everything through one IMAPS port.
    fn read(&mut self, pair: &Pair, name: &str, imaps: SocketAddr) -> Result<()> {
        let start = Instant::now();
        let acknowledged = self.acknowledged();
        let step = Step::count("reading", acknowledged as u64);
        step.say(name);
        let progress = |count: usize| step.at(count as u64);
        let collected = collect::read(imaps, &pair.accounts, &self.ledger, &progress)?;
        let found = collected.reading.found;
        step.done(format!("{name}: {found} of {acknowledged} unchanged"));
        self.note(name, &collected, acknowledged, start.elapsed());
        Ok(())
    }

    fn note(&mut self, name: &str, collected: &Collected, acknowledged: usize, took: Duration) {
        let reading = &collected.reading;
        for &number in &reading.missing {
            if self.bad.missing.insert(number) {
                let text = self.ledger.message(number).name.clone();
                self.complain(format!("{name}: {text} (delivery {number}) is missing"));
            }
        }
        for &number in &reading.doubled {
            if self.bad.doubled.insert(number) {
                let text = self.ledger.message(number).name.clone();
                self.complain(format!("{name}: {text} (delivery {number}) is doubled"));
            }
        }
        for altered in &reading.altered {
            if self.bad.altered.insert(altered.clone()) {
                self.complain(format!("{name}: {altered}"));
            }
        }
        self.outcome.messages_found = reading.found;
        self.outcome.messages_repeated_by_client = reading.repeated;
        self.outcome.messages_unpromised = reading.unpromised;
        self.outcome.readings.push(ReadingReport {
            name: name.to_owned(),
            acknowledged,
            found: reading.found,
            missing: reading.missing.len(),
            altered: reading.altered.len(),
            doubled: reading.doubled.len(),
            repeated_by_client: reading.repeated,
            seconds: round3(took),
            lag_seconds: round3(collected.lag),
        });
    }

    /// Both boxes' digests, once they are the same or will not be.
    fn compare_digests(&mut self, pair: &Pair, when: &str) -> Result<()> {
        let step = waiting("digests", when);
        let start = Instant::now();
        loop {
            let [a, b] = Side::BOTH.map(|side| pair.panel(side).digest());
            let (a, b) = (a?, b?);
            let equal = a == b;
            if equal || start.elapsed() > PATIENCE / 5 {
                step.done(format!("{when}: {}", if equal { "equal" } else { "NOT EQUAL" }));
                self.outcome.digests.push(Digests {
                    when: when.to_owned(),
                    records: a.records,
                    a: a.digest,
                    b: b.digest,
                });
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }

    fn acknowledged(&self) -> usize {
        self.ledger.deliveries().iter().filter(|delivery| delivery.acknowledged).count()
    }

    fn complain(&mut self, complaint: String) {
        if self.outcome.complaints.len() < COMPLAINTS_MAX {
            self.outcome.complaints.push(complaint);
        }
    }

    fn finish(self) -> Outcome {
        let mut outcome = self.outcome;
        outcome.messages_acknowledged =
            self.ledger.deliveries().iter().filter(|delivery| delivery.acknowledged).count();
        outcome.messages_missing = self.bad.missing.len();
        outcome.messages_doubled = self.bad.doubled.len();
        outcome.messages_altered = self.bad.altered.len();
        outcome.messages_refused = refusals(&self.ledger);
        let pairs = &outcome.digests;
        outcome.digests_equal = !pairs.is_empty() && pairs.iter().all(|pair| pair.a == pair.b);
        outcome
    }
}

fn refusals(ledger: &Ledger<'_>) -> Vec<Refusal> {
    let mut by_reply = BTreeMap::<String, (usize, String)>::new();
    for (number, delivery) in ledger.deliveries().iter().enumerate() {
        if let Some(reply) = &delivery.refused {
            let example = || (0, ledger.message(number).name.clone());
            by_reply.entry(reply.clone()).or_insert_with(example).0 += 1;
        }
    }
    by_reply
        .into_iter()
        .map(|(reply, (deliveries, example))| Refusal { reply, deliveries, example })
        .collect()
}

fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn round3(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
