//! A program that is killed again and again: what it reported as synced is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use journal::{Committer, Config, Log, Position, RealDisk};

use crate::support::{Folder, LOG_ID, Random, body, writer};

const FOLDER: &str = "JOURNAL_KILL_TEST_FOLDER";
const ROUNDS: u64 = 15;

fn config() -> Config {
    Config { new_log_id: LOG_ID, segment_bytes: 300_000, grow_only: false }
}

/// The payload is a function of the position, so what survives can be checked by anyone.
fn payload(position: u64) -> Vec<u8> {
    let mut random = Random(position);
    let length = random.below(2500) as usize;
    random.bytes(length)
}

/// Not a test by itself: the program that is killed.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (log, recovery) = Log::open(RealDisk::open(folder).unwrap(), config()).unwrap();
    assert_eq!(recovery.damaged, []);
    let out = Arc::new(Mutex::new(std::io::stdout()));
    writeln!(out.lock().unwrap(), "\nopened {}", recovery.end).unwrap();
    let report = out.clone();
    let _committer = Committer::spawn(log.clone(), move |synced| {
        let mut out = report.lock().unwrap();
        writeln!(out, "synced {}", synced.unwrap()).unwrap();
    });
    loop {
        let writer = writer(log.end().0 % 3);
        let position = log.end().0;
        match log.append(&body(writer, log.count(writer), payload(position))) {
            Ok(at) => assert_eq!(at, Position(position)),
            Err(journal::Error::Backlog { .. }) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
        if log.unwritten_bytes() > 100_000 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn killed_again_and_again() {
    let folder = Folder::new("kill");
    let mut random = Random(std::process::id().into());
    let mut synced = 0;
    for round in 0..ROUNDS {
        synced = round_of(folder.path(), synced, 1 + random.below(30), round);
    }
    assert!(synced > ROUNDS, "{synced} records in {ROUNDS} rounds");
}

/// Runs the child until it has reported so many syncs, kills it, checks; returns how far it came.
fn round_of(folder: &Path, before: u64, reports: u64, round: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut synced = before;
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(end) = line.strip_prefix("opened ") {
            let end = end.parse::<u64>().unwrap();
            assert!(end >= before, "round {round}: {end} survived, {before} were synced");
        }
        if let Some(end) = line.strip_prefix("synced ") {
            synced = end.parse().unwrap();
            seen += 1;
            if seen == reports {
                // Whatever it still says after this is read too: the loop ends with the pipe.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(seen >= reports, "round {round}: the child ended by itself");
    check(folder, synced, round);
    synced
}

fn check(folder: &Path, synced: u64, round: u64) {
    let (log, recovery) = Log::open(RealDisk::open(folder).unwrap(), config()).unwrap();
    assert!(recovery.end.0 >= synced, "round {round}: {} survived of {synced}", recovery.end);
    assert_eq!(recovery.damaged, []);
    let mut count = 0;
    for got in log.scan(Position(0)) {
        let (position, record) = got.unwrap();
        assert_eq!(position, Position(count));
        assert!(record.payload == payload(count), "round {round}, record {count}");
        count += 1;
    }
    assert_eq!(count, recovery.end.0);
}
