//! What two boxes say to each other. Postcard on the cable: variants may only be added at the end.

use record::{Address, Clock, Formats, RequestId, Side, Vector, Writer};
use serde::{Deserialize, Serialize};

use crate::wish::Wish;

/// The first message of a session, in both directions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Stays the first field for ever: a program that knows no other of these can still read it.
    pub formats: Formats,
    /// The newest format that this box's log says the pair writes.
    pub written: u16,
    pub side: Side,
    pub writer: Writer,
    /// What it holds; the peer sends what is beyond.
    pub held: Vector,
    /// What of it is on its disk.
    pub synced: Vector,
    /// A disk that has never joined its pair: UIDs that only a lost disk knew must be burnt. Whether it
    /// may serve alone is no matter here.
    pub blank: bool,
    /// The id of its log: a new one for each disk.
    pub disk: u128,
    /// It serves alone, and has lanes of its own.
    pub alone: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Message {
    Hello(Hello),
    /// One frame, as it stands in the log.
    Record(Vec<u8>),
    /// Everything that was held when the session began has been sent.
    CaughtUp,
    /// The sender places nothing as `alone` any more, and what it was sent is on its disk.
    Ready,
    /// What is on the sender's disk: the writers that changed since the last time.
    Synced(Vector),
    /// To the home: please order this.
    Request {
        request: RequestId,
        wish: Wish,
        /// When the client asked.
        made: Clock,
    },
    /// From the home: it is done once this much is committed.
    Done {
        request: RequestId,
        until: Vector,
    },
    /// The sender leaves in order: the peer need not wait for silence.
    Leaving,
    /// Having applied this much, the sender's state has this digest. `rebuilt`: that state was built from
    /// the log in this run of its program.
    Digest {
        applied: Vector,
        digest: Vec<u8>,
        rebuilt: bool,
    },
    /// From the home: this cannot be done any more, and never was.
    Refused {
        request: RequestId,
    },
    /// Please say how far you have applied your log, once no wish is under way that was made before.
    AskApplied,
    /// The answer, behind every record that the sender held by then.
    Applied(Vector),
    /// These records are damaged on the sender's disk: `records` of one writer from `first` on.
    AskFrames {
        first: Address,
        records: u64,
    },
    /// What holds them, in order; nothing when they cannot be given.
    Frames {
        first: Address,
        frames: Vec<Vec<u8>>,
    },
    /// The sender has blessed this format since it said hello.
    Blessed(u16),
}
