//! The sending side of one session of the link: one cursor over the log, messages in their places
//! between the records, a window of unacknowledged bytes.

use std::collections::VecDeque;

use journal::{Damaged, Disk, Log, Position};
use record::{Address, Vector, Writer, check, decode_head};
use replica::{Hello, Message};

use crate::limits::{LINK_TURN_BYTES, LINK_WINDOW_BYTES};

pub(crate) struct Link {
    /// The next position of the log to look at.
    cursor: u64,
    /// What the peer holds once it has read everything sent so far.
    peer_has: Vector,
    /// Messages, each behind the records below a position.
    waiting: VecDeque<(u64, Message)>,
    /// Sent records that the peer has not acknowledged as synced.
    unsynced: VecDeque<(Writer, u64, u64)>,
    unsynced_bytes: u64,
}

/// What a turn of the pump brought.
pub(crate) struct Pumped {
    pub messages: Vec<Message>,
    /// There is more to send at once; come back in the next turn.
    pub more: bool,
    /// Records that could not be read here, but that the peer has.
    pub damaged: Vec<Damaged>,
    /// The disk failed: the session cannot go on.
    pub failed: Option<String>,
}

impl Pumped {
    fn fail(mut self, position: u64, error: &dyn std::fmt::Display) -> Pumped {
        self.failed = Some(format!("reading the log at {position}: {error}"));
        self
    }
}

impl Link {
    pub fn new<D: Disk>(log: &Log<D>, peer: &Hello) -> Result<Link, journal::Error> {
        Ok(Link {
            cursor: log.first_missing(&peer.held)?.0,
            peer_has: peer.held.clone(),
            waiting: VecDeque::new(),
            unsynced: VecDeque::new(),
            unsynced_bytes: 0,
        })
    }

    /// A message that may go once the records below `after` have gone.
    pub fn send(&mut self, after: u64, message: Message) {
        self.waiting.push_back((after, message));
    }

    /// The peer sent this record, so it has it.
    pub fn received(&mut self, frame: &[u8]) {
        // A frame that is none ends the session when `replica` looks at it.
        if let Ok(record) = decode_head(frame) {
            let has = self.peer_has.entry(record.writer).or_default();
            *has = (*has).max(record.index + record.op.count());
        }
    }

    /// The peer has this on its disk.
    pub fn synced(&mut self, vector: &Vector) {
        while let Some((writer, index, bytes)) = self.unsynced.front() {
            if vector.get(writer).is_none_or(|count| count <= index) {
                break;
            }
            self.unsynced_bytes -= bytes;
            self.unsynced.pop_front();
        }
    }

    /// Bytes that the peer lacks on its disk; no number while the cursor is not at the end.
    pub fn backlog(&self, end: u64) -> u64 {
        if self.cursor >= end { self.unsynced_bytes } else { u64::MAX }
    }

    /// A damaged record that the peer has need not be sent to it. Otherwise this was the only copy: nothing
    /// behind it is sent before it can be read, so the boxes do not come together. The session stays: what the
    /// peer has gets here, and other damage is mended from it.
    fn passes_over<D: Disk>(&mut self, log: &Log<D>, at: Position, out: &mut Pumped) -> bool {
        let lost = log.damaged_at(at);
        out.damaged.push(lost);
        let has = |address: Address| {
            self.peer_has
                .get(&address.writer)
                .is_some_and(|has| *has >= address.index + lost.records)
        };
        if lost.address.is_none_or(has) {
            self.cursor = at.0 + 1;
            return true;
        }
        false
    }

    /// Sends what the window and the limit allow, in the order of the log.
    pub fn pump<D: Disk>(&mut self, log: &Log<D>, limit: u64) -> Pumped {
        let mut out =
            Pumped { messages: Vec::new(), more: false, damaged: Vec::new(), failed: None };
        let mut turn_bytes = 0;
        loop {
            while self.waiting.front().is_some_and(|(after, _)| *after <= self.cursor) {
                out.messages.extend(self.waiting.pop_front().map(|(_, message)| message));
            }
            if self.cursor >= limit || self.unsynced_bytes >= LINK_WINDOW_BYTES {
                return out;
            }
            if turn_bytes >= LINK_TURN_BYTES {
                out.more = true;
                return out;
            }
            // Positions of reclaimed records are gone: the next one that is there comes.
            let (position, frame) = match log.frame_from(Position(self.cursor)) {
                Some(Ok(found)) if found.0.0 < limit => found,
                Some(Err(journal::Error::Damaged { position: Some(position), .. }))
                    if position.0 < limit =>
                {
                    if self.passes_over(log, position, &mut out) {
                        continue;
                    }
                    return out;
                }
                Some(Err(error)) => return out.fail(self.cursor, &error),
                Some(Ok(_)) | None => {
                    self.cursor = limit;
                    continue;
                }
            };
            let record = match check(&frame).and_then(|()| decode_head(&frame)) {
                Ok(record) => record,
                Err(_) if self.passes_over(log, position, &mut out) => continue,
                Err(_) => return out,
            };
            self.cursor = position.0 + 1;
            let has = self.peer_has.entry(record.writer).or_default();
            let end = record.index + record.op.count();
            if *has >= end {
                continue;
            }
            *has = end;
            let bytes = frame.len() as u64;
            turn_bytes += bytes;
            self.unsynced_bytes += bytes;
            self.unsynced.push_back((record.writer, end - 1, bytes));
            out.messages.push(Message::Record(frame.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use journal::{Config, SimDisk};
    use record::{Clock, Codec, Formats, Op, Record, Side, Writer};

    use super::*;

    const OURS: Writer = Writer { side: Side::A, incarnation: 1 };
    const THEIRS: Writer = Writer { side: Side::B, incarnation: 2 };

    fn log(disk: &SimDisk) -> Arc<Log<SimDisk>> {
        let config = Config { grow_only: true, ..Config::new(7) };
        Log::open(disk.clone(), config).unwrap().0
    }

    fn record(writer: Writer, index: u64) -> Record {
        let op = Op::Setting { key: "key".into(), value: vec![index as u8; 100] };
        let (seen, payload) = (Vector::new(), Vec::new());
        Record { writer, index, clock: Clock(index), seen, op, codec: Codec::Raw, payload }
    }

    fn peer(held: Vector) -> Hello {
        let formats = Formats::of_this_program("a test", 0);
        let (synced, blank, alone) = (held.clone(), false, false);
        let (written, side, writer, disk) = (1, Side::B, THEIRS, 3);
        Hello { formats, written, side, writer, held, synced, blank, disk, alone }
    }

    /// Where the nth frame lies in the log's only segment.
    fn nth_frame(disk: &SimDisk, nth: usize) -> (String, u64) {
        let name = disk.list().unwrap().into_iter().find(|name| name.ends_with(".log")).unwrap();
        let bytes = disk.contents(&name).unwrap();
        let frames = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"TPR1");
        (name, frames.map(|(at, _)| at as u64).nth(nth).unwrap())
    }

    #[test]
    fn rot_in_the_only_copy_holds_up_what_is_behind_it_and_nothing_else() {
        let disk = SimDisk::new(1);
        let log = log(&disk);
        let records = [record(OURS, 0), record(THEIRS, 0), record(OURS, 1), record(OURS, 2)];
        for record in records {
            log.append(&record).unwrap();
            log.flush().unwrap();
        }
        let end = log.end().0;
        let (name, at) = nth_frame(&disk, 2);
        disk.flip(&name, at + 90, 1);
        let mut link = Link::new(&log, &peer([(THEIRS, 1)].into())).unwrap();
        link.send(end, Message::CaughtUp);
        let sent = |pumped: &Pumped| pumped.messages.len();
        let pumped = link.pump(&log, end);
        assert_eq!((sent(&pumped), pumped.failed.as_deref()), (1, None), "what is before it");
        assert_eq!(pumped.damaged.len(), 1);
        assert_eq!(link.backlog(end), u64::MAX, "the boxes do not come together");
        assert_eq!(sent(&link.pump(&log, end)), 0);
        disk.flip(&name, at + 90, 1);
        let pumped = link.pump(&log, end);
        assert_eq!(sent(&pumped), 3, "two records and what waited behind them");
    }
}
