//! The witness: a third host that either box may ask, and that never decides anything.
//!
//! ```text
//! box ──ping──▶ witness      "box a, I hold the address of a"      each 100 ms
//! box ◀─answer─ witness      "I heard box b 40 ms ago, it holds the address of b"
//! ```
//!
//! An answer says two things: clients may well reach this box ([`crate::reach`] counts it where the
//! gateway does not answer), and whether the peer that is silent here lives elsewhere. Without an
//! answer everything is decided as if there was no witness. A host that knows nothing of
//! twinpost (an echo, an open TCP port) is a witness for the first only.
//!
//! Both messages are sealed with a key of the pair. Safe against replay: a ping counts only when it
//! names the present start of the witness (`epoch`, which the first answer tells) and its number is
//! new; an answer only when it names a ping of the last second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::limits::{RETIRED_BOOTS_MAX, WITNESS_BYTES_MAX, WITNESS_HOLD, WITNESS_SILENT};
use crate::seal::{self, Error, Key};
use crate::{Holds, Side};

/// From a box to the witness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ping {
    pub side: Side,
    /// Random, drawn at each start of the sender's program.
    pub boot: u64,
    /// Grows with each ping of a boot.
    pub number: u64,
    /// The witness's, once it is known.
    pub epoch: Option<u64>,
    /// What the box holds now.
    pub holds: Holds,
}

/// From the witness to a box.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Those of the ping.
    pub boot: u64,
    pub number: u64,
    /// Random, drawn at each start of the witness.
    pub epoch: u64,
    /// How long ago the other box was heard, ms, and what it held then.
    pub other: Option<(u64, Holds)>,
}

/// What an answer of the witness comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WitnessWord {
    /// When it heard the peer last, and what the peer held then.
    pub peer: Option<(Instant, Holds)>,
}

impl Ping {
    #[must_use]
    pub fn seal(&self, key: &Key) -> Vec<u8> {
        seal::seal(PING, self, key)
    }

    /// # Errors
    /// Why the bytes are no ping of this pair.
    pub fn open(bytes: &[u8], key: &Key) -> Result<Ping, Error> {
        seal::open(PING, bytes, WITNESS_BYTES_MAX, key)
    }
}

impl Answer {
    #[must_use]
    pub fn seal(&self, key: &Key) -> Vec<u8> {
        seal::seal(ANSWER, self, key)
    }

    /// # Errors
    /// Why the bytes are no answer of this pair's witness.
    pub fn open(bytes: &[u8], key: &Key) -> Result<Answer, Error> {
        seal::open(ANSWER, bytes, WITNESS_BYTES_MAX, key)
    }
}

/// The third host.
pub struct Witness {
    epoch: u64,
    boxes: [Heard; 2],
}

#[derive(Default)]
struct Heard {
    last: Option<(Instant, Holds)>,
    boot: u64,
    number: u64,
    retired: VecDeque<u64>,
}

impl Witness {
    /// `epoch` is random and new at each start.
    #[must_use]
    pub fn new(epoch: u64) -> Witness {
        Witness { epoch, boxes: Default::default() }
    }

    /// What to answer. A ping that is old or does not know the epoch yet is answered and proves nothing.
    pub fn hear(&mut self, now: Instant, ping: &Ping) -> Answer {
        if ping.epoch == Some(self.epoch) {
            self.boxes[ping.side as usize].take(now, ping);
        }
        let other = self.boxes[ping.side.other() as usize].last.map(|(at, holds)| {
            let ago = now.saturating_duration_since(at).as_millis();
            (u64::try_from(ago).unwrap_or(u64::MAX), holds)
        });
        Answer { boot: ping.boot, number: ping.number, epoch: self.epoch, other }
    }
}

impl Heard {
    fn take(&mut self, now: Instant, ping: &Ping) {
        if self.retired.contains(&ping.boot) {
            return;
        }
        if self.last.is_some() && ping.boot != self.boot {
            self.retired.push_back(self.boot);
            if self.retired.len() > RETIRED_BOOTS_MAX {
                self.retired.pop_front();
            }
            self.number = 0;
        }
        if ping.number <= self.number {
            return;
        }
        (self.boot, self.number) = (ping.boot, ping.number);
        self.last = Some((now, ping.holds));
    }
}

/// A box that asks.
pub struct Asker {
    side: Side,
    boot: u64,
    number: u64,
    epoch: Option<u64>,
    /// Pings of the last second.
    asked: VecDeque<(u64, Instant)>,
}

impl Asker {
    #[must_use]
    pub fn new(side: Side, boot: u64) -> Asker {
        Asker { side, boot, number: 0, epoch: None, asked: VecDeque::new() }
    }

    /// The next ping.
    pub fn ask(&mut self, now: Instant, holds: Holds) -> Ping {
        self.number += 1;
        let old = |at: Instant| now.saturating_duration_since(at) >= WITNESS_SILENT;
        while self.asked.front().is_some_and(|(_, at)| old(*at)) {
            self.asked.pop_front();
        }
        self.asked.push_back((self.number, now));
        Ping { side: self.side, boot: self.boot, number: self.number, epoch: self.epoch, holds }
    }

    /// `None` when the answer is none to a ping of the last second.
    pub fn answered(&mut self, answer: &Answer) -> Option<WitnessWord> {
        let known = self.asked.iter().position(|(number, _)| *number == answer.number);
        let (_, at) = *self.asked.get(known.filter(|_| answer.boot == self.boot)?)?;
        self.asked.drain(..=known?);
        self.epoch = Some(answer.epoch);
        // Counted from when this box asked, so the peer is never taken for fresher than it is.
        let peer = answer.other.and_then(|(ago_ms, holds)| {
            Some((at.checked_sub(Duration::from_millis(ago_ms))?, holds))
        });
        Some(WitnessWord { peer })
    }
}

/// What a box knows by its witness.
#[derive(Default)]
pub(crate) struct Known {
    heard_at: Option<Instant>,
    peer: Option<(Instant, Holds)>,
    /// The silent peer was found to live elsewhere.
    elsewhere: bool,
}

impl Known {
    pub(crate) fn hear(&mut self, now: Instant, word: WitnessWord) {
        self.heard_at = Some(now);
        self.peer = word.peer.or(self.peer);
    }

    /// It answers now.
    pub(crate) fn answers(&self, now: Instant) -> bool {
        self.heard_at.is_some_and(|at| now.saturating_duration_since(at) < WITNESS_SILENT)
    }

    pub(crate) fn elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// The peer is silent here since `silent_since` (`None`: was never heard), or it is not silent.
    /// Its last ping may be a little younger than its last heartbeat: only one that came well after
    /// that shows that it lives.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        peer: crate::Side,
        silent: bool,
        silent_since: Option<Instant>,
        dead_after: Duration,
    ) {
        let patience = if self.elsewhere { WITNESS_HOLD } else { dead_after };
        self.elsewhere = silent
            && self.peer.is_some_and(|(at, holds)| {
                let after = silent_since.is_none_or(|since| at > since + dead_after / 2);
                holds.has(peer) && after && now.saturating_duration_since(at) < patience
            });
    }
}

/// The first byte of a ping, and of an answer: neither is ever taken for the other.
const PING: u8 = 1;
const ANSWER: u8 = 129;

#[cfg(test)]
mod tests {
    use super::*;

    const A_HOLDS: Holds = Holds { a: true, b: false };

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn origin() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn each_box_hears_of_the_other() {
        let origin = origin();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut witness = Witness::new(77);
        let mut a = Asker::new(Side::A, 1);
        let mut b = Asker::new(Side::B, 2);
        // The first round tells the epoch only.
        for asker in [&mut a, &mut b] {
            let answer = witness.hear(at(0), &asker.ask(at(0), A_HOLDS));
            assert_eq!(asker.answered(&answer), Some(WitnessWord { peer: None }));
        }
        witness.hear(at(100), &a.ask(at(100), A_HOLDS));
        let ping = b.ask(at(150), Holds::default());
        let answer = witness.hear(at(151), &ping);
        let word = b.answered(&answer).unwrap();
        assert_eq!(word.peer, Some((at(99), A_HOLDS)), "51 ms before it was asked for");
        assert_eq!(b.answered(&answer), None, "an answer counts once");
    }

    #[test]
    fn what_is_recorded_and_sent_again_proves_nothing() {
        let origin = origin();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut witness = Witness::new(77);
        let mut a = Asker::new(Side::A, 1);
        let answer = witness.hear(at(0), &a.ask(at(0), A_HOLDS));
        a.answered(&answer);
        let recorded = a.ask(at(100), A_HOLDS);
        witness.hear(at(100), &recorded);
        let mut again = Asker::new(Side::A, 3);
        let answer = witness.hear(at(200), &again.ask(at(200), A_HOLDS));
        again.answered(&answer);
        witness.hear(at(300), &again.ask(at(300), A_HOLDS));
        let last = |witness: &mut Witness, ms| {
            let ping = Ping { side: Side::B, boot: 9, number: 1, epoch: None, holds: A_HOLDS };
            witness.hear(at(ms), &ping).other.unwrap().0
        };
        witness.hear(at(900), &recorded);
        assert_eq!(last(&mut witness, 1_000), 700, "an old boot");
        let other_start = Ping { epoch: Some(76), boot: 5, ..recorded };
        witness.hear(at(1_100), &other_start);
        assert_eq!(last(&mut witness, 1_100), 800, "another start of the witness");
        let answer = witness.hear(at(1_200), &again.ask(at(1_200), A_HOLDS));
        again.ask(at(2_300), A_HOLDS);
        assert_eq!(again.answered(&answer), None, "an answer that was held back");
    }

    #[test]
    fn golden_bytes_of_version_1() {
        let key = Key::new([9; 32]);
        let hex =
            |bytes: Vec<u8>| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        let ping = Ping { side: Side::B, boot: 300, number: 7, epoch: Some(5), holds: A_HOLDS };
        let answer = Answer { boot: 300, number: 7, epoch: 5, other: Some((40, A_HOLDS)) };
        assert_eq!(Ping::open(&ping.seal(&key), &key), Ok(ping));
        assert_eq!(Answer::open(&answer.seal(&key), &key), Ok(answer));
        assert_eq!(hex(ping.seal(&key)), "0101ac020701050100547d987120c957d2412f0b2b16f78d43");
        assert_eq!(hex(answer.seal(&key)), "81ac020705012801008c15128e953d297ae68601f26d933564");
    }
}
