//! On which cable the replication link is to run: the crossover, or the LAN while the crossover is silent
//! and the LAN is not. Going back takes 5 s of unbroken heartbeats, so a loose plug does not make
//! the link jump.

use std::time::Instant;

use crate::beat::Listener;
use crate::limits::CROSSOVER_SETTLE;
use crate::{Failover, Output, Path};

/// The present choice.
#[derive(Default)]
pub(crate) struct LinkChoice {
    pub own_listener: Option<Listener>,
    over_lan: bool,
}

impl LinkChoice {
    pub(crate) fn path(&self) -> Path {
        if self.over_lan { Path::Lan } else { Path::Crossover }
    }
}

impl Failover {
    pub(crate) fn choose_link(&mut self, now: Instant) {
        let crossover = self.peer.path_works(Path::Crossover, now);
        let lan = self.peer.path_works(Path::Lan, now);
        if !self.link.over_lan && !crossover && lan {
            self.move_link(now, true, "the crossover cable is silent, the LAN is not");
        } else if self.link.over_lan && crossover && (!lan || self.crossover_settled(now)) {
            self.move_link(now, false, "the crossover cable works again");
        }
    }

    fn move_link(&mut self, now: Instant, over_lan: bool, why: &str) {
        self.link.over_lan = over_lan;
        self.view.link_moves(now);
        let path = self.link.path();
        self.emit(Output::Link(path));
        self.event(if over_lan { "The link moves to the LAN" } else { "The link moves back" }, why);
    }

    fn crossover_settled(&self, now: Instant) -> bool {
        let since = self.peer.path(Path::Crossover).heard_since;
        since.is_some_and(|since| now.saturating_duration_since(since) >= CROSSOVER_SETTLE)
    }
}
