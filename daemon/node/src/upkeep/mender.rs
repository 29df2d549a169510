//! Damaged records of this box, from being found to being mended.
//!
//! | stage | ends when |
//! |---|---|
//! | waits | there is a session, and few are asked for: the peer is asked, lower positions first |
//! | asked | the peer answers, or the session is over (waits again) |
//! | being mended | the log says how it went |
//! | put off | the peer cannot give it, or what it gave does not fit: after [`MEND_RETRY`] it waits again |
//!
//! A record that is put off is damaged at both boxes, or reclaimed at neither and too long to send: the
//! alarm stays, and with it the record.

use std::collections::BTreeMap;
use std::time::Instant;

use journal::Damaged;
use record::Address;
use replica::Message;

use crate::limits::{MEND_ASKED_MAX, MEND_KNOWN_MAX, MEND_RETRY};

/// How the damaged records are, for the status page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Damage {
    /// Cannot be read at present.
    pub damaged: u64,
    /// Of those, the peer could not help, so far.
    pub put_off: u64,
    /// Were mended since the start.
    pub mended: u64,
}

#[derive(Default)]
pub(crate) struct Mender {
    /// By position.
    rows: BTreeMap<u64, Row>,
    mended: u64,
}

struct Row {
    lost: Damaged,
    first: Address,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waits,
    Asked,
    BeingMended,
    PutOff { since: Instant },
}

impl Mender {
    /// What nobody knows the writer of needs no mending: the log does not count it as held, and the peer
    /// sends it again.
    pub fn found(&mut self, found: impl IntoIterator<Item = Damaged>) {
        for lost in found {
            let Some(first) = lost.address else { continue };
            if self.rows.len() >= MEND_KNOWN_MAX {
                // Found again when these are mended.
                return;
            }
            let position = lost.position.0;
            self.rows.entry(position).or_insert_with(|| {
                tracing::error!(position, ?first, "a record is damaged on this disk");
                Row { lost, first, stage: Stage::Waits }
            });
        }
    }

    pub fn session_over(&mut self) {
        for row in self.rows.values_mut().filter(|row| row.stage == Stage::Asked) {
            row.stage = Stage::Waits;
        }
    }

    /// What the peer is to be asked for now, in a session.
    pub fn ask(&mut self, now: Instant) -> Vec<Message> {
        let asked = self.rows.values().filter(|row| row.stage == Stage::Asked).count();
        let mut left = MEND_ASKED_MAX.saturating_sub(asked);
        let mut out = Vec::new();
        for row in self.rows.values_mut() {
            if left == 0 {
                break;
            }
            let due = match row.stage {
                Stage::Waits => true,
                Stage::PutOff { since } => now.saturating_duration_since(since) >= MEND_RETRY,
                Stage::Asked | Stage::BeingMended => false,
            };
            if due {
                row.stage = Stage::Asked;
                out.push(Message::AskFrames { first: row.first, records: row.lost.records });
                left -= 1;
            }
        }
        out
    }

    /// The peer's answer; what is to be handed to the log.
    pub fn answered(
        &mut self,
        now: Instant,
        first: Address,
        frames: &[Vec<u8>],
    ) -> Option<Damaged> {
        let mut asked = self.rows.values_mut();
        let row = asked.find(|row| row.first == first && row.stage == Stage::Asked)?;
        if frames.is_empty() {
            tracing::error!(?first, "the peer cannot give a record that is damaged here");
            row.stage = Stage::PutOff { since: now };
            return None;
        }
        row.stage = Stage::BeingMended;
        Some(row.lost)
    }

    /// How the log took it.
    pub fn mended(&mut self, now: Instant, position: u64, done: bool) {
        let Some(row) = self.rows.get_mut(&position) else { return };
        if !done {
            row.stage = Stage::PutOff { since: now };
            return;
        }
        let first = row.first;
        tracing::info!(position, ?first, "a damaged record is mended");
        self.rows.remove(&position);
        self.mended += 1;
        // Of damaged neighbours the later cannot be mended before the earlier.
        let put_off = |row: &&mut Row| {
            row.first.writer == first.writer && matches!(row.stage, Stage::PutOff { .. })
        };
        self.rows.values_mut().filter(put_off).for_each(|row| row.stage = Stage::Waits);
    }

    /// The record before a damaged one, which may have to be mended first.
    pub fn before(&self, position: u64) -> Option<Address> {
        let first = self.rows.get(&position)?.first;
        Some(Address { index: first.index.checked_sub(1)?, ..first })
    }

    /// Positions of those that the peer could not help with.
    pub fn put_off(&self) -> impl Iterator<Item = u64> {
        let rows = self.rows.iter();
        rows.filter(|(_, row)| matches!(row.stage, Stage::PutOff { .. })).map(|(at, _)| *at)
    }

    pub fn damage(&self) -> Damage {
        Damage {
            damaged: self.rows.len() as u64,
            put_off: self.put_off().count() as u64,
            mended: self.mended,
        }
    }
}

#[cfg(test)]
mod tests {
    use journal::Position;
    use record::{Side, Writer};

    use super::*;

    fn lost(at: u64) -> Damaged {
        let writer = Writer { side: Side::A, incarnation: 1 };
        let address = Some(Address { writer, index: at });
        Damaged { position: Position(at), address, records: 1 }
    }

    fn asks(mender: &mut Mender, now: Instant) -> Vec<u64> {
        let asked = mender.ask(now).into_iter().map(|message| match message {
            Message::AskFrames { first, .. } => first.index,
            other => panic!("{other:?}"),
        });
        asked.collect()
    }

    fn first(at: u64) -> Address {
        lost(at).address.unwrap()
    }

    #[test]
    fn what_is_found_is_asked_for_once_and_mended() {
        let (mut mender, now) = (Mender::default(), Instant::now());
        mender.found([lost(5), lost(3), lost(5)]);
        assert_eq!(asks(&mut mender, now), [3, 5]);
        assert_eq!(asks(&mut mender, now), [0; 0]);
        assert_eq!(mender.answered(now, first(3), &[vec![1]]), Some(lost(3)));
        assert_eq!(mender.answered(now, first(4), &[vec![1]]), None, "not asked for");
        mender.mended(now, 3, true);
        assert_eq!(mender.damage(), Damage { damaged: 1, put_off: 0, mended: 1 });
        mender.session_over();
        assert_eq!(asks(&mut mender, now), [5]);
    }

    #[test]
    fn what_the_peer_lacks_is_asked_for_later() {
        let (mut mender, now) = (Mender::default(), Instant::now());
        mender.found([lost(1)]);
        assert_eq!(asks(&mut mender, now), [1]);
        assert_eq!(mender.answered(now, first(1), &[]), None);
        assert_eq!(mender.damage().put_off, 1);
        assert_eq!(asks(&mut mender, now), [0; 0]);
        assert_eq!(asks(&mut mender, now + MEND_RETRY), [1]);
        assert!(mender.answered(now, first(1), &[vec![1]]).is_some());
        mender.mended(now, 1, false);
        assert_eq!(mender.damage(), Damage { damaged: 1, put_off: 1, mended: 0 });
    }

    #[test]
    fn of_damaged_neighbours_the_later_is_tried_again_after_the_earlier() {
        let (mut mender, now) = (Mender::default(), Instant::now());
        mender.found([lost(5)]);
        assert_eq!(asks(&mut mender, now), [5]);
        assert!(mender.answered(now, first(5), &[vec![1]]).is_some());
        mender.mended(now, 5, false);
        assert_eq!(mender.before(5), Some(first(4)));
        mender.found([lost(4)]);
        assert_eq!(asks(&mut mender, now), [4]);
        assert!(mender.answered(now, first(4), &[vec![1]]).is_some());
        mender.mended(now, 4, true);
        assert_eq!(asks(&mut mender, now), [5]);
    }

    #[test]
    fn only_so_much_is_asked_for_at_a_time() {
        let (mut mender, now) = (Mender::default(), Instant::now());
        mender.found((0..10 * MEND_ASKED_MAX as u64).map(lost));
        assert_eq!(asks(&mut mender, now).len(), MEND_ASKED_MAX);
        assert!(asks(&mut mender, now).is_empty());
    }
}
