//! This side's own views, as its log has them: which alone episode goes on, and what was given in it.

use std::collections::{BTreeMap, HashMap};

use record::{MailboxId, Op, Record, View, Writer};

use crate::lanes::Lane;

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Episodes {
    me: Writer,
    /// What comes now is new: no record that the log held at the start.
    started: bool,
    /// The latest view of each of this side's incarnations.
    views: BTreeMap<Writer, (View, u64)>,
    /// The latest of all.
    last: Option<(View, u64)>,
    /// What was given, as far as it was not applied at the start.
    lanes: HashMap<MailboxId, Lane>,
}

impl Episodes {
    pub fn new(me: Writer, views: BTreeMap<Writer, (View, u64)>) -> Episodes {
        let last = views.values().copied().max_by_key(|(_, number)| *number);
        Episodes { me, started: false, views, last, lanes: HashMap::new() }
    }

    pub fn start(&mut self) {
        self.started = true;
    }

    /// The alone episode that is not over, by its number: with it this box goes on when it is to serve
    /// alone.
    pub fn not_over(&self) -> Option<u64> {
        match self.last {
            Some((View::Alone(_), number)) => Some(number),
            _ => None,
        }
    }

    /// What was given in a mailbox in an episode; `applied` says what the index knows.
    pub fn lane(&self, episode: u64, mailbox: MailboxId, applied: Option<Lane>) -> Lane {
        let here = self.lanes.get(&mailbox).copied();
        let of_this = |lane: &Lane| lane.episode == episode;
        let mut lane = Lane::default();
        for known in [applied, here].into_iter().flatten().filter(of_this) {
            lane.give(known.episode, known.first_uid, 0);
            lane.give(known.episode, known.uid, known.modseq);
        }
        lane
    }

    /// A record of the log. Those of this side's earlier incarnations that come from the peer (a power cut
    /// had taken them) say which views there were; lanes are what this log has of its own.
    pub fn learn(&mut self, record: &Record) {
        if record.writer.side != self.me.side {
            return;
        }
        if let Op::View { view, number, .. } = record.op {
            self.views.insert(record.writer, (view, number));
            if self.last.is_none_or(|(_, last)| last < number) {
                self.last = Some((view, number));
            }
        }
        let Some((View::Alone(_), episode)) = self.views.get(&record.writer).copied() else {
            return;
        };
        if self.started && record.writer != self.me {
            return;
        }
        let mut give = |mailbox, uid, modseq| {
            self.lanes.entry(mailbox).or_default().give(episode, uid, modseq);
        };
        match &record.op {
            Op::Place { entry, uid, modseq } => give(entry.mailbox, uid.0, modseq.0),
            Op::Move { entry, uid, modseq, from_mailbox, from_modseq, .. } => {
                give(entry.mailbox, uid.0, modseq.0);
                give(*from_mailbox, 0, from_modseq.0);
            }
            Op::Flags { mailbox, changes, .. } => {
                give(*mailbox, 0, changes.iter().map(|c| c.modseq.0).max().unwrap_or(0));
            }
            Op::Expunge { mailbox, modseq, .. } => give(*mailbox, 0, modseq.0),
            _ => {}
        }
    }
}
