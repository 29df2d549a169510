//! What the pair costs, as ratios of figures that one run measured: absolute times of a busy machine say little.
//!
//! ```text
//! cargo bench-pair --json build/bench.json
//! ```
//!
//! | figure | against |
//! |---|---|
//! | time from the last dot to the `250`, pair | the same box alone |
//! | deliveries per second of 1, 10, 50 senders | `fdatasync` of 4 KiB on the same disk |
//! | messages fetched per second by one IMAP client | its own fetch of headers alone |
//! | memory of a box | the number of its messages |

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use control::View;
use rack::client::{Answer, Smtp};
use serde_json::{Value, json};
use tests::native::{Account, Imap, Maild, PATIENCE, Pair};

/// Benches of a pair of real processes.
#[derive(Parser)]
struct Args {
    /// Deliveries for each figure
    #[arg(long, default_value_t = 1000)]
    deliveries: usize,
    /// Where to write the figures
    #[arg(long)]
    json: Option<PathBuf>,
}

const SENDERS: [usize; 3] = [1, 10, 50];
const MESSAGE_BYTES: usize = 4096;
const SYNCS: usize = 200;

fn main() -> Result<()> {
    let args = Args::parse();
    let mut pair = Pair::prepare("bench")?;
    pair.start()?;
    let account = pair.add_account("bench")?;
    let memory_empty = pair.a.status()?.memory_bytes;
    let sync = syncs(&pair.a)?;
    println!("fdatasync of 4 KiB: median {:.2} ms, {:.0} per second", ms(sync.median), sync.rate);

    let both = deliveries(&pair.a, &account, args.deliveries, &sync, "pair")?;
    pair.wait_equal()?;
    let (fetch, messages) = fetches(&pair.a, &account)?;
    let memory = pair.a.status()?.memory_bytes;
    let per_message = memory.saturating_sub(memory_empty) as f64 / messages as f64;
    println!(
        "memory of box a: {} MiB empty, {} MiB with {messages} messages: {per_message:.0} bytes each",
        memory_empty >> 20,
        memory >> 20
    );

    pair.b.kill()?;
    pair.a.wait_view(View::Alone)?;
    let alone = deliveries(&pair.a, &account, args.deliveries, &sync, "alone")?;
    let added: Vec<Value> = SENDERS
        .iter()
        .zip(both.iter().zip(&alone))
        .map(|(senders, (both, alone))| {
            let ratio = both.median.as_secs_f64() / alone.median.as_secs_f64();
            let added = ms(both.median) - ms(alone.median);
            println!(
                "{senders} senders: the second box adds {added:.2} ms to the median: x {ratio:.2}"
            );
            json!({ "senders": senders, "added_ms": added, "pair_per_alone": ratio })
        })
        .collect();
    let figures = json!({
        "fdatasync": sync.json(),
        "pair": both.iter().map(Figure::json).collect::<Vec<_>>(),
        "alone": alone.iter().map(Figure::json).collect::<Vec<_>>(),
        "second_box": added,
        "fetch": fetch,
        "memory": { "empty_bytes": memory_empty, "bytes": memory, "messages": messages },
    });
    if let Some(path) = args.json {
        std::fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    Ok(())
}

/// How long one thing takes, and how many there are in a second.
struct Figure {
    median: Duration,
    p99: Duration,
    rate: f64,
}

impl Figure {
    fn of(mut took: Vec<Duration>, whole: Duration) -> Figure {
        took.sort_unstable();
        let last = took.len().saturating_sub(1);
        let at = |permille: usize| took.get(last * permille / 1000).copied().unwrap_or_default();
        Figure { median: at(500), p99: at(990), rate: took.len() as f64 / whole.as_secs_f64() }
    }

    fn json(&self) -> Value {
        json!({ "median_ms": ms(self.median), "p99_ms": ms(self.p99), "per_s": self.rate })
    }
}

/// Of 4 KiB each, appended where the box keeps its log.
fn syncs(at: &Maild) -> Result<Figure> {
    let mut file = File::create(at.data().join("syncs"))?;
    let begin = Instant::now();
    let mut took = Vec::new();
    for _ in 0..SYNCS {
        let one = Instant::now();
        file.write_all(&[0x5a; MESSAGE_BYTES])?;
        file.sync_data()?;
        took.push(one.elapsed());
    }
    let figure = Figure::of(took, begin.elapsed());
    std::fs::remove_file(at.data().join("syncs"))?;
    Ok(figure)
}

/// One figure for each number of senders.
fn deliveries(
    at: &Maild,
    account: &Account,
    count: usize,
    sync: &Figure,
    view: &str,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for senders in SENDERS {
        let begin = Instant::now();
        let took = thread::scope(|threads| -> Result<Vec<Duration>> {
            let workers: Vec<_> = (0..senders)
                .map(|_| threads.spawn(move || deliver(at, account, count / senders)))
                .collect();
            let mut all = Vec::new();
            for worker in workers {
                all.extend(worker.join().expect("no sender panics")?);
            }
            Ok(all)
        })?;
        let figure = Figure::of(took, begin.elapsed());
        println!(
            "{view}, {senders} senders: {:.0} deliveries/s = {:.2} of the rate of single syncs; median {:.2} ms, p99 {:.2} ms",
            figure.rate,
            figure.rate / sync.rate,
            ms(figure.median),
            ms(figure.p99)
        );
        figures.push(figure);
    }
    Ok(figures)
}

fn deliver(at: &Maild, account: &Account, count: usize) -> Result<Vec<Duration>> {
    let message = message();
    let mut smtp = Smtp::connect(at.port(25), PATIENCE)?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = Instant::now();
        let answer = smtp.deliver("sender@elsewhere.test", &[&account.address], &message)?;
        ensure!(answer == Answer::Accepted, "{answer:?}");
        took.push(begin.elapsed());
    }
    Ok(took)
}

/// 4 KiB that compress by half, as mail does.
fn message() -> Vec<u8> {
    let mut text = "From: sender@elsewhere.test\r\nSubject: bench\r\n\r\n".to_owned();
    let mut state = 1_u64;
    while text.len() < MESSAGE_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text += &format!("{state:016x} and some words of it\r\n");
    }
    text.into_bytes()
}

/// All messages by one client: whole, and their headers alone. Also how many there are.
fn fetches(at: &Maild, account: &Account) -> Result<(Value, usize)> {
    let mut imap = Imap::login(at, account)?;
    let messages = imap.select("INBOX")?.exists as usize;
    let mut rate = |items: &str| -> Result<f64> {
        let begin = Instant::now();
        imap.command(&format!("UID FETCH 1:* ({items})"))?;
        Ok(messages as f64 / begin.elapsed().as_secs_f64())
    };
    let flags = rate("FLAGS")?;
    let envelopes = rate("ENVELOPE")?;
    let bodies = rate("BODY.PEEK[]")?;
    println!(
        "IMAP fetch of {messages} messages: flags {flags:.0}/s, envelopes {envelopes:.0}/s, bodies {bodies:.0}/s"
    );
    let json =
        json!({ "flags_per_s": flags, "envelopes_per_s": envelopes, "bodies_per_s": bodies });
    Ok((json, messages))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
