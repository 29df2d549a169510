//! The applier thread: committed records into index and users, a checkpoint each second, and, when
//! nothing else is to do, the comparison of this box's state with its peer's.
//!
//! Equal logs mean equal state (P2), so two boxes that have applied the same records must have the same
//! digest. After each join, and every [`COMPARE_INTERVAL`], each box that is idle in `both` tells the
//! other what it has applied and the digest of it; who has applied just the same compares. When they
//! differ:
//!
//! | this box's state was built again in this run | the peer's | what happens |
//! |---|---|---|
//! | no | whatever | it is side b, or the peer's is built again: it is built again from the log |
//! | no | no | side a leaves it to side b to begin |
//! | yes | no | the peer builds its own again |
//! | yes | yes | nothing more can be done here: the alarm stays |

use std::sync::mpsc as thread_mpsc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use journal::Position;
use record::{MailboxId, Side, Vector};
use replica::{Message, Mode};
use tokio::sync::{broadcast, mpsc};

use crate::handle::Shared;
use crate::limits::{
    APPLY_BATCH_RECORDS, CHECKPOINT_INTERVAL, COMPARE_INTERVAL, COMPARE_RETRY, MEND_LOOK_INTERVAL,
};
use crate::shell::Turn;

/// What became of the comparison with the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Comparison {
    /// Not compared since the last join.
    #[default]
    NotYet,
    Equal,
    Differs,
}

/// A box's word: having applied this much, the digest is that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    pub applied: Vector,
    pub digest: Vec<u8>,
    /// Its state was built again from the log in this run of its program.
    pub rebuilt: bool,
}

pub(crate) struct Applier {
    shared: Arc<Shared>,
    turns: mpsc::Sender<Turn>,
    /// What the peer told last.
    peer: Arc<Mutex<Option<Told>>>,
    applied: u64,
    dirty: bool,
    checkpoint: Instant,
    /// Everything in index and users was applied in this run.
    rebuilt: bool,
    told: Option<Instant>,
    mode: Mode,
}

impl Applier {
    pub fn new(
        shared: Arc<Shared>,
        turns: mpsc::Sender<Turn>,
        peer: Arc<Mutex<Option<Told>>>,
    ) -> Applier {
        let applied = shared.index.applied().min(shared.users.applied());
        Applier {
            rebuilt: shared.index.applied() == 0 && shared.users.applied() == 0,
            shared,
            turns,
            peer,
            applied,
            dirty: false,
            checkpoint: Instant::now(),
            told: None,
            mode: Mode::Starting,
        }
    }

    /// Runs until the loop is gone. `ends` brings how far is committed.
    pub fn run(mut self, ends: &thread_mpsc::Receiver<u64>) {
        loop {
            let mut end = match ends.recv_timeout(CHECKPOINT_INTERVAL) {
                Ok(end) => end,
                Err(thread_mpsc::RecvTimeoutError::Timeout) => {
                    self.idle();
                    self.applied
                }
                Err(thread_mpsc::RecvTimeoutError::Disconnected) => return,
            };
            while let Ok(later) = ends.try_recv() {
                end = later;
            }
            if end > self.applied {
                if self.apply(end).is_err() {
                    return;
                }
                self.applied = end;
                self.dirty = true;
                if self.turns.blocking_send(Turn::Applied { end }).is_err() {
                    return;
                }
            }
            self.dirty |= self.shared.end.or_here(self.shared.facts.put(&self.shared.index));
            if self.dirty && self.checkpoint.elapsed() >= CHECKPOINT_INTERVAL {
                self.shared.end.or_here(self.shared.index.checkpoint());
                self.shared.end.or_here(self.shared.users.checkpoint());
                self.dirty = false;
                self.checkpoint = Instant::now();
            }
        }
    }

    /// Who lacks a record shows what is not so: a record that cannot be read is waited for, and the peer is
    /// asked for it. Only what the peer cannot give either is passed over; both boxes lack it then, and the
    /// next start builds the state again, in case it was mended.
    ///
    /// Message bytes are nothing to the index, so it does not matter here whether they can be read.
    fn apply(&self, end: u64) -> Result<(), Stopped> {
        let mut batch = Vec::with_capacity(APPLY_BATCH_RECORDS);
        let mut scan = self.shared.log.scan(Position(self.applied));
        while let Some(row) = scan.next_head() {
            let (Position(position), record) = match row {
                Ok(row) => row,
                Err(journal::Error::Damaged { position: Some(at), .. }) if at.0 < end => {
                    self.apply_batch(&mut batch);
                    if self.shared.log.is_nobodys(at) {
                        continue;
                    }
                    if self.wait_until_mended(at)? {
                        scan = self.shared.log.scan(at);
                    }
                    continue;
                }
                Err(journal::Error::Damaged { .. }) => break,
                Err(error) => self.shared.end.or_here(Err(error)),
            };
            if position >= end {
                break;
            }
            batch.push((position, record));
            if batch.len() == APPLY_BATCH_RECORDS {
                self.apply_batch(&mut batch);
            }
        }
        self.apply_batch(&mut batch);
        Ok(())
    }

    /// `false` when nobody can give it.
    fn wait_until_mended(&self, at: Position) -> Result<bool, Stopped> {
        tracing::error!(position = %at, "a committed record cannot be read; it is waited for");
        loop {
            let found = self.shared.log.damaged_at(at);
            let told = self.turns.blocking_send(Turn::Damaged(vec![found]));
            told.map_err(|_| Stopped)?;
            std::thread::sleep(MEND_LOOK_INTERVAL);
            let mended = self.shared.log.scan(at).next_head();
            if !matches!(mended, Some(Err(journal::Error::Damaged { .. }))) {
                return Ok(true);
            }
            if self.shared.put_off.lock().expect("no holder panics").contains(&at.0) {
                tracing::error!(position = %at, "no box has this record any more: passed over");
                self.shared.index.distrust();
                self.shared.users.distrust();
                return Ok(false);
            }
        }
    }

    fn apply_batch(&self, batch: &mut Vec<(u64, record::Record)>) {
        if batch.is_empty() {
            return;
        }
        for (position, record) in batch.iter() {
            self.shared.end.or_here(self.shared.users.apply(*position, record));
        }
        let changed = self.shared.end.or_here(self.shared.index.apply(batch));
        batch.clear();
        for mailbox in changed {
            // Nobody may be listening.
            let _: Result<usize, broadcast::error::SendError<MailboxId>> =
                self.shared.changes.send(mailbox);
        }
    }

    /// Nothing to apply: a moment to look whether both boxes hold the same.
    fn idle(&mut self) {
        let mode = *self.shared.mode.borrow();
        if mode != self.mode {
            self.mode = mode;
            self.told = None;
            self.shared.comparison.send_replace(Comparison::NotYet);
        }
        let heard = self.peer.lock().expect("no holder panics").is_some();
        let compared = *self.shared.comparison.borrow() != Comparison::NotYet;
        let interval = if compared { COMPARE_INTERVAL } else { COMPARE_RETRY };
        let due = self.told.is_none_or(|at| at.elapsed() >= interval);
        if mode != Mode::Both || !(due || heard) {
            return;
        }
        let Some(own) = self.digest() else { return };
        if let Some(peer) = self.peer.lock().expect("no holder panics").take()
            && peer.applied == own.applied
        {
            self.compare(&own, &peer);
        }
        if due {
            self.told = Some(Instant::now());
            let Told { applied, digest, rebuilt } = own;
            let message = Message::Digest { applied, digest, rebuilt };
            let _ = self.turns.blocking_send(Turn::Tell { message });
        }
    }

    /// The digest of everything in the log; none while something is under way.
    fn digest(&self) -> Option<Told> {
        let log = &self.shared.log;
        let applied = log.vector();
        if log.end().0 != self.applied {
            return None;
        }
        let mut digest = self.shared.end.or_here(self.shared.index.digest()).to_vec();
        digest.extend(self.shared.end.or_here(self.shared.users.digest()));
        // Only this thread applies, so the state stood still meanwhile.
        Some(Told { applied, digest, rebuilt: self.rebuilt })
    }

    fn compare(&self, own: &Told, peer: &Told) {
        if own.digest == peer.digest {
            let before = self.shared.comparison.send_replace(Comparison::Equal);
            if before != Comparison::Equal {
                tracing::info!("both boxes hold the same");
            }
            return;
        }
        self.shared.comparison.send_replace(Comparison::Differs);
        tracing::error!(
            rebuilt = own.rebuilt,
            peer_rebuilt = peer.rebuilt,
            "the two boxes hold the same log, but not the same state"
        );
        let may_begin = self.shared.side == Side::B || peer.rebuilt;
        if !own.rebuilt && may_begin {
            self.rebuild();
        }
    }

    /// Ends the program with both stores marked as not to be trusted: the next start builds them again.
    fn rebuild(&self) -> ! {
        self.shared.index.distrust();
        self.shared.users.distrust();
        self.shared.end.here("its state is to be built again from the log")
    }
}

/// The loop is gone.
struct Stopped;
