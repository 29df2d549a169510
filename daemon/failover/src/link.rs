//! On which cable the replication link is to run: the crossover, or the LAN while the crossover is silent
//! or loses much and the LAN does not. Going back takes 5 s of unbroken heartbeats, so a loose plug does
//! not make the link jump. Side a chooses and side b follows while it hears a: two opinions would make no link.

use std::time::Instant;

use crate::beat::Listener;
use crate::limits::{CROSSOVER_SETTLE, LAN_ONLY_SETTLE};
use crate::{EventKind, Failover, Output, Path, Side, Standing, words};

/// The present choice.
#[derive(Default)]
pub(crate) struct LinkChoice {
    pub own_listener: Option<Listener>,
    pub over_lan: bool,
    /// Since when the LAN works and the crossover does not.
    lan_only_since: Option<Instant>,
    /// When the crossover last lost much.
    lossy_at: Option<Instant>,
}

impl LinkChoice {
    pub(crate) fn path(&self) -> Path {
        if self.over_lan { Path::Lan } else { Path::Crossover }
    }
}

impl Failover {
    pub(crate) fn choose_link(&mut self, now: Instant) {
        let silent = self.peer.silent(now, self.config.dead_after);
        let over_lan = match self.peer.facts() {
            Some(facts) if self.config.side == Side::B && !silent => facts.link_over_lan,
            _ => self.choose(now),
        };
        if over_lan != self.link.over_lan {
            let (what, why) = if over_lan { words::LINK_TO_LAN } else { words::LINK_BACK };
            self.link.over_lan = over_lan;
            self.view.syncs.link_moves(now);
            self.emit(Output::Link(self.link.path()));
            self.event(EventKind::LinkMoved, what, why);
        }
    }

    /// Whether a session may come about. A box that writes nothing could not join, and would be left
    /// behind again at once.
    #[must_use]
    pub fn may_join(&self) -> bool {
        let both_write = self.stores() && self.peer.stores();
        both_write || self.view.standing == Standing::Both
    }

    /// This box takes what is replicated to it. While it is in no view that is asked more strictly: from
    /// the end of a join on, the peer's clients wait for this box's disk.
    pub(crate) fn stores(&self) -> bool {
        let lags = self.view.disk_lags && self.view.standing == Standing::Outside;
        self.health.stores() && !lags
    }

    fn choose(&mut self, now: Instant) -> bool {
        let works = |path| self.peer.path_works(path, now);
        let clean = |path| self.peer.path_clean(path);
        let lan = works(Path::Lan);
        // A lossy crossover is as good as none while the LAN is clean.
        let lossy = lan && clean(Path::Lan) && !clean(Path::Crossover);
        let crossover = works(Path::Crossover) && !lossy;
        if lossy {
            self.link.lossy_at = Some(now);
        }
        if crossover || !lan {
            self.link.lan_only_since = None;
            return self.link.over_lan && !(crossover && (!lan || self.crossover_settled(now)));
        }
        let since = *self.link.lan_only_since.get_or_insert(now);
        self.link.over_lan
            || self.peer.path(Path::Crossover).carrier_down
            || now.saturating_duration_since(since) >= LAN_ONLY_SETTLE
    }

    fn crossover_settled(&self, now: Instant) -> bool {
        let long = |since: Instant| now.saturating_duration_since(since) >= CROSSOVER_SETTLE;
        let heard = self.peer.path(Path::Crossover).heard_since;
        heard.is_some_and(long) && self.link.lossy_at.is_none_or(long)
    }
}
