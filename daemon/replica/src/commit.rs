//! What is committed, and so shown and acknowledged.
//!
//! `both`: what is on both disks. `alone`: what is on this disk. Otherwise nothing more. Commits advance
//! in the order of this box's log, so what is committed is always causally closed.

use crate::machine::{Mode, Output, Replica, Stage};
use crate::sabotage::Sabotage;

impl Replica {
    /// Moves the committed position as far as the rules allow; did it move?
    pub(crate) fn advance(&mut self) -> bool {
        let before = self.committed;
        while self.committed < self.synced {
            let Some(address) = self.uncommitted.front() else { break };
            let committed = match self.mode {
                Mode::Alone => true,
                Mode::Both if self.is_broken(Sabotage::CommitWithoutPeer) => true,
                Mode::Both => {
                    self.peer_synced.get(&address.writer).is_some_and(|n| *n > address.index)
                }
                Mode::Starting | Mode::Waiting => false,
            };
            if !committed {
                break;
            }
            let count = self.committed_vector.entry(address.writer).or_default();
            *count = (*count).max(address.index + 1);
            self.uncommitted.pop_front();
            self.committed += 1;
        }
        let moved = self.committed > before;
        if moved {
            self.out.push_back(Output::Committed { end: self.committed });
        }
        moved
    }

    /// Answers whoever waited for what is committed now.
    pub(crate) fn answer(&mut self) {
        let committed = &self.committed_vector;
        let done: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| match &pending.stage {
                Stage::Written(until) => {
                    until.iter().all(|(w, n)| committed.get(w).is_some_and(|have| have >= n))
                }
                Stage::Unasked | Stage::Asked => false,
            })
            .map(|(request, _)| *request)
            .collect();
        for request in done {
            self.pending.remove(&request);
            self.out.push_back(Output::Done { request });
        }
    }
}
