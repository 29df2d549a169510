//! The background thread of a running box: scrub, reclaim and mending.
//!
//! It runs at the lowest priority that the box offers, takes a break as long as the work after each
//! segment that it rewrites, and never holds a lock of the log that a commit needs.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use journal::{Damaged, Error, Position};
use tokio::sync::mpsc;

use super::{Agreed, Pace, dead};
use crate::handle::Shared;
use crate::limits::{
    DISK_JOIN_BYTES_MIN, MEND_KNOWN_MAX, RECLAIM_FREE_BYTES, RECLAIM_RETRY, SCRUB_KEPT_INTERVAL,
    SCRUB_STEP_BYTES, SCRUB_STEP_INTERVAL_MAX, UPKEEP_TURN,
};
use crate::shell::Turn;

/// What the loop hands over.
#[derive(Debug)]
pub enum Work {
    Mend { damaged: Damaged, frames: Vec<Vec<u8>> },
    Agreed(Agreed),
}

/// What it has done since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    pub scrub_rounds: u64,
    pub scrubbed_bytes: u64,
    pub segments_reclaimed: u64,
    pub reclaimed_bytes: u64,
}

pub(crate) struct Upkeep {
    shared: Arc<Shared>,
    turns: mpsc::Sender<Turn>,
    pace: Pace,
    scrub_due: Instant,
    /// Where the scrub has come to is kept here over restarts: a round takes longer than many a box runs.
    scrub_file: PathBuf,
    scrub_kept: Instant,
    /// A round at full pace: the opening of the log has found damage.
    in_a_hurry: bool,
    asked: Instant,
    agreed: Option<Agreed>,
    /// Segments to be rewritten by that agreement.
    worth: VecDeque<Position>,
    reclaim_due: Instant,
    done: Done,
}

/// The loop is gone.
struct Stopped;

impl Upkeep {
    pub fn new(
        shared: Arc<Shared>,
        turns: mpsc::Sender<Turn>,
        pace: Pace,
        in_a_hurry: bool,
        directory: &Path,
    ) -> Upkeep {
        let now = Instant::now();
        let scrub_file = directory.join("scrub");
        // Damage that the opening has found is a reason to look at everything.
        if !in_a_hurry {
            let text = std::fs::read_to_string(&scrub_file).unwrap_or_default();
            shared.log.scrub_from(Position(text.trim().parse().unwrap_or(0)));
        }
        Upkeep {
            shared,
            turns,
            pace,
            scrub_due: now,
            scrub_file,
            scrub_kept: now,
            in_a_hurry,
            asked: now,
            agreed: None,
            worth: VecDeque::new(),
            reclaim_due: now,
            done: Done::default(),
        }
    }

    /// Runs until the loop is gone.
    pub fn run(mut self, work: &Receiver<Work>) {
        loop {
            let step = match work.recv_timeout(self.pause()) {
                Ok(Work::Mend { damaged, frames }) => self.mend(&damaged, &frames),
                Ok(Work::Agreed(agreed)) => {
                    self.agreed = Some(agreed);
                    Ok(())
                }
                Err(RecvTimeoutError::Timeout) => self.turn(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if step.is_err() {
                return;
            }
        }
    }

    fn pause(&self) -> Duration {
        let due = match self.worth.is_empty() {
            true => self.scrub_due,
            false => self.scrub_due.min(self.reclaim_due),
        };
        due.saturating_duration_since(Instant::now()).min(UPKEEP_TURN)
    }

    fn turn(&mut self, now: Instant) -> Result<(), Stopped> {
        let free = self.shared.log.free_bytes().unwrap_or(u64::MAX);
        self.watch_room(free)?;
        self.ask_what_is_dead(now, free)?;
        self.plan_reclaim();
        if !self.worth.is_empty() && now >= self.reclaim_due {
            self.reclaim()?;
        }
        if now >= self.scrub_due {
            self.scrub()?;
        } else {
            // What was put off is tried again.
            self.tell(Turn::Damaged(Vec::new()))?;
        }
        Ok(())
    }

    fn mend(&mut self, damaged: &Damaged, frames: &[Vec<u8>]) -> Result<(), Stopped> {
        let done = self.shared.log.mend(damaged, frames);
        if let Err(error) = &done {
            tracing::error!(%error, position = %damaged.position, "a record is not mended");
        }
        self.tell(Turn::Mended { position: damaged.position.0, done: done.is_ok() })
    }

    fn watch_room(&self, free: u64) -> Result<(), Stopped> {
        let before = self.shared.no_room.load(Relaxed);
        let enough = if before { 2 * DISK_JOIN_BYTES_MIN } else { DISK_JOIN_BYTES_MIN };
        let now = free < enough;
        self.shared.no_room.store(now, Relaxed);
        match (before, now) {
            (false, true) => {
                tracing::error!(free, "the disk is full: this box leaves the pair to its peer");
                self.tell(Turn::NoRoom)
            }
            (true, false) => {
                tracing::info!(free, "there is room on the disk again");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ask_what_is_dead(&mut self, now: Instant, free: u64) -> Result<(), Stopped> {
        let interval = match free < RECLAIM_FREE_BYTES {
            true => RECLAIM_RETRY.min(self.pace.reclaim_interval),
            false => self.pace.reclaim_interval,
        };
        if now.saturating_duration_since(self.asked) < interval || !self.worth.is_empty() {
            return Ok(());
        }
        self.asked = now;
        self.tell(Turn::AskWhatIsDead)
    }

    fn plan_reclaim(&mut self) {
        let shared = &self.shared;
        let ripe = |agreed: &Agreed| dead::is_ripe(agreed, &shared.index, &shared.users);
        if !self.worth.is_empty() || !self.agreed.as_ref().is_some_and(ripe) {
            return;
        }
        let Some(agreed) = &self.agreed else { return };
        self.worth = dead::worth(&shared.log, &shared.index, agreed).into();
        if self.worth.is_empty() {
            self.agreed = None;
        }
    }

    fn reclaim(&mut self) -> Result<(), Stopped> {
        let (Some(segment), Some(agreed)) = (self.worth.pop_front(), &self.agreed) else {
            return Ok(());
        };
        let started = Instant::now();
        let reclaimed = dead::reclaim(&self.shared.log, &self.shared.index, agreed, segment);
        let now = Instant::now();
        self.reclaim_due = now + (now - started);
        if self.worth.is_empty() {
            self.agreed = None;
        }
        match reclaimed {
            Ok(None) => Ok(()),
            Ok(Some(reclaimed)) => {
                self.done.segments_reclaimed += 1;
                self.done.reclaimed_bytes +=
                    reclaimed.bytes_before.saturating_sub(reclaimed.bytes_after);
                self.report();
                Ok(())
            }
            Err(Error::Damaged { position: Some(position), .. }) => {
                let found = self.shared.log.damaged_at(position);
                self.tell(Turn::Damaged(vec![found]))
            }
            Err(error) => {
                tracing::warn!(%error, %segment, "a segment is not reclaimed");
                Ok(())
            }
        }
    }

    fn scrub(&mut self) -> Result<(), Stopped> {
        let log = &self.shared.log;
        let steps = (log.bytes() / SCRUB_STEP_BYTES).max(1);
        let interval = self.pace.scrub_round / u32::try_from(steps).unwrap_or(u32::MAX);
        self.scrub_due = Instant::now() + interval.min(SCRUB_STEP_INTERVAL_MAX);
        if self.shared.progress.borrow().damage.damaged >= MEND_KNOWN_MAX as u64 {
            // First these.
            return self.tell(Turn::Damaged(Vec::new()));
        }
        let step = match log.scrub_step(SCRUB_STEP_BYTES) {
            Ok(step) => step,
            Err(error) => {
                tracing::error!(%error, "the scrub cannot go on now");
                return Ok(());
            }
        };
        self.done.scrubbed_bytes += step.bytes;
        if step.done || self.scrub_kept.elapsed() >= SCRUB_KEPT_INTERVAL {
            self.keep_scrub(step.next);
        }
        if step.done {
            self.done.scrub_rounds += 1;
            self.in_a_hurry = false;
        }
        if self.in_a_hurry {
            self.scrub_due = Instant::now();
        }
        self.report();
        self.tell(Turn::Damaged(step.damaged))
    }

    /// Whatever becomes of the file costs a part of a round, no more.
    fn keep_scrub(&mut self, next: Position) {
        self.scrub_kept = Instant::now();
        let unfinished = self.scrub_file.with_extension("new");
        let kept = std::fs::write(&unfinished, next.0.to_string())
            .and_then(|()| std::fs::rename(&unfinished, &self.scrub_file));
        if let Err(error) = kept {
            tracing::debug!(%error, "where the scrub has come to is not kept");
        }
    }

    fn report(&self) {
        *self.shared.upkeep.lock().expect("no holder panics") = self.done;
    }

    fn tell(&self, turn: Turn) -> Result<(), Stopped> {
        self.turns.blocking_send(turn).map_err(|_| Stopped)
    }
}
