//! One fault under watch: clients at both addresses before, during and after it, and a verdict.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use control::{Side, View};
use serde_json::json;

use super::clients::{Watched, greeter, reader};
use super::rig::Rig;
use super::weather::{Weather, Worst};
use crate::native::{Account, Fate, Ledger, Load, Pace, until};

/// Of the senders at each address: enough to have writes under way at any moment, and no more.
const PACE: Pace =
    Pace { senders: 2, pause: Duration::from_millis(40), patience: Duration::from_secs(5) };
const GREET_EVERY: Duration = Duration::from_millis(15);
/// Messages that must be acknowledged before the fault, and after everything.
const SOME: usize = 5;
/// The survivor's own clients read without a pause longer than this,
const READ_PAUSE: Duration = Duration::from_millis(100);
/// and their writes wait no longer than the detection takes and this.
const WRITE_MARGIN: Duration = Duration::from_millis(200);
/// A question of a client is answered by several threads, one after the other: each may wake late.
const THREADS: u32 = 6;

/// An address may be on both boxes' ports for this long, when a box gives it back.
pub const HANDED_BACK: Duration = Duration::from_millis(50);

/// The clients of one address, wherever it is served.
struct Clients {
    load: Load,
    reader: Watched,
    greeter: Watched,
}

pub struct Trial<'a> {
    pub rig: &'a mut Rig,
    name: &'static str,
    clients: [Clients; 2],
    accounts: Vec<Account>,
    weather: Weather,
    worst: Worst,
    struck: Instant,
    healed: Option<Instant>,
    settled: Option<Instant>,
    moved: Option<Duration>,
    /// How long each side's address may be on both boxes.
    pub may_be_held_by_two: [Duration; 2],
    /// How long clients of the other box's address may wait for reads and for writes, but for what the machine
    /// itself took. `None` when they are struck, too.
    pub others_may_wait: Option<[Duration; 2]>,
}

/// What the machine's own delays may have caused: the scene proves nothing this time.
#[derive(Debug, thiserror::Error)]
#[error("{what}; but the machine stood still: a thread woke {:?} late, a sync took {:?}", worst.late, worst.sync)]
pub struct Unsure {
    pub what: String,
    pub worst: Worst,
}

/// What was measured. Times in milliseconds, by side where there are two.
#[derive(Clone, Debug)]
pub struct Record {
    pub name: &'static str,
    /// From the fault to the first greeting of the box that took the address; `None` when none moved.
    pub moved_ms: Option<u64>,
    /// The longest time in which a client of the side's address got no greeting.
    pub outage_ms: [u64; 2],
    /// The longest time between two answers that a reader at the side's address got.
    pub read_pause_ms: [u64; 2],
    /// The longest time that an acknowledged delivery to the side's address took.
    pub write_wait_ms: [u64; 2],
    /// The longest time for which both boxes held the side's address.
    pub held_by_two_ms: [u64; 2],
    /// From the end of the fault to the view `both` with each box at its own address.
    pub healed_ms: u64,
    pub acknowledged: usize,
    pub refused: usize,
    pub unknown: usize,
    /// The machine's own delays in that time.
    pub late_ms: u64,
    pub sync_ms: u64,
}

impl<'a> Trial<'a> {
    /// Lets clients in at a pair that is settled. Call it from the street.
    ///
    /// # Errors
    /// When the pair does not settle, or does not serve.
    pub fn begin(rig: &'a mut Rig, name: &'static str) -> Result<Trial<'a>> {
        rig.mend_network()?;
        rig.wait_settled()?;
        rig.next_play()?;
        let accounts = vec![rig.next_account()?];
        let clients = [Side::A, Side::B].map(|side| Clients {
            load: Load::start_at(rig.service(side, 25), &accounts, PACE),
            reader: reader(rig.service(side, 993), accounts[0].clone()),
            greeter: greeter(rig.service(side, 25), GREET_EVERY),
        });
        let weather = Weather::watch([rig.a.data(), rig.b.data()])?;
        let rig_dead_after = rig.dead_after;
        let mut trial = Trial {
            rig,
            name,
            clients,
            accounts,
            weather,
            worst: Worst::default(),
            struck: Instant::now(),
            healed: None,
            settled: None,
            moved: None,
            may_be_held_by_two: [HANDED_BACK; 2],
            others_may_wait: Some([READ_PAUSE, rig_dead_after + WRITE_MARGIN]),
        };
        trial.wait_served()?;
        trial.worst = Worst::default();
        // What was before is none of the fault's doing.
        let _ = trial.weather.take();
        Ok(trial)
    }

    /// Strikes. The stopwatches run from here.
    ///
    /// # Errors
    /// When it cannot.
    pub fn fault(&mut self, strike: impl FnOnce(&mut Rig) -> Result<()>) -> Result<()> {
        self.struck = Instant::now();
        strike(self.rig)
    }

    /// Waits until the side's address is greeted for by this box, and is on its port alone.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn moves(&mut self, address: Side, to: Side) -> Result<()> {
        let struck = self.struck;
        let greeted = until(&format!("{address}'s address to be served by box {to}"), || {
            let greeter = &self.clients[address as usize].greeter;
            Ok(greeter.first_after(struck, Some(to)))
        })?;
        self.moved.get_or_insert(greeted - struck);
        Ok(())
    }

    /// From now on the clients that ask for greetings use the addresses of IPv6.
    ///
    /// # Errors
    /// When they are not served.
    pub fn greet_over_ipv6(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            let address = self.rig.service_ipv6(side, 25);
            self.clients[side as usize].greeter = greeter(address, GREET_EVERY);
        }
        self.wait_served()
    }

    /// Waits until exactly these boxes hold the side's address.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn holds(&mut self, address: Side, holders: &[Side]) -> Result<()> {
        until(&format!("{address}'s address to be on {holders:?}"), || {
            let now = self.rig.holders.now(address);
            ensure!(now == holders, "it is on {now:?}");
            Ok(Some(()))
        })
    }

    /// Lets time pass.
    pub fn lasts(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.worst = self.worst.and(self.weather.take());
    }

    /// For this long no address moves, and nobody goes alone.
    ///
    /// # Errors
    /// [`Unsure`] when something moved in a bad moment of the machine.
    pub fn nothing_moves(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.lasts(Duration::from_millis(100));
            self.judge_quiet()?;
        }
        Ok(())
    }

    /// For this long no address moves, whoever goes alone.
    ///
    /// # Errors
    /// As [`Trial::nothing_moves`].
    pub fn no_address_moves(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.lasts(Duration::from_millis(100));
            self.judge_addresses()?;
        }
        Ok(())
    }

    fn judge_quiet(&mut self) -> Result<()> {
        self.judge_addresses()?;
        self.judge_views()
    }

    fn judge_addresses(&mut self) -> Result<()> {
        let changes = self.rig.holders.since(Some(self.struck));
        if !changes.is_empty() {
            return self.wrong(format!("addresses moved: {changes:?}"));
        }
        Ok(())
    }

    fn judge_views(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            let status = self.rig.get(side).status()?;
            // The link may move to another cable: for a moment the two have none.
            if status.view == View::Alone {
                return self.wrong(format!("box {side} is {}: {}", status.view, status.health));
            }
        }
        Ok(())
    }

    /// What should not have happened did.
    ///
    /// # Errors
    /// Always; [`Unsure`] when it happened in a bad moment of the machine.
    pub fn wrong(&mut self, what: String) -> Result<()> {
        // The machine's delay ends after what it caused.
        std::thread::sleep(Duration::from_millis(200));
        self.worst = self.worst.and(self.weather.take());
        let worst = self.worst;
        if worst.explains(self.rig.dead_after) {
            return Err(Unsure { what, worst }.into());
        }
        bail!(
            "{what} (the machine: a thread woke {:?} late, a sync took {:?})",
            worst.late,
            worst.sync
        )
    }

    /// The fault ends; waits until all is as before it.
    ///
    /// # Errors
    /// When it cannot end, or the pair does not come together again.
    pub fn heals(&mut self, heal: impl FnOnce(&mut Rig) -> Result<()>) -> Result<()> {
        let healed = Instant::now();
        heal(self.rig)?;
        self.rig.wait_settled()?;
        self.settled = Some(Instant::now());
        self.healed = Some(healed);
        Ok(())
    }

    fn wait_served(&mut self) -> Result<()> {
        let now = Instant::now();
        for clients in &self.clients {
            clients.load.wait_more(SOME)?;
            until("readers to be served", || Ok(clients.reader.first_after(now, None)))?;
            until("clients to be greeted", || Ok(clients.greeter.first_after(now, None)))?;
        }
        Ok(())
    }

    /// Sends the clients home and judges: nothing acknowledged is lost or doubled, no address was on both boxes for too
    /// long.
    ///
    /// # Errors
    /// What is wrong.
    pub fn end(mut self) -> Result<Record> {
        self.wait_served()?;
        self.worst = self.worst.and(self.weather.take());
        let struck = self.struck;
        let ms = |time: Duration| time.as_millis() as u64;
        let by_side = |measure: &dyn Fn(&Clients) -> Duration| {
            [ms(measure(&self.clients[0])), ms(measure(&self.clients[1]))]
        };
        let held_by_two =
            [Side::A, Side::B].map(|address| self.rig.holders.held_by_two(address, struck));
        let outage_ms = by_side(&|clients| clients.greeter.longest_gap(struck));
        let read_pause_ms = by_side(&|clients| clients.reader.longest_gap(struck));
        let write_wait_ms = by_side(&|clients| clients.load.longest_wait(struck));
        let mut ledger = Ledger::default();
        for clients in self.clients {
            drop((clients.reader, clients.greeter));
            ledger.add(clients.load.stop());
        }
        self.rig.wait_both()?;
        self.rig.wait_equal()?;
        for side in [Side::A, Side::B] {
            ledger.check(self.rig.get(side), &self.accounts)?;
        }
        for (side, allowed) in [Side::A, Side::B].into_iter().zip(self.may_be_held_by_two) {
            let held = held_by_two[side as usize];
            if held > allowed && !self.worst.delays(self.rig.dead_after) {
                bail!("{side}'s address was on both boxes for {held:?}; allowed are {allowed:?}");
            }
        }
        if let Some([read, write]) = self.others_may_wait {
            let late = self.worst.late * THREADS;
            let waited = [read_pause_ms[1], write_wait_ms[1]].map(Duration::from_millis);
            // A sync is done by threads of the kernel, which a machine with too much to do lets wait as it does those
            // that serve a reader. A write waits for two at most: one that was under way, and its own.
            let allowed = [read + late + self.worst.sync, write + late + 2 * self.worst.sync];
            if waited[0] > allowed[0] || waited[1] > allowed[1] {
                let what = format!(
                    "b's own clients waited {waited:?} for reads and writes; allowed are {allowed:?}"
                );
                let worst = self.worst;
                if worst.explains(self.rig.dead_after) {
                    return Err(Unsure { what, worst }.into());
                }
                bail!(what);
            }
        }
        let healed = self.settled.zip(self.healed).map(|(settled, healed)| settled - healed);
        Ok(Record {
            name: self.name,
            moved_ms: self.moved.map(ms),
            outage_ms,
            read_pause_ms,
            write_wait_ms,
            held_by_two_ms: held_by_two.map(ms),
            healed_ms: ms(healed.unwrap_or_default()),
            acknowledged: ledger.count(Fate::Acknowledged),
            refused: ledger.count(Fate::Refused),
            unknown: ledger.count(Fate::Unknown),
            late_ms: ms(self.worst.late),
            sync_ms: ms(self.worst.sync),
        })
    }
}

impl Record {
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        json!({
            "scene": self.name,
            "moved_ms": self.moved_ms,
            "outage_ms": self.outage_ms,
            "read_pause_ms": self.read_pause_ms,
            "write_wait_ms": self.write_wait_ms,
            "held_by_two_ms": self.held_by_two_ms,
            "healed_ms": self.healed_ms,
            "acknowledged": self.acknowledged,
            "refused": self.refused,
            "unknown": self.unknown,
            "machine_late_ms": self.late_ms,
            "machine_sync_ms": self.sync_ms,
        })
    }
}
