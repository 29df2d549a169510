//! Clients all the time; in each round a fault, recovery, and a look at everything.

mod kill;
mod net;
mod pause;
mod power;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use control::Side;

use super::books::{Breaches, Sums};
use super::dice::Dice;
use super::disk::Disk;
use super::stand::{SHORT, Size, Stand};
use crate::native::{Maild, Pair};

/// What happens to a box, or to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL: the disk keeps what was written.
    Kill,
    /// SIGSTOP, and SIGCONT some time later.
    Pause,
    /// The disks of boxes lose what was not synced. Needs root.
    Power,
    /// Cables that lose, delay, break and are cut.
    Net,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub fault: Fault,
    pub rounds: usize,
    pub seed: u64,
    pub size: Size,
    /// After so many rounds the clients get new accounts, so that a look stays short.
    pub renew_every: usize,
    pub keep_going: bool,
}

/// Sums over all rounds.
#[derive(Default)]
struct Totals {
    rounds: usize,
    faults: usize,
    recovered_ms: Vec<u64>,
    acknowledged: usize,
    unknown: usize,
    refused: usize,
    deeds: usize,
    deeds_unknown: usize,
    sightings: u64,
    breaches: Breaches,
}

/// How a round's fault went.
struct Struck {
    story: String,
    faults: usize,
    /// From the moment from which nothing hindered the pair any more.
    free: Instant,
}

/// Prints a line for each round. The JSON has the totals.
///
/// # Errors
/// When a promise was broken, a box ended by itself, or the pair does not come together again.
pub fn rounds(plan: &Plan) -> Result<serde_json::Value> {
    let name = format!("torture-{:?}", plan.fault).to_lowercase();
    let mut pair = Pair::prepare_with(&name, SHORT)?;
    let disks = match plan.fault {
        Fault::Power => Some([disk_of(&pair.a)?, disk_of(&pair.b)?]),
        _ => None,
    };
    pair.start()?;
    let mut stand = Stand::new(pair, disks, plan.size);
    let mut dice = Dice::new(plan.seed);
    let mut totals = Totals::default();
    let begin = Instant::now();
    for round in 0..plan.rounds {
        if round % plan.renew_every == 0 {
            if round > 0 {
                totals.close(stand.books().sums());
            }
            stand.renew(plan.seed + round as u64)?;
        }
        if let Err(error) = one(plan, round, &mut stand, &mut dice, &mut totals) {
            stand.pair.keep_logs();
            let kept = stand.keep(&format!("{name}-{round}"))?;
            return Err(error.context(format!("round {round}; both folders: {}", kept.display())));
        }
    }
    totals.close(stand.books().sums());
    let json = totals.json(plan, begin.elapsed());
    println!("{}", totals.line(begin.elapsed()));
    if totals.breaches.total() > 0 {
        bail!("{:?}\n{}", totals.breaches.counts, totals.breaches.first.join("\n"));
    }
    Ok(json)
}

fn one(
    plan: &Plan,
    round: usize,
    stand: &mut Stand,
    dice: &mut Dice,
    totals: &mut Totals,
) -> Result<()> {
    if round % ROUNDS_OF_A_PROGRAM == ROUNDS_OF_A_PROGRAM - 1 {
        start_anew(plan.fault, stand)?;
    }
    let begin = Instant::now();
    wait(dice, 50, 500);
    stand.check_alive()?;
    let struck = match plan.fault {
        Fault::Kill => kill::strike(stand, dice)?,
        Fault::Pause => pause::strike(stand, dice)?,
        Fault::Power => power::strike(stand, dice)?,
        Fault::Net => net::strike(stand, dice)?,
    };
    stand.pair.wait_both()?;
    let recovered = struck.free.elapsed();
    wait(dice, 0, 200);
    let looked = Instant::now();
    stand.look().context("the look after the fault")?;
    let sums = stand.books().sums();
    println!(
        "round {round}: {}; both after {} ms, look {} ms, round {} ms; {} acknowledged, {} unknown, {} deeds since new accounts",
        struck.story,
        recovered.as_millis(),
        looked.elapsed().as_millis(),
        begin.elapsed().as_millis(),
        sums.acknowledged,
        sums.unknown,
        sums.deeds,
    );
    totals.rounds += 1;
    totals.faults += struck.faults;
    totals.recovered_ms.push(recovered.as_millis() as u64);
    let breaches = stand.books().breaches();
    if breaches.total() > 0 {
        totals.breaches = breaches.clone();
        let what = format!("{:?}\n{}", breaches.counts, breaches.first.join("\n"));
        if !plan.keep_going {
            bail!(what);
        }
        println!("{what}");
    }
    Ok(())
}

/// A program that was alone often waits longer and longer before it joins (`replica::limits::JOINS_AT_ONCE`), and a
/// torture has more rounds in an hour than a pair has in its life. Faults that end programs see to that
/// themselves.
fn start_anew(fault: Fault, stand: &mut Stand) -> Result<()> {
    if matches!(fault, Fault::Kill | Fault::Power) {
        return Ok(());
    }
    for side in [Side::A, Side::B] {
        stand.pair.get_mut(side).kill()?;
        stand.pair.get_mut(side).start()?;
        stand.pair.wait_both()?;
    }
    Ok(())
}

fn disk_of(maild: &Maild) -> Result<Disk> {
    Disk::make(maild.folder().join("disk.img"), maild.data(), DISK_MIB)
}

/// A while, in milliseconds.
fn wait(dice: &mut Dice, from_ms: usize, to_ms: usize) -> u64 {
    let ms = (from_ms + dice.below(to_ms - from_ms + 1)) as u64;
    std::thread::sleep(Duration::from_millis(ms));
    ms
}

const DISK_MIB: u64 = 2048;
/// A round has up to three breaks of the link.
const ROUNDS_OF_A_PROGRAM: usize = 3;

fn one_of(dice: &mut Dice) -> Side {
    if dice.percent(50) { Side::A } else { Side::B }
}

impl Totals {
    /// The clients with these sums go home.
    fn close(&mut self, sums: Sums) {
        self.acknowledged += sums.acknowledged;
        self.unknown += sums.unknown;
        self.refused += sums.refused;
        self.deeds += sums.deeds;
        self.deeds_unknown += sums.deeds_unknown;
        self.sightings += sums.sightings;
    }

    fn recovered(&self, permille: usize) -> u64 {
        let mut all = self.recovered_ms.clone();
        all.sort_unstable();
        let last = all.len().saturating_sub(1);
        all.get(last * permille / 1000).copied().unwrap_or(0)
    }

    fn line(&self, took: Duration) -> String {
        let count = |kind| self.breaches.count(kind);
        format!(
            "{} rounds with {} faults in {} s: {} acknowledged, {} without an answer, {} refused; {} flagged, moved or \
             expunged, {} of unknown outcome; {} sightings of UIDs\n\
             lost {}, doubled {}, undone {}, UID violations {}, UIDNEXT violations {}, UIDVALIDITY changes {}, other {}\n\
             both again after median {} ms, p99 {} ms, at most {} ms",
            self.rounds,
            self.faults,
            took.as_secs(),
            self.acknowledged,
            self.unknown,
            self.refused,
            self.deeds,
            self.deeds_unknown,
            self.sightings,
            count("lost"),
            count("doubled"),
            count("undone"),
            count("uid"),
            count("uidnext"),
            count("uidvalidity"),
            count("refused") + count("unsent") + count("misplaced"),
            self.recovered(500),
            self.recovered(990),
            self.recovered(1000),
        )
    }

    fn json(&self, plan: &Plan, took: Duration) -> serde_json::Value {
        serde_json::json!({
            "fault": format!("{:?}", plan.fault),
            "seed": plan.seed,
            "rounds": self.rounds,
            "faults": self.faults,
            "seconds": took.as_secs(),
            "acknowledged": self.acknowledged,
            "unknown": self.unknown,
            "refused": self.refused,
            "deeds": self.deeds,
            "deeds_unknown": self.deeds_unknown,
            "uid_sightings": self.sightings,
            "breaches": self.breaches.counts,
            "both_again_ms": {
                "median": self.recovered(500),
                "p99": self.recovered(990),
                "max": self.recovered(1000),
            },
        })
    }
}
