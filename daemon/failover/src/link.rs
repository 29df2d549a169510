//! On which cable the replication link is to run: the crossover, or the LAN while the crossover is silent
//! and the LAN is not. Going back takes 5 s of unbroken heartbeats, so a loose plug does not make
//! the link jump. Side a chooses and side b follows while it hears a: two opinions would make no link.

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
            self.view.link_moves(now);
            self.emit(Output::Link(self.link.path()));
            self.event(EventKind::LinkMoved, what, why);
        }
    }

    /// Whether a session may come about. A box that writes nothing could not join, and would be left
    /// behind again at once.
    #[must_use]
    pub fn may_join(&self) -> bool {
        let both_write = self.health.stores() && self.peer.stores();
        both_write || self.view.standing == Standing::Both
    }

    fn choose(&mut self, now: Instant) -> bool {
        let crossover = self.peer.path_works(Path::Crossover, now);
        let lan = self.peer.path_works(Path::Lan, now);
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
        let since = self.peer.path(Path::Crossover).heard_since;
        since.is_some_and(|since| now.saturating_duration_since(since) >= CROSSOVER_SETTLE)
    }
}
