//! How fast does the log take mail? Ratios of one run count, absolute numbers do not.
//!
//! `cargo run --release -p journal --example append [FOLDER]`: a folder on the disk in question.
//!
//! Each producer appends a record, waits until it is durable, and goes on. Beside it, on the same disk:
//! one thread that overwrites and syncs by itself, and as many producers that keep one file per message.

// A measuring program: it says what went wrong and stops.
#![allow(clippy::unwrap_used)]

use std::fs::{File, create_dir_all, remove_dir_all};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use journal::{Committer, Config, Log, Position, RealDisk};
use record::{BodyPart, Clock, Codec, Op, Record, Side, Writer};

const EACH: Duration = Duration::from_millis(1500);

fn main() {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("journal-append-{}", std::process::id()));
    println!("messages a second, and how many times one sync after the other");
    println!(
        "{:>8} {:>10} {:>10} {:>18} {:>18} {:>18}",
        "bytes", "producers", "raw sync", "zeroed", "growing", "file each"
    );
    for bytes in [4 * 1024, 64 * 1024] {
        for producers in [1, 10, 50] {
            let raw = raw(&folder, bytes);
            let zeroed = log(&folder, bytes, producers, false);
            let growing = log(&folder, bytes, producers, true);
            let files = files(&folder, bytes, producers);
            let cell = |rate: f64| format!("{rate:>9.0} ({:>5.1})", rate / raw);
            let (zeroed, growing, files) = (cell(zeroed), cell(growing), cell(files));
            println!(
                "{bytes:>8} {producers:>10} {raw:>10.0} {zeroed:>18} {growing:>18} {files:>18}"
            );
        }
    }
}

/// Runs `work` on so many threads for a while; each call is one message.
fn rate(producers: usize, work: impl Fn(usize, u64) + Sync) -> f64 {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for producer in 0..producers {
            let (work, stop, done) = (&work, &stop, &done);
            scope.spawn(move || {
                for index in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    work(producer, index);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(EACH);
        stop.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

/// One thread, one file zeroed ahead, a write and an `fdatasync` each.
fn raw(folder: &Path, bytes: usize) -> f64 {
    const FILE_BYTES: usize = 64 * 1024 * 1024;
    create_dir_all(folder).unwrap();
    let file = File::create(folder.join("raw")).unwrap();
    file.write_all_at(&vec![0; FILE_BYTES], 0).unwrap();
    file.sync_all().unwrap();
    let message = vec![1; bytes];
    let places = FILE_BYTES / bytes;
    let rate = rate(1, |_, index| {
        file.write_all_at(&message, (index as usize % places * bytes) as u64).unwrap();
        file.sync_data().unwrap();
    });
    remove_dir_all(folder).unwrap();
    rate
}

fn log(folder: &Path, bytes: usize, producers: usize, grow_only: bool) -> f64 {
    let config = Config { grow_only, ..Config::new(1) };
    let (log, _) = Log::open(RealDisk::open(folder).unwrap(), config).unwrap();
    let synced = Arc::new((Mutex::new(Position(0)), Condvar::new()));
    let told = synced.clone();
    let on_synced = move |end: Result<Position, journal::Error>| {
        *told.0.lock().unwrap() = end.unwrap();
        told.1.notify_all();
    };
    if !grow_only {
        into_a_zeroed_segment(&log);
    }
    let committer = Committer::spawn(log.clone(), on_synced).unwrap();
    let rate = rate(producers, |producer, index| {
        let position = log.append(&record(producer, index, bytes)).unwrap();
        let end = synced.0.lock().unwrap();
        drop(synced.1.wait_while(end, |end| *end <= position).unwrap());
    });
    drop(committer);
    remove_dir_all(folder).unwrap();
    rate
}

/// Fills the first segment, which always grows.
fn into_a_zeroed_segment(log: &Log<RealDisk>) {
    log.prepare_spare().unwrap();
    for index in 0.. {
        log.append(&record(1000, index, 200_000)).unwrap();
        log.flush().unwrap();
        if log.segments().len() > 1 {
            return;
        }
    }
}

fn files(folder: &Path, bytes: usize, producers: usize) -> f64 {
    create_dir_all(folder).unwrap();
    let message = vec![1; bytes];
    let rate = rate(producers, |producer, index| {
        let mut file = File::create(folder.join(format!("{producer}-{index}"))).unwrap();
        file.write_all(&message).unwrap();
        file.sync_all().unwrap();
    });
    remove_dir_all(folder).unwrap();
    rate
}

fn record(producer: usize, index: u64, bytes: usize) -> Record {
    Record {
        writer: Writer { side: Side::A, incarnation: producer as u128 },
        index,
        clock: Clock(index),
        seen: [].into(),
        op: Op::Body(BodyPart { part: 0, plain_bytes: bytes as u32 }),
        codec: Codec::Raw,
        payload: vec![1; bytes],
    }
}
