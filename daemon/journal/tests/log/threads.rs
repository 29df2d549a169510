//! Appenders, readers, a scan and the committer at once, on a real disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use journal::{Committer, Config, Log, Position, RealDisk};
use record::{Address, Record};

use crate::support::{Folder, LOG_ID, Random, assert_holds, body, writer};

const WRITERS: u64 = 4;
const EACH: u64 = 400;

fn record(number: u64, index: u64) -> Record {
    let mut random = Random(number * 1_000_000 + index);
    let length = random.below(3000) as usize;
    body(writer(number), index, random.bytes(length))
}

#[test]
fn all_at_once() {
    for grow_only in [false, true] {
        let folder = Folder::new("threads");
        let config = Config { new_log_id: LOG_ID, segment_bytes: 200_000, grow_only };
        let (log, _) = Log::open(RealDisk::open(folder.path()).unwrap(), config).unwrap();
        let synced = Arc::new((Mutex::new(Position(0)), Condvar::new()));
        let told = synced.clone();
        let committer = Committer::spawn(log.clone(), move |end| {
            let mut synced = told.0.lock().unwrap();
            let end = end.unwrap();
            assert!(end >= *synced, "what is durable stays durable");
            *synced = end;
            told.1.notify_all();
        })
        .unwrap();
        let appended = AtomicU64::new(0);
        thread::scope(|scope| {
            for number in 0..WRITERS {
                let (log, synced, appended) = (&log, &synced, &appended);
                scope.spawn(move || {
                    for index in 0..EACH {
                        let position = log.append(&record(number, index)).unwrap();
                        appended.fetch_add(1, Ordering::SeqCst);
                        let lock = synced.0.lock().unwrap();
                        drop(synced.1.wait_while(lock, |synced| *synced <= position).unwrap());
                        assert_eq!(log.read_at(position), Ok(record(number, index)));
                    }
                });
            }
            scope.spawn(|| {
                let mut random = Random(1);
                while appended.load(Ordering::SeqCst) < WRITERS * EACH {
                    let number = random.below(WRITERS);
                    let count = log.count(writer(number));
                    if count > 0 {
                        let index = random.below(count);
                        let address = Address { writer: writer(number), index };
                        assert_eq!(log.read(address), Ok(record(number, index)));
                    }
                    thread::yield_now();
                }
            });
            scope.spawn(|| {
                let mut scan = log.scan(Position(0));
                let mut count = 0;
                while count < WRITERS * EACH {
                    match scan.next() {
                        Some(got) => assert_eq!(got.unwrap().0, Position(count)),
                        None => {
                            thread::yield_now();
                            continue;
                        }
                    }
                    count += 1;
                }
            });
        });
        let records = log.scan(Position(0)).map(|got| got.unwrap().1).collect::<Vec<_>>();
        log.append(&record(99, 0)).unwrap();
        drop(committer);
        assert_eq!(log.synced(), log.end(), "the committer flushes before it stops");
        drop(log);
        let (log, recovery) = Log::open(RealDisk::open(folder.path()).unwrap(), config).unwrap();
        assert!(log.segments().len() > 5 && recovery.damaged.is_empty());
        assert_holds(&log, &[records, vec![record(99, 0)]].concat(), "opened again");
    }
}
