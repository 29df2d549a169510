//! How fast the index applies and reads: `cargo run --release -p mailbox --example apply [MESSAGES]`.

use std::time::{Duration, Instant};

use mailbox::Index;
use record::{
    AccountId, BodyPart, BodyRef, Clock, Codec, Entry, EntryId, FlagChange, MailboxId, ModSeq, Op,
    Record, Side, Uid, Vector, Writer,
};

const MAILBOXES: u128 = 20;
const LOG_ID: u128 = 1;

fn main() {
    let messages = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let log = log(messages);
    let path = std::env::temp_dir().join(format!("apply-example-{}.redb", std::process::id()));
    for batch in [1, 16, 256] {
        let index = Index::memory();
        report("memory", &log, batch, apply(&index, &log, batch));
        let _ = std::fs::remove_file(&path);
        let index = Index::open_redb(&path, LOG_ID).expect("a temporary index");
        report("redb", &log, batch, apply(&index, &log, batch));
        drop(index);
    }
    read(&path, messages);
    let _ = std::fs::remove_file(&path);
}

fn report(backend: &str, log: &[(u64, Record)], batch: usize, took: Duration) {
    let per_s = log.len() as f64 / took.as_secs_f64();
    println!(
        "{backend:6} batches of {batch:3}: {per_s:8.0} records/s ({} in {took:.2?})",
        log.len()
    );
}

fn apply(index: &Index, log: &[(u64, Record)], batch: usize) -> Duration {
    let start = Instant::now();
    let mut checkpoint = Instant::now();
    for records in log.chunks(batch) {
        index.apply(records).expect("applies");
        if checkpoint.elapsed() > Duration::from_secs(1) {
            index.checkpoint().expect("syncs");
            checkpoint = Instant::now();
        }
    }
    index.checkpoint().expect("syncs");
    start.elapsed()
}

fn read(path: &std::path::Path, messages: u64) {
    let bytes = std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    let start = Instant::now();
    let index = Index::open_redb(path, LOG_ID).expect("opens again");
    println!(
        "open: {:.2?}; the file has {bytes} bytes, {} a message",
        start.elapsed(),
        bytes / messages
    );
    let start = Instant::now();
    let rows: usize = (0..MAILBOXES)
        .map(|mailbox| index.messages(MailboxId(mailbox)).expect("reads").len())
        .sum();
    println!("list: {:.0} rows/s", rows as f64 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    for uid in 1..1000 {
        index.row(MailboxId(3), Uid(uid)).expect("reads");
    }
    println!("one row: {:.2?}", start.elapsed() / 999);
    let start = Instant::now();
    index.mailbox_by_name(AccountId(3), "INBOX").expect("reads");
    println!("one mailbox by name: {:.2?}", start.elapsed());
    let start = Instant::now();
    index.digest().expect("reads");
    println!("digest: {:.2?}", start.elapsed());
}

/// Each message: a body written by the box that took it, a placement by its home, later `\Seen`.
fn log(messages: u64) -> Vec<(u64, Record)> {
    let mut log = Vec::new();
    let mut clock = 0;
    let mut counts = [0u64; 2];
    let mut write = |side: Side, op: Op| {
        let (own, other) = if side == Side::A { (0, 1) } else { (1, 0) };
        let writer = Writer { side, incarnation: 0x1234_5678_9abc_def0_1234_5678_9abc_def0 };
        let peer = Writer { side: side.other(), ..writer };
        clock += 1;
        log.push((
            log.len() as u64,
            Record {
                writer,
                index: counts[own],
                clock: Clock(clock),
                seen: Vector::from([(peer, counts[other])]),
                op,
                codec: Codec::Raw,
                payload: Vec::new(),
            },
        ));
        counts[own] += 1;
        (writer, counts[own] - 1)
    };
    for id in 0..MAILBOXES {
        let (mailbox, account) = (MailboxId(id), AccountId(id));
        write(
            Side::A,
            Op::CreateMailbox { mailbox, account, name: "INBOX".into(), uid_validity: 1 },
        );
    }
    for n in 0..messages {
        let taker = if n % 2 == 0 { Side::A } else { Side::B };
        let home = if (n % MAILBOXES as u64).is_multiple_of(3) { Side::A } else { Side::B };
        let (writer, index) = write(taker, Op::Body(BodyPart { part: 0, plain_bytes: 4000 }));
        let mailbox = MailboxId(u128::from(n) % MAILBOXES);
        let uid = Uid((n / MAILBOXES as u64) as u32 + 1);
        let entry = EntryId(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let body = BodyRef { writer, index, parts: 2, header_bytes: 900, size_bytes: 4000 };
        let placed =
            Entry { entry, mailbox, body, internal_date_s: 1_760_000_000, flags: Vec::new() };
        write(home, Op::Place { entry: placed, uid, modseq: ModSeq(n + 1) });
        if n % 2 == 0 {
            let set = vec!["\\Seen".to_owned()];
            let change = FlagChange { entry, modseq: ModSeq(n + 2), set, clear: Vec::new() };
            write(home, Op::Flags { mailbox, changes: vec![change], made: None });
        }
    }
    log
}
