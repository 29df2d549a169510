//! Do the peer's syncs make progress? Only its disk may be blamed when they do not, so no time counts in
//! which the link could not have told of one:
//!
//! | time that does not count | why |
//! |---|---|
//! | no session, or a join | nothing is streamed as in `both` |
//! | the link's cable is not heard both ways | the peer's word cannot come in; after `session_wait` the session counts as lost |
//! | the link has moved to another cable, until its new session (at most `session_wait`) | likewise |
//! | between two looks, what is longer than [`LOOKS_APART_MAX`] | this box was too slow to look |
//!
//! While the link's cable loses much and there is no better one, TCP may wait for seconds for what is lost:
//! then the patience is that for a lost session.

use std::time::{Duration, Instant};

use crate::Failover;
use crate::limits::LOOKS_APART_MAX;

/// What is known of the peer's syncs, look by look.
#[derive(Default)]
pub(crate) struct Syncs {
    synced: u64,
    /// Something has waited without progress since then, less what does not count.
    since: Option<Instant>,
    looked: Option<Instant>,
    /// When more was last found to be synced.
    progressed: Option<Instant>,
    /// The link has moved and has no session there yet.
    moved: Option<Instant>,
}

impl Syncs {
    pub(crate) fn hear(&mut self, now: Instant, waiting: bool, synced: u64) {
        self.skip_what_was_not_seen(now);
        if !waiting {
            self.since = None;
        } else if synced != self.synced || self.since.is_none() {
            self.since = Some(now);
        }
        if synced != self.synced {
            self.progressed = Some(now);
        }
        self.synced = synced;
        self.looked = Some(now);
    }

    fn skip_what_was_not_seen(&mut self, now: Instant) {
        let Some(looked) = self.looked else { return };
        let unseen = now.saturating_duration_since(looked + LOOKS_APART_MAX);
        self.since = self.since.map(|since| (since + unseen).min(now));
    }

    pub(crate) fn link_moves(&mut self, now: Instant) {
        self.moved = Some(now);
        self.since = None;
    }

    /// For so long the peer has synced nothing of what waits for it, as far as this box could see.
    pub(crate) fn stuck_for(&self, now: Instant) -> Duration {
        let seen_until = self.looked.map_or(now, |looked| now.min(looked + LOOKS_APART_MAX));
        self.since.map_or(Duration::ZERO, |since| seen_until.saturating_duration_since(since))
    }

    pub(crate) fn shift(&mut self, paused_for: Duration, now: Instant) {
        for at in [&mut self.since, &mut self.looked, &mut self.progressed, &mut self.moved] {
            *at = at.map(|at| (at + paused_for).min(now));
        }
    }
}

impl Failover {
    pub(crate) fn watch_syncs(&mut self, now: Instant) {
        let works = self.peer.path_works(self.link.path(), now);
        // TCP does not notice a cut cable for minutes. A session that brings something all the same is none that is
        // lost.
        let since = (!works).then(|| self.view.no_path_since.unwrap_or(now));
        self.view.no_path_since = since.max(self.view.syncs.progressed.filter(|_| !works));
        let no_session = self.view.session_lost.is_some();
        let syncs = &mut self.view.syncs;
        let on_its_way = |moved| now.saturating_duration_since(moved) < self.config.session_wait;
        syncs.moved = syncs.moved.filter(|moved| on_its_way(*moved));
        if syncs.moved.is_some() || no_session || !works {
            syncs.since = None;
        }
    }

    /// So long the peer's syncs may stand still before it is taken for stuck.
    pub(crate) fn stuck_after(&self) -> Duration {
        let clean = self.peer.path_clean(self.link.path());
        if clean { self.config.commit_wait } else { self.config.session_wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn time_without_progress_counts_and_progress_begins_anew() {
        let origin = origin();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut syncs = Syncs::default();
        for ms in (0..=500).step_by(50) {
            syncs.hear(at(ms), true, 7);
        }
        assert_eq!(syncs.stuck_for(at(520)), Duration::from_millis(520));
        syncs.hear(at(550), true, 8);
        assert_eq!(syncs.stuck_for(at(560)), Duration::from_millis(10));
        syncs.hear(at(600), false, 8);
        assert_eq!(syncs.stuck_for(at(2_000)), Duration::ZERO);
    }

    #[test]
    fn a_box_that_does_not_get_to_look_blames_nobody() {
        let origin = origin();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut syncs = Syncs::default();
        syncs.hear(at(0), true, 7);
        assert_eq!(syncs.stuck_for(at(5_000)), LOOKS_APART_MAX, "nothing was seen since");
        syncs.hear(at(5_000), true, 7);
        assert_eq!(syncs.stuck_for(at(5_000)), LOOKS_APART_MAX);
        syncs.hear(at(5_100), true, 7);
        assert_eq!(syncs.stuck_for(at(5_100)), LOOKS_APART_MAX + Duration::from_millis(100));
    }
}
