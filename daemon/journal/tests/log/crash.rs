//! Power cuts by seed. What must hold after each: everything that was reported as synced is there, what
//! is there is a prefix of what was appended, and nothing that an earlier cut took comes back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use journal::{Config, Disk, Error, Log, Position, SimDisk};
use record::Record;

use crate::support::{LOG_ID, Random, assert_holds, body, writer};

struct Run {
    random: Random,
    disk: SimDisk,
    config: Config,
    /// What the log holds, or may hold: cut to what survived after each power cut.
    records: Vec<Record>,
    synced: usize,
    cuts: usize,
    lost: usize,
}

#[test]
fn five_hundred_seeds() {
    let (mut cuts, mut lost) = (0, 0);
    for seed in 0..500 {
        let run = catch_unwind(AssertUnwindSafe(|| run(seed)));
        let run = run.unwrap_or_else(|_| panic!("seed {seed}"));
        cuts += run.cuts;
        lost += run.lost;
    }
    // The test tests something: cuts that took what was not synced.
    assert!(cuts > 2000 && lost > 2000, "{cuts} cuts, {lost} records lost before their sync");
}

fn run(seed: u64) -> Run {
    let mut random = Random(seed);
    let config = Config {
        new_log_id: LOG_ID,
        segment_bytes: [0, 9000, 12_000, 30_000, 1 << 20][random.below(5) as usize],
        grow_only: random.below(2) == 0,
    };
    let disk = SimDisk::new(seed);
    let mut run = Run { random, disk, config, records: vec![], synced: 0, cuts: 0, lost: 0 };
    for _ in 0..10 {
        run.live();
        run.cut();
    }
    run
}

impl Run {
    /// One life of the program: it opens, works, and is cut off somewhere.
    fn live(&mut self) {
        if self.random.below(3) == 0 {
            return self.cut_while_opening();
        }
        let (log, recovery) = Log::open(self.disk.clone(), self.config).unwrap();
        assert_eq!(recovery.damaged, []);
        assert_eq!(recovery.end, log.synced());
        self.survived(&log);
        if self.random.below(3) > 0 {
            self.disk.cut_power_after(self.random.below(60));
        }
        let steps = self.random.below(40);
        for _ in 0..steps {
            match self.random.below(10) {
                0..6 => self.append(&log),
                6 => drop(log.prepare_spare()),
                _ => match log.flush() {
                    Ok(synced) => self.synced = synced.0 as usize,
                    Err(_) => break,
                },
            }
        }
        self.synced = self.synced.max(log.synced().0 as usize);
    }

    fn cut_while_opening(&mut self) {
        self.disk.cut_power_after(self.random.below(20));
        if let Ok((_, recovery)) = Log::open(self.disk.clone(), self.config) {
            let end = recovery.end.0 as usize;
            assert!((self.synced..=self.records.len()).contains(&end));
            // What an opening has reported stays true.
            self.lost += self.records.len() - end;
            self.records.truncate(end);
            self.synced = end;
        }
    }

    fn append(&mut self, log: &Log<SimDisk>) {
        let writer = writer(self.random.below(3));
        let length = match self.random.below(10) {
            0 => self.random.below(6000),
            _ => self.random.below(300),
        };
        let record = body(writer, log.count(writer), self.random.bytes(length as usize));
        if log.append(&record).is_ok() {
            self.records.push(record);
        }
    }

    fn cut(&mut self) {
        self.cuts += 1;
        // Now and then only the program dies.
        let crash = self.random.below(4) > 0;
        self.disk = if crash { self.disk.crash() } else { self.disk.restart() };
        if self.random.below(2) == 0 {
            let (log, _) = Log::open(self.disk.clone(), self.config).unwrap();
            self.survived(&log);
            self.disk = self.disk.crash();
        }
    }

    fn survived(&mut self, log: &std::sync::Arc<Log<SimDisk>>) {
        let end = log.end().0 as usize;
        assert!(end >= self.synced, "{end} survived, {} were synced", self.synced);
        assert!(end <= self.records.len(), "{end} survived, {} were appended", self.records.len());
        self.lost += self.records.len() - end;
        self.records.truncate(end);
        self.synced = end;
        assert_holds(log, &self.records, "after a power cut");
    }
}

/// Any single operation that fails on the way leaves either a log that goes on or one that says it is
/// broken, and nothing that was reported is lost.
#[test]
fn every_operation_fails_once() {
    let config = Config { new_log_id: LOG_ID, segment_bytes: 9000, grow_only: false };
    for fails in 0..1000 {
        let disk = SimDisk::new(fails);
        disk.cut_power_after(fails);
        let (mut synced, mut done) = (0, false);
        if let Ok((log, _)) = Log::open(disk.clone(), config) {
            for index in 0..20 {
                drop(log.prepare_spare());
                let appended = log.append(&body(writer(0), index, vec![3; 400]));
                let flushed = appended.and_then(|_| log.flush());
                match flushed {
                    Ok(Position(end)) => synced = end,
                    Err(Error::Broken(_) | Error::Disk { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
                done = index == 19;
            }
        }
        let (log, recovery) = Log::open(disk.crash(), config).unwrap();
        assert!(recovery.end.0 >= synced, "{} of {synced} survive", recovery.end);
        assert_eq!(log.scan(Position(0)).filter(Result::is_ok).count() as u64, recovery.end.0);
        if done {
            assert!(fails > 100 && disk.crash().list().unwrap().len() > 2);
            return;
        }
    }
    panic!("a thousand operations were not enough");
}
