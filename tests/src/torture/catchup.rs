//! How a survivor's clients fare while the other box takes in what it missed.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use control::View;
use rack::client::{Answer, Smtp};

use super::clients::next_number;
use super::dice::Dice;
use crate::native::{Account, DOMAIN, Imap, Maild, PATIENCE, Pair, sample};

/// Between two things that a client does.
const BEAT: Duration = Duration::from_millis(50);
/// For the comparison: before the other box comes back, and after it is there.
const CALM: Duration = Duration::from_secs(5);
const SENDERS: usize = 4;
const MESSAGE_BYTES: usize = 1024 * 1024;

/// One box is down while the survivor takes `mib` MiB; then it comes back.
///
/// # Errors
/// When something does not work, not when it is slow.
pub fn catch_up(mib: usize) -> Result<serde_json::Value> {
    let mut pair = Pair::prepare("torture-catch-up")?;
    pair.start()?;
    let account = pair.add_account("bulk")?;
    let client = pair.add_account("client")?;
    pair.b.kill()?;
    pair.a.wait_view(View::Alone)?;
    let filled = Instant::now();
    let missed_bytes = fill(&pair.a, &account, mib)?;
    println!("{mib} MiB taken by the survivor in {} s", filled.elapsed().as_secs());

    let clients = Clients::start(&pair.a, &client);
    thread::sleep(CALM);
    let carried = pair.cable.carried_bytes();
    clients.next_phase();
    let back = Instant::now();
    pair.b.start()?;
    pair.wait_both()?;
    let took = back.elapsed();
    clients.next_phase();
    let carried = pair.cable.carried_bytes()[0] - carried[0];
    thread::sleep(CALM);
    let clients = clients.told(&["alone", "catching up", "both"])?;
    pair.wait_equal()?;

    let copied = copy(&pair.a, &pair.b)?;
    let rate = missed_bytes as f64 / took.as_secs_f64();
    let ratio = carried as f64 / missed_bytes as f64;
    println!(
        "the other box was in the view after {} ms: {:.0} MB/s; sent / missed = {ratio:.3}",
        took.as_millis(),
        rate / 1e6
    );
    println!(
        "cp of the log between the two disks, synced: {:.0} MB/s; share {:.2}",
        copied / 1e6,
        rate / copied
    );
    let json = serde_json::json!({
        "mib": mib,
        "missed_bytes": missed_bytes,
        "sent_bytes": carried,
        "sent_per_missed": ratio,
        "both_ms": took.as_millis() as u64,
        "bytes_per_s": rate as u64,
        "cp_bytes_per_s": copied as u64,
        "share_of_cp": rate / copied,
        "clients": clients,
    });
    Ok(json)
}

/// One client that delivers and one that reads, all the time.
pub(super) struct Clients {
    phase: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    threads: [thread::JoinHandle<Result<Turns>>; 2],
}

#[derive(Clone, Copy)]
enum Kind {
    Smtp,
    Imap,
}

impl Clients {
    pub(super) fn start(at: &Maild, client: &Account) -> Clients {
        let phase = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let threads = [Kind::Smtp, Kind::Imap].map(|kind| {
            let (phase, over, client) = (phase.clone(), over.clone(), client.clone());
            let (smtp, imaps) = (at.port(25), at.port(993));
            thread::spawn(move || match kind {
                Kind::Smtp => deliver(smtp, &client, &phase, &over),
                Kind::Imap => read(imaps, &client, &phase, &over),
            })
        });
        Clients { phase, over, threads }
    }

    pub(super) fn next_phase(&self) {
        self.phase.fetch_add(1, Ordering::SeqCst);
    }

    /// Sends them home, and prints what each phase was like for them.
    pub(super) fn told(self, phases: &[&str]) -> Result<serde_json::Value> {
        self.over.store(true, Ordering::SeqCst);
        let [smtp, imap] = self.threads.map(|client| client.join().expect("no client panics"));
        let (smtp, imap) = (smtp.context("the SMTP client")?, imap.context("the IMAP client")?);
        Ok(serde_json::json!({
            "smtp": smtp.told("SMTP delivery", phases),
            "imap": imap.told("IMAP NOOP and FETCH", phases),
        }))
    }
}

/// Fills the survivor with messages that do not compress. Gives their bytes.
pub(super) fn fill(at: &Maild, account: &Account, mib: usize) -> Result<u64> {
    let share = mib * 1024 * 1024 / MESSAGE_BYTES / SENDERS;
    let send = |index: usize| -> Result<u64> {
        let mut smtp = Smtp::connect(at.port(25), PATIENCE)?;
        let mut dice = Dice::new(index as u64);
        let mut bytes = 0;
        for _ in 0..share {
            let message = noise(&mut dice);
            let answer = smtp.deliver("sender@elsewhere.test", &[&account.address], &message)?;
            ensure!(answer == Answer::Accepted, "{answer:?}");
            bytes += message.len() as u64;
        }
        Ok(bytes)
    };
    thread::scope(|threads| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|index| {
                let send = &send;
                threads.spawn(move || send(index))
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("no sender panics")).sum()
    })
}

/// A message of 8-bit noise: as good as compressed already.
fn noise(dice: &mut Dice) -> Vec<u8> {
    let mut message = format!(
        "From: sender@elsewhere.test\r\nTo: someone@{DOMAIN}\r\nSubject: noise {}\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n",
        dice.below(1 << 30)
    )
    .into_bytes();
    while message.len() < MESSAGE_BYTES {
        for _ in 0..100 {
            let bytes = (dice.below(1 << 40) as u64).to_le_bytes();
            message
                .extend(bytes[..5].iter().map(|byte| if *byte < 33 { byte + 64 } else { *byte }));
        }
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// What each turn of a client took, in milliseconds, by phase.
#[derive(Default)]
struct Turns([Vec<u64>; 3]);

impl Turns {
    fn run(
        phase: &AtomicUsize,
        over: &AtomicBool,
        mut turn: impl FnMut() -> Result<()>,
    ) -> Result<Turns> {
        let mut turns = Turns::default();
        while !over.load(Ordering::SeqCst) {
            let now = phase.load(Ordering::SeqCst);
            let begin = Instant::now();
            turn()?;
            let took = begin.elapsed();
            turns.0[now].push(took.as_millis() as u64);
            thread::sleep(BEAT.saturating_sub(took));
        }
        Ok(turns)
    }

    /// Prints them, too.
    fn told(mut self, what: &str, phases: &[&str]) -> serde_json::Value {
        let mut json = serde_json::Map::new();
        for (phase, turns) in phases.iter().zip(&mut self.0) {
            turns.sort_unstable();
            let at = |permille: usize| {
                let last = turns.len().saturating_sub(1);
                turns.get(last * permille / 1000).copied().unwrap_or(0)
            };
            let (median, p99, max) = (at(500), at(990), at(1000));
            let count = turns.len();
            println!(
                "{what}, {phase}: {count} turns, median {median} ms, p99 {p99} ms, max {max} ms"
            );
            let figures = serde_json::json!({
                "turns": count, "median_ms": median, "p99_ms": p99, "max_ms": max
            });
            json.insert((*phase).to_owned(), figures);
        }
        json.into()
    }
}

fn deliver(
    smtp: std::net::SocketAddr,
    client: &Account,
    phase: &AtomicUsize,
    over: &AtomicBool,
) -> Result<Turns> {
    let mut session = Smtp::connect(smtp, PATIENCE)?;
    Turns::run(phase, over, || {
        let message = sample(next_number());
        let answer = session.deliver("sender@elsewhere.test", &[&client.address], &message)?;
        ensure!(answer == Answer::Accepted, "{answer:?}");
        Ok(())
    })
}

fn read(
    imaps: std::net::SocketAddr,
    client: &Account,
    phase: &AtomicUsize,
    over: &AtomicBool,
) -> Result<Turns> {
    let mut imap = Imap::login_at(imaps, client)?;
    imap.select("INBOX")?;
    Turns::run(phase, over, || {
        imap.command("NOOP")?;
        imap.command("UID FETCH * (UID FLAGS BODY.PEEK[])").map(drop)
    })
}

/// `cp` of all that box a keeps to where box b keeps it, and a sync: bytes per second.
fn copy(a: &Maild, b: &Maild) -> Result<f64> {
    let (from, to) = (a.data().join("mail"), b.folder().join("copy"));
    let begin = Instant::now();
    run(Command::new("cp").arg("-r").args([&from, &to]))?;
    run(Command::new("sync").arg("-f").arg(&to))?;
    let took = begin.elapsed();
    let bytes = size(&to)?;
    std::fs::remove_dir_all(&to)?;
    Ok(bytes as f64 / took.as_secs_f64())
}

pub(super) fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { size(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
