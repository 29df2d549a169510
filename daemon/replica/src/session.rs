//! Sessions of the link: joining, `both`, and what happens when a session is lost.
//!
//! | this box | hears | does |
//! |---|---|---|
//! | any | hello | forgets the last session; the node streams what the peer lacks, then "caught up" |
//! | alone | "caught up" | waits until the peer lacks less than `JOIN_TAIL_BYTES` |
//! | any | hello of a program that cannot read this log | ends the session, and stays in its view |
//! | any | hello of a blank or older disk | floors, on this disk before the peer gets anything |
//! | never joined | hello of a disk that has joined | it may not serve alone any more; out of `alone` |
//! | alone | "caught up" | waits until the session has lasted, when episodes come fast (`pace.rs`) |
//! | any | "caught up", tail small, the peer's disk has this side's lanes | places nothing more; says so in the log; syncs; "ready" |
//! | any | "ready" | syncs; with its own "ready" sent it is in `both` |
//! | both | session lost | waits; commits nothing |
//! | alone, "ready" sent | session lost | a new episode: new lanes |

use std::time::Instant;

use record::{AccountId, Formats, Op, check, decode_head};

use crate::limits::JOIN_TAIL_BYTES;
use crate::machine::{Applied, Hold, Input, Mode, Output, Replica, Stage};
use crate::message::{Hello, Message};
use crate::sabotage::Sabotage;

/// How far one handshake is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    No,
    /// Waits until this position is on the disk.
    Syncing(u64),
    Done,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub peer_formats: Formats,
    peer_caught_up: bool,
    ready_sent: Step,
    peer_ready: Step,
    pub backlog_bytes: u64,
    /// The peer served alone when it came up.
    peer_alone: bool,
    /// A box that is alone does not leave its lanes before.
    join_due: Option<Instant>,
}

impl Session {
    /// From "caught up" on a box that was alone places nothing.
    pub fn stopped_placing(&self) -> bool {
        self.ready_sent != Step::No
    }

    pub fn peer_is_alone(&self) -> bool {
        self.peer_alone
    }
}

impl Replica {
    pub(crate) fn session_up(&mut self, peer: &Hello, applied: &dyn Applied) {
        self.session_down(applied);
        let written = self.written.max(peer.written);
        if let Err(refused) = self.formats.agree(&peer.formats, written) {
            return self.end_session(refused.to_string());
        }
        self.burn_what_was_lost(peer, applied);
        self.leave_serving_to(peer);
        self.peer_synced = peer.synced.clone();
        self.known_synced = peer.synced.clone();
        self.ahead.clear();
        self.synced_told = self.synced_vector.clone();
        self.session = Some(Session {
            peer_formats: peer.formats.clone(),
            peer_caught_up: false,
            ready_sent: Step::No,
            peer_ready: Step::No,
            // Until the link has counted: nobody stops placing on a guess.
            backlog_bytes: u64::MAX,
            peer_alone: peer.alone,
            join_due: self.pace.session_up(),
        });
        if self.is_paced() {
            tracing::warn!(
                "the link comes and goes: it must last for a while before the boxes join"
            );
        }
        self.out.push_back(Output::Send(Message::CaughtUp));
    }

    pub(crate) fn session_down(&mut self, applied: &dyn Applied) {
        let Some(session) = self.session.take() else { return };
        self.pace.session_broke();
        self.peer_synced.clear();
        self.early_requests.clear();
        for pending in self.pending.values_mut() {
            let lost = match &pending.stage {
                Stage::Unasked => false,
                Stage::Asked => true,
                Stage::Written(until) => {
                    until.iter().any(|(w, n)| self.held.get(w).is_none_or(|held| held < n))
                }
            };
            if lost && self.sabotage != Some(Sabotage::NoAskingAgain) {
                pending.stage = Stage::Unasked;
            }
        }
        if self.mode == Mode::Both {
            self.set_mode(Mode::Waiting);
        } else if self.mode == Mode::Alone && session.stopped_placing() {
            self.go_into_episode();
            self.ask_all(applied);
        }
    }

    /// `failover` says that the peer serves without this box, or must not be waited for: nothing more
    /// is committed before the two have joined.
    pub(crate) fn step_back(&mut self, applied: &dyn Applied) {
        if self.session.is_some() {
            self.end_session("failover ended it".into());
            self.session_down(applied);
        }
        if self.mode == Mode::Alone {
            self.set_mode(Mode::Waiting);
        }
    }

    /// A disk that never joined is nothing beside one that did: the first of a pair serves alone only as
    /// long as it knows of no other history.
    fn leave_serving_to(&mut self, peer: &Hello) {
        if !self.blank || peer.blank {
            return;
        }
        self.may_serve_alone = false;
        if self.mode == Mode::Alone {
            self.set_mode(Mode::Waiting);
        }
    }

    /// When the peer's disk is blank or an old copy: a floor above all that only the lost disk knew, on
    /// this disk before the peer gets anything, so that no broken join can make either box forget it.
    fn burn_what_was_lost(&mut self, peer: &Hello, applied: &dyn Applied) {
        let lost = if peer.blank {
            // There was no other disk before it, if it has all that its side ever wrote.
            self.lacks_of_its_own(peer).then_some(peer.disk)
        } else {
            self.is_older_than_known(peer).then_some(peer.writer.incarnation)
        };
        let Some(lost) = lost.filter(|_| !self.is_broken(Sabotage::NoFloor)) else { return };
        let before = self.end;
        self.write_floors(lost, applied);
        if self.end > before {
            self.holds.push_front(Hold { from: 0, until: self.end - 1 });
            // The next lane is far above what the peer knows without them.
            self.lane_records.extend(self.held.get(&self.me).map(|count| (self.me, *count)));
        }
    }

    fn lacks_of_its_own(&self, peer: &Hello) -> bool {
        let has = |writer| peer.held.get(writer).copied().unwrap_or(0);
        let mut of_its_side = self.held.iter().filter(|(writer, _)| writer.side == peer.side);
        of_its_side.any(|(writer, count)| has(writer) < *count)
    }

    /// Does the peer hold less than it once had on its disk? Then that disk is an old copy. (What it lacks
    /// of its own records without having had them on its disk, a power cut took: that burns nothing.)
    fn is_older_than_known(&self, peer: &Hello) -> bool {
        let has = |writer| peer.held.get(writer).copied().unwrap_or(0);
        let older = self.known_synced.iter().any(|(writer, count)| has(writer) < *count);
        older && !self.is_broken(Sabotage::OldDiskUnnoticed)
    }

    pub(crate) fn message(&mut self, message: Message, applied: &dyn Applied) {
        if self.session.is_none() {
            return;
        }
        match message {
            Message::Record(frame) => {
                if let Some(account) = self.receive(frame) {
                    self.became_home(account, applied);
                }
            }
            Message::CaughtUp => {
                if let Some(session) = &mut self.session {
                    session.peer_caught_up = true;
                }
                self.join_step(applied);
            }
            Message::Ready => {
                let end = self.end;
                if let Some(session) = &mut self.session {
                    session.peer_ready = Step::Syncing(end);
                }
                self.join_step(applied);
            }
            Message::Synced(changes) => {
                for (writer, count) in changes {
                    let known = self.peer_synced.entry(writer).or_default();
                    *known = (*known).max(count);
                    self.known_synced.insert(writer, *known);
                }
                self.ahead_of_peer(applied);
                self.join_step(applied);
            }
            Message::Blessed(format) => {
                if let Some(session) = &mut self.session {
                    session.peer_formats.blessed = format;
                }
                self.raise_format();
            }
            Message::Request { request, wish, made } => {
                self.clock = self.clock.max(made);
                self.peer_request(request, wish, made, applied);
            }
            Message::Done { request, until } => {
                if let Some(pending) = self.pending.get_mut(&request) {
                    pending.stage = Stage::Written(until);
                }
            }
            Message::Refused { request } => self.refused(request),
            // The node's.
            Message::Hello(_)
            | Message::Leaving
            | Message::Digest { .. }
            | Message::AskApplied
            | Message::Applied(_)
            | Message::AskFrames { .. }
            | Message::Frames { .. } => {}
        }
    }

    /// Takes a record in; tells whose home has moved by it.
    fn receive(&mut self, frame: Vec<u8>) -> Option<AccountId> {
        // The payload stays in the frame, which goes into the log as it is.
        let record = match check(&frame).and_then(|()| decode_head(&frame)) {
            Ok(record) => record,
            Err(error) => {
                self.end_session(format!("a record from the peer: {error}"));
                return None;
            }
        };
        let held = self.held.get(&record.writer).copied().unwrap_or(0);
        if record.index > held {
            self.end_session(format!(
                "the peer sent record {} of {:?}; expected {held}",
                record.index, record.writer
            ));
            return None;
        }
        if record.index + record.op.count() > held {
            self.store(&record);
            self.out.push_back(Output::AppendFrame(frame));
        }
        match record.op {
            Op::MoveHome { account, .. } => Some(account),
            _ => None,
        }
    }

    fn end_session(&mut self, reason: String) {
        self.out.push_back(Output::EndSession { reason });
    }

    /// Goes on with the join as far as the disk and the peer allow.
    pub(crate) fn join_step(&mut self, applied: &dyn Applied) {
        if self.mode == Mode::Both {
            return;
        }
        if self.may_stop_placing() {
            self.end_episode();
            let end = self.end;
            if let Some(session) = &mut self.session {
                session.ready_sent = Step::Syncing(end);
            }
        }
        let synced = self.synced;
        let Some(session) = &mut self.session else { return };
        if matches!(session.ready_sent, Step::Syncing(at) if synced >= at) {
            session.ready_sent = Step::Done;
            if self.sabotage == Some(Sabotage::BothWithoutReady) {
                session.peer_ready = Step::Done;
            }
            self.out.push_back(Output::Send(Message::Ready));
        }
        if matches!(session.peer_ready, Step::Syncing(at) if synced >= at) {
            session.peer_ready = Step::Done;
        }
        if session.ready_sent == Step::Done && session.peer_ready == Step::Done {
            self.blank = false;
            self.may_serve_alone = true;
            self.lane_records.clear();
            self.set_mode(Mode::Both);
            self.raise_format();
            self.ask_all(applied);
        }
    }

    /// Has the peer sent everything, and does it lack little enough? It must have the lanes that this box
    /// is about to leave: with them known, no number of joins that break here leads far beyond what the
    /// peer knows.
    fn may_stop_placing(&self) -> bool {
        let Some(session) = self.session.as_ref().filter(|_| !self.damaged) else { return false };
        let tail_is_small = self.mode != Mode::Alone || session.backlog_bytes <= JOIN_TAIL_BYTES;
        let has = |writer| self.peer_synced.get(writer).copied().unwrap_or(0);
        let knows_lanes = self.lane_records.iter().all(|(writer, count)| has(writer) >= *count);
        let may_leave = knows_lanes || self.is_broken(Sabotage::LaneLeadUnbounded);
        let has_come = session.ready_sent == Step::No && session.peer_caught_up;
        has_come && tail_is_small && may_leave && !self.is_paced()
    }

    /// When this box, alone, may leave its lanes for the join that is under way.
    pub(crate) fn join_due(&self) -> Option<Instant> {
        let session = self.session.as_ref().filter(|session| !session.stopped_placing())?;
        session.join_due.filter(|_| self.mode == Mode::Alone)
    }

    /// Must the session last longer before?
    pub(crate) fn is_paced(&self) -> bool {
        self.join_due().is_some_and(|due| self.pace.now().is_none_or(|now| now < due))
    }

    pub(crate) fn go_alone(&mut self, forced: bool, applied: &dyn Applied) {
        if forced && (self.damaged || !self.may_serve_alone) {
            // What the missing history has given is not known here: as with a lost disk.
            self.write_floors(self.disk, applied);
            // What is here of an earlier disk's lanes is not all that it gave in them.
            self.end_episode();
            self.may_serve_alone = true;
            self.damaged = false;
        }
        let stopped = self.session.as_ref().is_some_and(Session::stopped_placing);
        if self.damaged || !self.may_serve_alone || (self.mode == Mode::Alone && !stopped) {
            return;
        }
        if self.session.is_some() {
            self.end_session("this box goes on alone".into());
            self.session_down(applied);
        }
        self.set_mode(Mode::Alone);
        self.ask_all(applied);
    }

    pub(crate) fn synced(&mut self, end: u64, applied: &dyn Applied) {
        debug_assert!(end <= self.end, "the disk cannot hold more than the log");
        while self.synced < end {
            let Some(address) = self.unsynced.pop_front() else { break };
            self.synced_vector.insert(address.writer, address.index + 1);
            self.synced += 1;
        }
        let synced = self.synced;
        self.holds.retain(|hold| hold.until >= synced);
        if self.session.is_some() {
            let changes: record::Vector = self
                .synced_vector
                .iter()
                .filter(|(w, n)| self.synced_told.get(w) != Some(n))
                .map(|(w, n)| (*w, *n))
                .collect();
            if !changes.is_empty() {
                self.synced_told.extend(changes.iter().map(|(w, n)| (*w, *n)));
                self.out.push_back(Output::SendAtOnce(Message::Synced(changes)));
            }
        }
        self.join_step(applied);
    }
}

impl From<Message> for Input {
    fn from(message: Message) -> Input {
        Input::Message(message)
    }
}
