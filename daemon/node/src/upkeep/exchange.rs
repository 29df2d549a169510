//! What the core does for the log's upkeep: it hears and answers the peer, and reads its own log.

use std::time::Instant;

use journal::{Damaged, Disk, Log, Position};
use record::Address;
use replica::{Message, Mode};

use super::Damage;
use crate::core::{Core, Output};
use crate::limits::MEND_ANSWER_BYTES_MAX;

impl<D: Disk> Core<D> {
    /// How the damaged records of this box are.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.mender.damage()
    }

    /// Positions of those that the peer could not give, so far.
    pub(crate) fn put_off(&self) -> impl Iterator<Item = u64> {
        self.mender.put_off()
    }

    /// Begins to agree with the peer on what is dead. Without it, nothing is.
    pub(crate) fn ask_what_is_dead(&mut self) {
        let Some(link) = &mut self.link else { return };
        if self.replica.mode() == Mode::Both {
            let (committed, vector) = (self.replica.committed(), self.replica.committed_vector());
            link.send(self.log.end().0, self.talk.begin(committed, vector));
        }
    }

    pub(crate) fn session_over(&mut self) {
        self.link = None;
        self.talk.session_over();
        self.mender.session_over();
    }

    /// Takes what the two boxes say about their logs; gives back what is for the replica.
    pub(crate) fn keep_message(&mut self, now: Instant, message: Message) -> Option<Message> {
        match message {
            Message::AskApplied => {
                self.talk.peer_asks(self.replica.committed(), self.replica.committed_vector());
            }
            Message::Applied(vector) => self.talk.peer_tells(vector),
            Message::AskFrames { first, records } => {
                let frames = self.frames(first, records);
                self.out.push_back(Output::Send(Message::Frames { first, frames }));
            }
            Message::Frames { first, frames } => {
                if let Some(damaged) = self.mender.answered(now, first, &frames) {
                    self.out.push_back(Output::Mend { damaged, frames });
                }
            }
            other => return Some(other),
        }
        None
    }

    pub(crate) fn mended(&mut self, now: Instant, position: u64, done: bool) {
        self.mender.mended(now, position, done);
        let before = self.mender.before(position).filter(|_| !done);
        if let Some(before) = before
            && !self.log.frame_of(before).is_ok_and(|frame| record::check(&frame).is_ok())
        {
            self.mender.found(damaged_record(&self.log, before));
        }
        if done && self.replica.is_damaged() && self.mender.damage().damaged == 0 {
            self.take_up_what_was_mended(now);
        }
    }

    /// What this box could not read when it started is known now, if all of it can be read.
    fn take_up_what_was_mended(&mut self, now: Instant) {
        let mut records = Vec::new();
        let mut scan = self.log.scan(Position(self.applied));
        while let Some(row) = scan.next_head() {
            match row {
                Ok((Position(position), record)) => records.push((position, record)),
                Err(error) => {
                    tracing::warn!(%error, "there are more damaged records");
                    return;
                }
            }
        }
        self.replica.mended(records.into_iter());
        // It may come into a view now.
        self.replica(now, replica::Input::Synced { end: self.log.synced().0 });
    }

    /// What is due, after every input.
    pub(crate) fn keep(&mut self, now: Instant) {
        let end = self.log.end().0;
        if let Some(agreed) = self.talk.agreed(self.applied, &self.answers, end) {
            self.spent.agreed(&agreed);
            self.out.push_back(Output::Agreed(agreed));
            self.work(now);
        }
        let Some(link) = &mut self.link else { return };
        if let Some(answer) = self.talk.answer(self.applied, &self.answers) {
            link.send(end, answer);
        }
        self.out.extend(self.mender.ask(now).into_iter().map(Output::Send));
    }

    /// Whole frames that hold these records, in order; none when one of them cannot be given, or all
    /// together are too long. (That may be so where this box has the records still for which the other
    /// had a gap: until it has reclaimed them, too.)
    fn frames(&mut self, first: Address, records: u64) -> Vec<Vec<u8>> {
        let Some(end) = first.index.checked_add(records) else { return Vec::new() };
        let (mut next, mut bytes, mut frames) = (first.index, 0, Vec::new());
        while next < end {
            let address = Address { index: next, ..first };
            let frame = self.log.frame_of(address);
            let head = match &frame {
                Ok(frame) => record::check(frame).and_then(|()| record::decode_head(frame)),
                Err(error) => {
                    tracing::debug!(%error, "the peer asked for a record");
                    self.mender.found(damaged_record(&self.log, address));
                    return Vec::new();
                }
            };
            let (Ok(frame), Ok(head)) = (frame, head) else {
                self.mender.found(damaged_record(&self.log, address));
                return Vec::new();
            };
            bytes += frame.len();
            let after = head.index.saturating_add(head.op.count());
            if bytes > MEND_ANSWER_BYTES_MAX || after <= next {
                return Vec::new();
            }
            next = after;
            frames.push(frame.to_vec());
        }
        frames
    }
}

/// The record at an address that could not be read, if it is held at all.
pub(crate) fn damaged_record<D: Disk>(log: &Log<D>, address: Address) -> Option<Damaged> {
    let position: Position = log.position_of(address).ok()??;
    Some(log.damaged_at(position))
}
