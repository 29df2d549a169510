//! The link between the boxes. Each session is a TCP stream: in order, without loss until it is cut; a
//! cable that is cut one way delivers nothing in that direction until it is mended or the session ends.

use std::collections::{BTreeSet, VecDeque};

use record::Side;
use replica::Message;

use super::random::Random;
use super::world::at;

#[derive(Default)]
pub struct Cable {
    /// Messages on their way to each side, with the session that they belong to.
    wires: [VecDeque<(u64, Message)>; 2],
    /// Nothing arrives at this side.
    stuck: [bool; 2],
    cut: bool,
    sessions: u64,
    /// Sessions that ended, noticed or not.
    over: BTreeSet<u64>,
}

impl Cable {
    pub fn is_whole(&self) -> bool {
        !self.cut && self.stuck == [false, false]
    }

    pub fn connect(&mut self) -> u64 {
        self.over.insert(self.sessions);
        self.sessions += 1;
        self.sessions
    }

    pub fn end(&mut self, session: u64) {
        self.over.insert(session);
    }

    pub fn is_over(&self, session: u64) -> bool {
        self.over.contains(&session)
    }

    pub fn send(&mut self, to: Side, session: u64, message: Message) {
        if !self.is_over(session) {
            self.wires[at(to)].push_back((session, message));
        }
    }

    pub fn receive(&mut self, side: Side) -> Option<(u64, Message)> {
        if self.stuck[at(side)] {
            return None;
        }
        self.wires[at(side)].pop_front()
    }

    pub fn has(&self, side: Side) -> bool {
        !self.stuck[at(side)] && !self.wires[at(side)].is_empty()
    }

    /// Is there still something of this session to read?
    pub fn carries(&self, side: Side, session: u64) -> bool {
        !self.stuck[at(side)] && self.wires[at(side)].iter().any(|(of, _)| *of == session)
    }

    /// Both ways. What had arrived may still be read before the cut is noticed.
    pub fn cut(&mut self, random: &mut Random) {
        self.cut = true;
        self.over.insert(self.sessions);
        for wire in &mut self.wires {
            let kept = random.below(wire.len() + 1);
            wire.truncate(kept);
        }
    }

    /// The sender's power is gone, and with it what it had not sent yet.
    pub fn lose_tail(&mut self, to: Side, random: &mut Random) {
        let wire = &mut self.wires[at(to)];
        let kept = random.below(wire.len() + 1);
        wire.truncate(kept);
    }

    /// Nothing arrives at this side any more.
    pub fn cut_towards(&mut self, side: Side) {
        self.stuck[at(side)] = true;
    }

    pub fn mend(&mut self) {
        self.cut = false;
        self.stuck = [false, false];
    }
}

/// A message as the story names it.
pub fn told(message: &Message) -> String {
    match message {
        Message::Record(frame) => match record::decode(frame) {
            Ok(record) => {
                let writer = record.writer;
                let mut op = format!("{:?}", record.op);
                op.truncate(op.find(['(', ' ']).unwrap_or(op.len()));
                let incarnation = writer.incarnation >> 112;
                format!("record {}:{incarnation:04x}:{} {op}", writer.side, record.index)
            }
            Err(error) => format!("a broken record: {error}"),
        },
        Message::Synced(_) => "how far the peer's disk is".into(),
        Message::Request { .. } => "a request".into(),
        Message::Done { .. } => "that a request is done".into(),
        other => format!("{other:?}").chars().take(40).collect(),
    }
}
