//! Opening a large mailbox, and memory at many messages:
//! `cargo run --release -p mailbox --example large [MESSAGES]`.
//!
//! One mailbox of 100 000 messages beside others, which hold the rest. Times stand beside reading a flat
//! file of the same bytes in the same run.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant};

use mailbox::Index;
use record::{
    AccountId, BodyRef, Clock, Codec, Entry, EntryId, FlagChange, MailboxId, ModSeq, Op, Record,
    Side, Uid, Vector, Writer,
};

const LOG_ID: u128 = 1;
const LARGE: MailboxId = MailboxId(0);
const LARGE_MESSAGES: u64 = 100_000;
const OTHERS: u64 = 200;
const BATCH: usize = 256;

fn main() {
    let messages: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let path = std::env::temp_dir().join(format!("large-example-{}.redb", std::process::id()));
    let _ = std::fs::remove_file(&path);
    report_memory("at the start");
    let index = Index::open_redb(&path, LOG_ID).expect("a temporary index");
    fill(&index, messages);
    report_memory("after applying");
    drop(index);
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("the file has {bytes} bytes, {} a message", bytes / messages);

    let start = Instant::now();
    let index = Index::open_redb(&path, LOG_ID).expect("opens again");
    println!("open the index: {:.2?}", start.elapsed());
    report_memory("after opening");
    open_large(&index, &path);
    refresh(&index);
    report_memory("at the end");
    drop(index);
    let _ = std::fs::remove_file(&path);
}

fn fill(index: &Index, messages: u64) {
    let mut writing = Writing::default();
    for id in 0..=OTHERS {
        let (mailbox, account) = (MailboxId(id.into()), AccountId(id.into()));
        let name = "INBOX".into();
        writing.write(Op::CreateMailbox { mailbox, account, name, uid_validity: 1 });
    }
    let (start, mut checkpoint) = (Instant::now(), Instant::now());
    for n in 0..messages {
        writing.write(place(n));
        if writing.batch.len() >= BATCH || n + 1 == messages {
            index.apply(&std::mem::take(&mut writing.batch)).expect("applies");
        }
        if checkpoint.elapsed() > Duration::from_secs(1) {
            index.checkpoint().expect("syncs");
            checkpoint = Instant::now();
        }
        if (n + 1).is_multiple_of(250_000) {
            report_memory(&format!("at {} messages", n + 1));
        }
    }
    index.checkpoint().expect("syncs");
    println!("apply: {:.0} records/s", messages as f64 / start.elapsed().as_secs_f64());
}

fn open_large(index: &Index, path: &std::path::Path) {
    let start = Instant::now();
    let mailbox = index.mailbox(LARGE).expect("reads").expect("is there");
    println!("mailbox(): {:.2?}, {} messages", start.elapsed(), mailbox.messages);
    for round in ["cold", "warm"] {
        let start = Instant::now();
        let rows = index.messages(LARGE).expect("reads");
        let took = start.elapsed();
        let size: usize = rows.iter().map(|row| std::mem::size_of_val(row) + 32).sum();
        let flat = flat_file(path, size);
        println!(
            "messages() {round}: {took:.2?} for {} rows; a flat file of {size} bytes: {flat:.2?}, ratio {:.1}",
            rows.len(),
            took.as_secs_f64() / flat.as_secs_f64()
        );
        report_memory("with all rows in hand");
    }
    let start = Instant::now();
    let (mut from, mut count) = (Uid(1), 0);
    loop {
        let page = index.messages_from(LARGE, from, 1000).expect("reads");
        let Some(last) = page.last() else { break };
        (from, count) = (Uid(last.uid.0 + 1), count + page.len());
    }
    println!("messages_from() in pages of 1000: {:.2?} for {count} rows", start.elapsed());
}

/// Writes so many bytes beside the index and reads them back.
fn flat_file(path: &std::path::Path, bytes: usize) -> Duration {
    let path = path.with_extension("flat");
    std::fs::write(&path, vec![7; bytes]).expect("a temporary file");
    let start = Instant::now();
    let mut read = Vec::new();
    let mut file = std::fs::File::open(&path).expect("opens");
    file.read_to_end(&mut read).expect("reads");
    let took = start.elapsed();
    let _ = std::fs::remove_file(&path);
    took
}

/// One flag changes; what a session that holds the mailbox has to read.
fn refresh(index: &Index) {
    let since = index.version(LARGE).expect("reads");
    let mut writing = Writing { at: index.applied(), ..Writing::default() };
    let mailbox = LARGE;
    let change = FlagChange {
        entry: entry_id(7),
        modseq: ModSeq(10_000_000),
        set: vec!["\\Seen".into()],
        clear: Vec::new(),
    };
    writing.write(Op::Flags { mailbox, changes: vec![change], made: None });
    index.apply(&writing.batch).expect("applies");
    let start = Instant::now();
    let delta = index.delta(LARGE, since).expect("reads").expect("is known");
    println!("delta() of one change: {:.2?}, {} rows", start.elapsed(), delta.rows.len());
    let uids: BTreeSet<Uid> = delta.rows.iter().map(|row| row.uid).collect();
    assert_eq!(uids, BTreeSet::from([Uid(8)]));
    let start = Instant::now();
    let work = (index.overtaken(64), index.joinable(64), index.overtaken_modseqs(64));
    let revive = index.to_revive().expect("reads");
    println!("is there anything to do? no: {:.2?}", start.elapsed());
    let (overtaken, joins, modseqs) = work;
    assert!(overtaken.expect("reads").is_empty() && joins.expect("reads").is_empty());
    assert!(modseqs.expect("reads").is_empty() && revive.is_empty());
}

fn place(n: u64) -> Op {
    let (mailbox, uid) = if n < LARGE_MESSAGES {
        (LARGE, n + 1)
    } else {
        let n = n - LARGE_MESSAGES;
        (MailboxId(u128::from(n % OTHERS) + 1), n / OTHERS + 1)
    };
    let writer = Writer { side: Side::B, incarnation: 9 << 64 };
    let body = BodyRef { writer, index: n * 2, parts: 2, header_bytes: 900, size_bytes: 4000 };
    let entry = Entry {
        entry: entry_id(n),
        mailbox,
        body,
        internal_date_s: 1_760_000_000,
        flags: if n.is_multiple_of(2) { vec!["\\Flagged".into()] } else { Vec::new() },
    };
    Op::Place { entry, uid: Uid(uid as u32), modseq: ModSeq(n + 2) }
}

fn entry_id(n: u64) -> EntryId {
    EntryId(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

#[derive(Default)]
struct Writing {
    at: u64,
    batch: Vec<(u64, Record)>,
}

impl Writing {
    fn write(&mut self, op: Op) {
        let writer = Writer { side: Side::A, incarnation: 1 };
        let record = Record {
            writer,
            index: self.at,
            clock: Clock(self.at + 1),
            seen: Vector::new(),
            op,
            codec: Codec::Raw,
            payload: Vec::new(),
        };
        self.batch.push((self.at, record));
        self.at += 1;
    }
}

/// Resident memory of this process, from the kernel.
fn report_memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or("?").trim().to_owned()
    };
    println!("memory {when}: {} (highest {})", line("VmRSS:"), line("VmHWM:"));
}
