//! When may bytes of a message go? When nobody can ever ask for them again, at either box.
//!
//! The index of this box says that every entry with them is expunged. That is not enough: the peer may
//! have copied the message when it did not know yet, or a wish to copy it may be under way. So the two
//! boxes agree first:
//!
//! 1. This box notes what is committed here, V, waits until it has applied that, and then until every wish
//!    that waited at that moment is settled. It asks the peer, which does the same and answers with its own
//!    V, *behind every record that it holds by then*.
//! 2. Once both is done, each writer's lesser count is `both`, and `from_end` is the end of this box's log.
//! 3. When index and users hold everything below `from_end` durably, a body is dead if all its entries are
//!    expunged by records within `both`.
//!
//! Why nothing can bring such a body back, whatever the view is and becomes:
//!
//! | a placement of it that | is |
//! |---|---|
//! | the peer wrote before it answered | in this box's log below `from_end`, so counted as living |
//! | this box wrote before the agreement | likewise |
//! | either box writes later, for a wish made later | refused: whoever orders has applied `both` and sees a dead body (`Applied::is_dead`); a client makes such a wish only at a box that serves, and a box serves only after it has applied all that it held |
//! | ... for a wish made before, still under way | none is: both waited for that; and whoever asks again in a new session looks again |
//! | a box writes after a restart, its index still behind | no wish outlives a restart; one of the other box was looked at there when it was asked |
//! | an old copy of a disk writes | such a box serves only after it has joined, as a blank one |
//! | is the same entry's again | no new life: an expunge is for ever |
//!
//! A delivery to several accounts is one body with a wish for each: none of them may be half placed,
//! which is what the waiting for wishes is for. Bytes that no entry names are kept.

use std::collections::{BTreeMap, BTreeSet};

use record::{RequestId, Vector};
use replica::Message;

use crate::core::Answer;

/// What both boxes know for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// Applied at both boxes, with no older wish under way.
    pub both: Vector,
    /// Judge only when everything below this position is applied, durably.
    pub from_end: u64,
}

/// The wishes of this box's clients that wait.
pub(crate) type Waiting = BTreeMap<RequestId, Answer>;

/// Both sides of the conversation, in one session.
#[derive(Default)]
pub(crate) struct Talk {
    own: Option<Own>,
    /// The peer has asked.
    peers: Option<Moment>,
}

struct Own {
    moment: Moment,
    settled: bool,
    told: Option<Vector>,
}

/// What was committed at one moment, on its way to being known for good.
struct Moment {
    committed: u64,
    vector: Vector,
    /// Those that waited when all of that was applied, and wait still.
    wishes: Option<BTreeSet<RequestId>>,
}

impl Moment {
    fn new(committed: u64, vector: &Vector) -> Moment {
        Moment { committed, vector: vector.clone(), wishes: None }
    }

    fn is_settled(&mut self, applied: u64, waiting: &Waiting) -> bool {
        if applied < self.committed {
            return false;
        }
        let wishes = self.wishes.get_or_insert_with(|| waiting.keys().copied().collect());
        wishes.retain(|wish| waiting.contains_key(wish));
        wishes.is_empty()
    }
}

impl Talk {
    /// This box wishes to know; the message goes to the peer.
    pub fn begin(&mut self, committed: u64, vector: &Vector) -> Message {
        self.own = Some(Own { moment: Moment::new(committed, vector), settled: false, told: None });
        Message::AskApplied
    }

    pub fn peer_asks(&mut self, committed: u64, vector: &Vector) {
        self.peers = Some(Moment::new(committed, vector));
    }

    pub fn peer_tells(&mut self, vector: Vector) {
        if let Some(own) = &mut self.own {
            own.told = Some(vector);
        }
    }

    pub fn session_over(&mut self) {
        *self = Talk::default();
    }

    /// The answer to the peer, when it is due: to be sent behind all that is in the log.
    pub fn answer(&mut self, applied: u64, waiting: &Waiting) -> Option<Message> {
        if !self.peers.as_mut()?.is_settled(applied, waiting) {
            return None;
        }
        self.peers.take().map(|moment| Message::Applied(moment.vector))
    }

    /// The agreement, once it is there. `end` is the end of the log now.
    pub fn agreed(&mut self, applied: u64, waiting: &Waiting, end: u64) -> Option<Agreed> {
        let own = self.own.as_mut()?;
        own.settled = own.settled || own.moment.is_settled(applied, waiting);
        if !own.settled || own.told.is_none() {
            return None;
        }
        let own = self.own.take()?;
        let both = lesser(&own.moment.vector, &own.told?);
        Some(Agreed { both, from_end: end })
    }
}

fn lesser(a: &Vector, b: &Vector) -> Vector {
    a.iter().filter_map(|(writer, count)| Some((*writer, *b.get(writer)?.min(count)))).collect()
}

#[cfg(test)]
mod tests {
    use record::{Side, Writer};

    use super::*;

    fn vector(a: u64, b: u64) -> Vector {
        let writer = |side| Writer { side, incarnation: 1 };
        [(writer(Side::A), a), (writer(Side::B), b)].into()
    }

    fn waiting(wishes: &[u128]) -> Waiting {
        wishes.iter().map(|wish| (RequestId(*wish), Answer::AtApply)).collect()
    }

    #[test]
    fn an_agreement_waits_for_both_boxes() {
        let mut talk = Talk::default();
        assert_eq!(talk.begin(10, &vector(5, 5)), Message::AskApplied);
        assert_eq!(talk.agreed(9, &waiting(&[]), 20), None, "not applied");
        assert_eq!(talk.agreed(10, &waiting(&[1]), 20), None, "a wish waits");
        talk.peer_tells(vector(6, 4));
        assert_eq!(talk.agreed(11, &waiting(&[1, 2]), 21), None, "it waits still");
        let agreed = Agreed { both: vector(5, 4), from_end: 22 };
        assert_eq!(talk.agreed(11, &waiting(&[2]), 22), Some(agreed), "later wishes do not matter");
        assert_eq!(talk.agreed(12, &waiting(&[]), 22), None, "once");
    }

    #[test]
    fn the_peer_is_answered_when_its_moment_is_settled() {
        let mut talk = Talk::default();
        talk.peer_asks(3, &vector(1, 2));
        assert_eq!(talk.answer(2, &waiting(&[])), None);
        assert_eq!(talk.answer(3, &waiting(&[7])), None);
        assert_eq!(talk.answer(9, &waiting(&[8])), Some(Message::Applied(vector(1, 2))));
        assert_eq!(talk.answer(9, &waiting(&[])), None);
    }

    #[test]
    fn a_lost_session_ends_the_talk() {
        let mut talk = Talk::default();
        talk.begin(0, &vector(1, 1));
        talk.peer_asks(0, &vector(1, 1));
        talk.session_over();
        talk.peer_tells(vector(1, 1));
        assert_eq!(talk.answer(9, &waiting(&[])), None);
        assert_eq!(talk.agreed(9, &waiting(&[]), 9), None);
    }
}
