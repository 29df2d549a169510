//! How long a client waits for its address: when the box that serves it loses its power, when the box hands it over,
//! and when it comes back (promise P7). Two real `maild` processes in network namespaces; needs root.
//!
//! ```text
//! cargo bench-failover --json build/takeover.json
//! ```
//!
//! | figure | from | to |
//! |---|---|---|
//! | takeover | SIGKILL of one box's processes, its ports down a moment before | the first greeting by the survivor |
//! | detect | the same | the survivor's word that it goes on alone |
//! | take | that word | the address on the survivor's port |
//! | announce | the address | its announcement on the LAN |
//! | greet | the announcement | the first greeting |
//! | handover, give-back | the last greeting by one box | the first greeting by the other |
//!
//! Beside them the control: how late an ordinary thread woke in each run, and how long one `fdatasync` beside
//! the boxes' own took.
//!
//! The clients connect, wait for the greeting, and begin again 5 ms later; their kernel's neighbour cache is a real
//! one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Parser;
use control::Side;
use control::site::Timing;
use linux::net::ethernet::EtherType;
use linux::net::{PacketSocket, arp};
use serde_json::{Value, json};
use tests::native::{Load, Pace, until};
use tests::netns::{Rig, Watched, Weather, greeter, missing};

/// Takeover, handover and give-back as a client sees them.
#[derive(Parser)]
struct Args {
    /// Power cuts
    #[arg(long, default_value_t = 100)]
    runs: usize,
    /// Planned handovers, each with its give-back
    #[arg(long, default_value_t = 100)]
    handovers: usize,
    /// Silence for this long means dead
    #[arg(long, default_value_t = 600)]
    dead_after_ms: u64,
    /// Senders at each address meanwhile
    #[arg(long, default_value_t = 2)]
    senders: usize,
    /// Where to write the figures
    #[arg(long)]
    json: Option<PathBuf>,
}

const RETRY: Duration = Duration::from_millis(5);
const SENDER_PAUSE: Duration = Duration::from_millis(50);
const SENDER_PATIENCE: Duration = Duration::from_secs(5);
/// Between two runs, not always the same.
const REST_MS_MAX: u64 = 400;

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(why) = missing() {
        bail!("skipped: {why}");
    }
    let timing = Timing { dead_after_ms: args.dead_after_ms, cold_start_wait_ms: 3000 };
    let mut rig = Rig::build("takeover", timing, true)?;
    rig.street.enter()?;
    rig.start()?;
    let account = rig.next_account()?;
    let pace = Pace { senders: args.senders, pause: SENDER_PAUSE, patience: SENDER_PATIENCE };
    let _loads = [Side::A, Side::B]
        .map(|side| Load::start_at(rig.service(side, 25), std::slice::from_ref(&account), pace));
    let announcements = Announcements::watch(&rig)?;

    let weather = Weather::watch([rig.a.data(), rig.b.data()])?;
    let mut machine = Vec::new();
    let mut crashes = Vec::new();
    for run in 0..args.runs {
        rest(run);
        let _ = weather.take();
        crashes.push(crash(&mut rig, &announcements, side_of(run))?);
        machine.push(weather.take());
    }
    let (mut handovers, mut given_back) = (Vec::new(), Vec::new());
    for run in 0..args.handovers {
        rest(run);
        let _ = weather.take();
        let (there, back) = handover(&mut rig, side_of(run))?;
        handovers.push(there);
        given_back.push(back);
        machine.push(weather.take());
    }
    let figures = [
        ("takeover", crashes.iter().map(|crash| crash.whole).collect()),
        ("detect", crashes.iter().map(|crash| crash.detect).collect()),
        ("take", crashes.iter().map(|crash| crash.take).collect()),
        ("announce", crashes.iter().map(|crash| crash.announce).collect()),
        ("greet", crashes.iter().map(|crash| crash.greet).collect()),
        ("handover", handovers),
        ("give-back", given_back),
        ("machine late", machine.iter().map(|worst| worst.late).collect()),
        ("machine sync", machine.iter().map(|worst| worst.sync).collect()),
    ];
    println!("| figure | runs | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|");
    let mut all = serde_json::Map::new();
    for (name, took) in figures {
        all.insert(name.to_owned(), print(name, took));
    }
    all.insert("dead_after_ms".to_owned(), json!(args.dead_after_ms));
    if let Some(path) = args.json {
        std::fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}

/// The time from the power cut to the greeting, and its parts.
struct Crash {
    whole: Duration,
    detect: Duration,
    take: Duration,
    announce: Duration,
    greet: Duration,
}

fn crash(rig: &mut Rig, announcements: &Announcements, dies: Side) -> Result<Crash> {
    let survivor = dies.other();
    let client = greeter(rig.service(dies, 25), RETRY);
    wait_greeted(&client, Instant::now(), dies)?;
    let log_before = std::fs::metadata(rig.get(survivor).log())?.len();
    let (cut, cut_wall) = (Instant::now(), SystemTime::now());
    rig.cut_power(dies)?;
    let greeted = wait_greeted(&client, cut, survivor)?;
    // A thread of its own writes the log.
    let decided_wall =
        until("the survivor's word", || decided(rig, survivor, log_before).map(Some))?;
    let decided = cut + decided_wall.duration_since(cut_wall).unwrap_or_default();
    let changes = rig.holders.since(Some(cut));
    let taken = changes
        .iter()
        .find(|change| (change.holder, change.address, change.held) == (survivor, dies, true));
    let taken = taken.context("the address was seen on the survivor's port")?.at;
    let announced = announcements.first_after(cut, dies).context("it was announced")?;
    drop(client);
    rig.power_on(dies)?;
    rig.wait_settled()?;
    Ok(Crash {
        whole: greeted - cut,
        detect: decided - cut,
        take: taken.saturating_duration_since(decided),
        announce: announced.saturating_duration_since(taken),
        greet: greeted.saturating_duration_since(announced),
    })
}

/// The longest gap between two greetings when the address goes to the peer, and when it comes back.
fn handover(rig: &mut Rig, side: Side) -> Result<(Duration, Duration)> {
    let client = greeter(rig.service(side, 25), RETRY);
    wait_greeted(&client, Instant::now(), side)?;
    let told = Instant::now();
    rig.stop_maild(side)?;
    let there = gap(&client, told, side.other())?;
    let started = Instant::now();
    rig.get_mut(side).start()?;
    let back = gap(&client, started, side)?;
    rig.wait_settled()?;
    Ok((there, back))
}

/// From the last greeting of one box to the first one of the other.
fn gap(client: &Watched, after: Instant, to: Side) -> Result<Duration> {
    let first = wait_greeted(client, after, to)?;
    let successes = client.successes();
    let last = successes.iter().rev().find(|success| success.at < first);
    Ok(first - last.context("it was greeted before")?.at)
}

fn wait_greeted(client: &Watched, after: Instant, by: Side) -> Result<Instant> {
    until(&format!("a greeting by box {by}"), || Ok(client.first_after(after, Some(by))))
}

/// When the survivor said that it goes on alone, by the stamp of its own log.
fn decided(rig: &Rig, survivor: Side, log_before: u64) -> Result<SystemTime> {
    let log = std::fs::read(rig.get(survivor).log())?;
    let new = String::from_utf8_lossy(&log[log_before as usize..]).into_owned();
    let line = new.lines().find(|line| line.contains("This box goes on alone: "));
    let line = line.context("the survivor says that it goes on alone")?;
    let stamp = line.split(' ').next().unwrap_or_default();
    wall_time(stamp).with_context(|| format!("a time in {line:?}"))
}

/// The moment of `2026-11-24T23:49:24.076304Z`, as far as it lies within a day of now.
fn wall_time(stamp: &str) -> Option<SystemTime> {
    let time = stamp.split('T').nth(1)?.strip_suffix('Z')?;
    let mut parts = time.split(':');
    let (hours, minutes): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds: f64 = parts.next()?.parse().ok()?;
    let of_day =
        Duration::from_secs(hours * 3600 + minutes * 60) + Duration::from_secs_f64(seconds);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let day = Duration::from_secs(24 * 3600);
    let today = Duration::from_secs(now.as_secs() / day.as_secs() * day.as_secs());
    let at = today + of_day;
    // Said before midnight, read after it.
    let at = if at > now { at.checked_sub(day)? } else { at };
    Some(UNIX_EPOCH + at)
}

/// The announcements that the street hears: whose address, and when.
struct Announcements {
    heard: Arc<Mutex<Vec<(Instant, Side)>>>,
    stop: Arc<AtomicBool>,
}

impl Announcements {
    fn watch(rig: &Rig) -> Result<Announcements> {
        let (heard, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let service = [Side::A, Side::B].map(|side| (side, rig.service(side, 0).ip()));
        let (list, over, index) = (Arc::clone(&heard), stop.clone(), rig.street_port().1);
        thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let socket = PacketSocket::bind(index, EtherType::ARP)?;
                let mut buffer = [0; 2048];
                while !over.load(Ordering::Relaxed) {
                    let length = socket.receive(&mut buffer).await?;
                    let Some(arp) = arp::parse(&buffer[..length]) else { continue };
                    for (side, ip) in service {
                        let std::net::IpAddr::V4(ip) = ip else { continue };
                        if arp.holder_of(ip).is_some() {
                            let mut list: std::sync::MutexGuard<'_, Vec<(Instant, Side)>> =
                                list.lock().expect("nobody panics");
                            list.push((Instant::now(), side));
                        }
                    }
                }
                Ok(())
            })
        });
        Ok(Announcements { heard, stop })
    }

    fn first_after(&self, after: Instant, address: Side) -> Option<Instant> {
        let heard = self.heard.lock().expect("nobody panics");
        heard.iter().find(|(at, side)| *at >= after && *side == address).map(|(at, _)| *at)
    }
}

impl Drop for Announcements {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The boxes die by turns.
fn side_of(run: usize) -> Side {
    if run.is_multiple_of(2) { Side::A } else { Side::B }
}

fn rest(run: usize) {
    let spread = (run as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    thread::sleep(Duration::from_millis(spread % REST_MS_MAX));
}

fn print(name: &str, mut took: Vec<Duration>) -> Value {
    took.sort_unstable();
    let ms = |at: usize| took.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3);
    let count = took.len();
    // The smallest value that at least so many percent do not exceed.
    let percentile = |percent: usize| ms((count * percent).div_ceil(100).saturating_sub(1));
    let (p50, p99, max) = (percentile(50), percentile(99), ms(count.saturating_sub(1)));
    println!("| {name} | {count} | {p50:.0} | {p99:.0} | {max:.0} |");
    let all: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1e3).collect();
    json!({ "runs": count, "p50_ms": p50, "p99_ms": p99, "max_ms": max, "all_ms": all })
}
