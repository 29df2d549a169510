//! What is known of the other box, and from when.
//!
//! A heartbeat is taken when its sequence is new for the present boot of the peer. Another boot id takes
//! over when its heartbeat proves that it is alive now (it names this box's own boot), or when the
//! present one has been silent for `dead_after`; the old id never comes back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::beat::{Beat, Echo, Facts, PathSet};
use crate::limits::{LATELY, LOSS_WINDOW, LOST_LATELY_MAX, PATH_SILENT, RETIRED_BOOTS_MAX};
use crate::{Path, Side, Standing};

/// The other box as it was last heard.
pub struct Peer {
    side: Side,
    own_boot: u64,
    boot: Option<u64>,
    retired: VecDeque<u64>,
    facts: Option<Facts>,
    facts_sequence: u64,
    paths: [PathState; 3],
    unhealthy_since: Option<Instant>,
}

/// One path, as far as the peer is heard on it.
#[derive(Clone, Copy, Default, Debug)]
pub struct PathState {
    /// No word yet counts as up.
    pub carrier_down: bool,
    pub heard_at: Option<Instant>,
    /// Heard without a break since then.
    pub heard_since: Option<Instant>,
    /// µs, smoothed over some eight heartbeats.
    pub round_trip_us: Option<u64>,
    sequence: u64,
    sent_us: u64,
    /// This box's clock when it was heard, µs.
    heard_us: u64,
    /// Which of the newest sequences came in on this path: bit 0 is `sequence` itself.
    came: u128,
    /// How many sequences `came` speaks of.
    counted: u32,
    /// The first sequence of `heard_since`.
    unbroken_from: u64,
}

impl PathState {
    fn came(&mut self, sequence: u64) {
        let newer = u32::try_from(sequence - self.sequence).unwrap_or(u32::MAX);
        // The first one of a boot: what was sent before this box listened is not lost.
        let newer = if self.counted == 0 { 1 } else { newer };
        self.came = self.came.checked_shl(newer).unwrap_or(0) | 1;
        self.counted = self.counted.saturating_add(newer).min(LOSS_WINDOW);
        self.sequence = sequence;
    }

    /// Overtaken on its way: it says nothing new, but it is not lost.
    fn came_late(&mut self, sequence: u64) {
        let behind = self.sequence - sequence;
        if behind < u64::from(self.counted) {
            self.came |= 1 << behind;
        }
    }

    fn echoed(&mut self, round_trip_us: u64) {
        self.round_trip_us = Some(match self.round_trip_us {
            Some(known) => known - known / 8 + round_trip_us / 8,
            None => round_trip_us,
        });
    }
}

/// What a heartbeat turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Old, replayed, or not the peer's.
    Nothing,
    Beat,
    /// The first of another boot.
    NewBoot,
}

impl Peer {
    pub(crate) fn new(side: Side, own_boot: u64) -> Peer {
        Peer {
            side,
            own_boot,
            boot: None,
            retired: VecDeque::new(),
            facts: None,
            facts_sequence: 0,
            paths: [PathState::default(); 3],
            unhealthy_since: None,
        }
    }

    pub(crate) fn hear(
        &mut self,
        now: Instant,
        now_us: u64,
        path: Path,
        beat: &Beat,
        dead_after: Duration,
    ) -> Heard {
        if beat.side != self.side || beat.path != path || self.retired.contains(&beat.boot) {
            return Heard::Nothing;
        }
        let new_boot = self.boot != Some(beat.boot);
        // The first boot that is heard of is no restart.
        let restarted = new_boot && self.boot.is_some();
        if new_boot {
            let proven = beat.facts.hears == Some(self.own_boot);
            if self.boot.is_some() && !proven && !self.silent(now, dead_after) {
                return Heard::Nothing;
            }
            self.retire(beat.boot);
        }
        let state = &mut self.paths[path as usize];
        if beat.sequence <= state.sequence {
            state.came_late(beat.sequence);
            return Heard::Nothing;
        }
        state.came(beat.sequence);
        if state.heard_at.is_none_or(|at| now.saturating_duration_since(at) >= PATH_SILENT) {
            state.heard_since = Some(now);
            state.unbroken_from = beat.sequence;
        }
        state.sent_us = beat.sent_us;
        state.heard_at = Some(now);
        state.heard_us = now_us;
        if let Some(echo) = beat.echo {
            state.echoed(now_us.saturating_sub(echo.sent_us.saturating_add(echo.held_us)));
        }
        if beat.sequence > self.facts_sequence {
            self.facts_sequence = beat.sequence;
            self.take_facts(now, &beat.facts);
        }
        if restarted { Heard::NewBoot } else { Heard::Beat }
    }

    fn retire(&mut self, successor: u64) {
        if let Some(old) = self.boot.replace(successor) {
            self.retired.push_back(old);
            if self.retired.len() > RETIRED_BOOTS_MAX {
                self.retired.pop_front();
            }
        }
        self.facts_sequence = 0;
        self.unhealthy_since = None;
        for state in &mut self.paths {
            (state.sequence, state.came, state.counted) = (0, 0, 0);
            state.unbroken_from = 0;
        }
    }

    fn take_facts(&mut self, now: Instant, facts: &Facts) {
        if facts.stores {
            self.unhealthy_since = None;
        } else if self.unhealthy_since.is_none() {
            self.unhealthy_since = Some(now);
        }
        self.facts = Some(facts.clone());
    }

    pub(crate) fn carrier(&mut self, path: Path, up: bool) {
        let state = &mut self.paths[path as usize];
        state.carrier_down = !up;
        if !up {
            state.heard_since = None;
        }
    }

    /// When it was last heard, on whatever path.
    #[must_use]
    pub fn heard_at(&self) -> Option<Instant> {
        self.paths.iter().filter_map(|path| path.heard_at).max()
    }

    /// Silent on all paths. A lost carrier needs no word of its own: nothing is heard there any more.
    #[must_use]
    pub fn silent(&self, now: Instant, dead_after: Duration) -> bool {
        self.heard_at().is_none_or(|at| now.saturating_duration_since(at) >= dead_after)
    }

    /// What it last said, however long ago.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        self.facts.as_ref().map_or(Standing::Outside, |facts| facts.standing)
    }

    /// It has said for that long that it takes nothing that is replicated to it.
    #[must_use]
    pub fn unhealthy_for(&self, now: Instant) -> Option<Duration> {
        self.unhealthy_since.map(|since| now.saturating_duration_since(since))
    }

    /// It says that it hears this box, in this boot.
    #[must_use]
    pub fn hears_us(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.hears == Some(self.own_boot))
    }

    /// Whether its heartbeats come in on this path now.
    #[must_use]
    pub fn heard_on(&self, path: Path, now: Instant) -> bool {
        let state = &self.paths[path as usize];
        !state.carrier_down
            && state.heard_at.is_some_and(|at| now.saturating_duration_since(at) < PATH_SILENT)
    }

    /// Whether both directions of this path work now.
    #[must_use]
    pub fn path_works(&self, path: Path, now: Instant) -> bool {
        self.heard_on(path, now)
            && self.facts.as_ref().is_some_and(|facts| facts.hears_on.has(path))
    }

    #[must_use]
    pub fn path(&self, path: Path) -> &PathState {
        &self.paths[path as usize]
    }

    pub(crate) fn boot_heard(&self, now: Instant, dead_after: Duration) -> Option<u64> {
        if self.silent(now, dead_after) { None } else { self.boot }
    }

    pub(crate) fn paths_heard(&self, now: Instant) -> PathSet {
        PathSet {
            crossover: self.heard_on(Path::Crossover, now),
            lan: self.heard_on(Path::Lan, now),
            serial: self.heard_on(Path::Serial, now),
        }
    }

    pub(crate) fn echo(&self, path: Path, now_us: u64) -> Option<Echo> {
        let state = &self.paths[path as usize];
        state.heard_at?;
        Some(Echo { sent_us: state.sent_us, held_us: now_us.saturating_sub(state.heard_us) })
    }

    /// Of the newest [`LOSS_WINDOW`] heartbeats that the peer sent on this path so many of 100 did not
    /// come in; `None` before the first. What the other paths brought tells what is missing here.
    #[must_use]
    pub fn loss_percent(&self, path: Path) -> Option<u32> {
        let (missing, counted) = self.missing(path, LOSS_WINDOW);
        (self.paths[path as usize].counted > 0).then(|| missing * 100 / counted)
    }

    /// Of the newest `window` heartbeats on this path so many are missing, of so many that are known of.
    fn missing(&self, path: Path, window: u32) -> (u32, u32) {
        let state = &self.paths[path as usize];
        // The newest ones may be on their way.
        let behind = self.facts_sequence.saturating_sub(state.sequence).saturating_sub(2);
        let behind = u32::try_from(behind).unwrap_or(u32::MAX);
        let counted = state.counted.saturating_add(behind).min(window);
        let came = state.came.checked_shl(behind).unwrap_or(0);
        let newest = if window >= u128::BITS { came } else { came & ((1 << window) - 1) };
        (counted - newest.count_ones().min(counted), counted)
    }

    /// Hardly anything was lost lately on these paths, since they are heard without a break.
    #[must_use]
    pub fn clean_paths(&self) -> PathSet {
        let clean = |path| {
            let state = &self.paths[path as usize];
            let newest = self.facts_sequence.max(state.sequence);
            let unbroken = newest.saturating_sub(state.unbroken_from) + 1;
            let window = u32::try_from(unbroken).unwrap_or(u32::MAX).min(LATELY);
            state.counted == 0 || self.missing(path, window).0 < LOST_LATELY_MAX
        };
        PathSet {
            crossover: clean(Path::Crossover),
            lan: clean(Path::Lan),
            serial: clean(Path::Serial),
        }
    }

    /// Both directions of this path are clean.
    #[must_use]
    pub fn path_clean(&self, path: Path) -> bool {
        self.clean_paths().has(path)
            && self.facts.as_ref().is_some_and(|facts| facts.clean_on.has(path))
    }

    /// It takes what is replicated to it, by its last word.
    #[must_use]
    pub fn stores(&self) -> bool {
        self.facts.as_ref().is_none_or(|facts| facts.stores)
    }

    /// This box stood still: the time of the pause did not pass for what it waits for.
    pub(crate) fn shift(&mut self, paused_for: Duration, now: Instant) {
        for state in &mut self.paths {
            for at in [&mut state.heard_at, &mut state.heard_since] {
                *at = at.map(|at| (at + paused_for).min(now));
            }
        }
        self.unhealthy_since = self.unhealthy_since.map(|at| (at + paused_for).min(now));
    }
}
