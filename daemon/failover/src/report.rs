//! What people are shown: a picture of the pair as this box knows it, and the alarms.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::beat::{Facts, Listener};
use crate::limits::PATH_SILENT;
use crate::table::Seen;
use crate::{AlarmKind, Failover, Holds, Output, Path, Standing, words};

/// This box's knowledge of the pair at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    pub standing: Standing,
    pub since: Instant,
    /// Clients are served as they should be.
    pub healthy: bool,
    /// Why not; empty when healthy.
    pub trouble: String,
    pub reachable: bool,
    pub willing: bool,
    pub maintenance: bool,
    /// It takes its own address back only when its owner says so.
    pub waits_for_give_back: bool,
    /// Whether the witness answers; `None` without one.
    pub witness: Option<bool>,
    pub holds: Holds,
    pub link: Path,
    /// A session of the link may come about.
    pub may_join: bool,
    pub peer: PeerReport,
}

/// The other box.
#[derive(Clone, Debug)]
pub struct PeerReport {
    pub seen: Seen,
    /// When it was last heard, on whatever path.
    pub heard_at: Option<Instant>,
    /// Its last words about itself.
    pub facts: Option<Facts>,
    pub paths: [PathReport; 3],
    /// How far its wall clock is before this box's, ms.
    pub clock_ahead_ms: Option<i64>,
}

/// One cable.
#[derive(Clone, Copy, Debug)]
pub struct PathReport {
    pub path: Path,
    /// Heartbeats come in now.
    pub up: bool,
    pub carrier: bool,
    pub heard_at: Option<Instant>,
    /// µs, smoothed; the last known one when the path is down.
    pub round_trip_us: Option<u64>,
    /// Of the last [`crate::limits::LOSS_WINDOW`] heartbeats of the peer.
    pub loss_percent: Option<u32>,
}

impl Failover {
    #[must_use]
    pub fn report(&self, now: Instant) -> Report {
        Report {
            standing: self.view.standing,
            since: self.view.since,
            healthy: self.health.well(),
            trouble: self.health.trouble().to_owned(),
            reachable: self.reach.settled(),
            willing: self.rest.willing(),
            maintenance: self.rest.maintenance,
            waits_for_give_back: self.rest.waits(),
            witness: self.config.has_witness.then(|| self.witness.answers(now)),
            holds: self.addresses.held,
            link: self.link.path(),
            may_join: self.may_join(),
            peer: PeerReport {
                seen: self.seen(now),
                heard_at: self.peer.heard_at(),
                facts: self.peer.facts().cloned(),
                clock_ahead_ms: self.wall.peer_ahead_ms(),
                paths: Path::ALL.map(|path| PathReport {
                    path,
                    up: self.peer.heard_on(path, now),
                    carrier: !self.peer.path(path).carrier_down,
                    heard_at: self.peer.path(path).heard_at,
                    round_trip_us: self.peer.path(path).round_trip_us,
                    loss_percent: self.peer.loss_percent(path),
                }),
            },
        }
    }

    /// Where the peer listens for the replication link, as it last said.
    #[must_use]
    pub fn peer_listener(&self) -> Option<Listener> {
        self.peer.facts().and_then(|facts| facts.listener)
    }

    /// The peer is known to be off, not only unheard: it said goodbye, or no port has carrier. Then
    /// its outbound mail may be sent at once (§5 "queue").
    #[must_use]
    pub fn peer_is_off(&self, now: Instant) -> bool {
        let no_carrier =
            self.peer.path(Path::Crossover).carrier_down && self.peer.path(Path::Lan).carrier_down;
        match self.seen(now) {
            Seen::Stopped => true,
            Seen::Silent => no_carrier,
            _ => false,
        }
    }

    pub(crate) fn raise_alarms(&mut self, now: Instant) {
        let active = self.active_alarms(now);
        let changed: Vec<AlarmKind> = active.symmetric_difference(&self.alarms).copied().collect();
        for kind in changed {
            let raised = active.contains(&kind);
            let text = words::alarm(kind, raised);
            self.emit(Output::Alarm { kind, raised, text });
        }
        self.alarms = active;
    }

    fn active_alarms(&self, now: Instant) -> BTreeSet<AlarmKind> {
        let silent = self.peer.silent(now, self.config.dead_after);
        let facts = self.peer.facts();
        let goodbye = facts.is_some_and(|facts| facts.goodbye);
        let unwell = facts.is_some_and(|facts| !facts.healthy);
        // A dead peer is one alarm, not one for each cable: a cable is missed when another one has worked
        // for a moment. A plug that is out is said in any case.
        let works = |path: &Path| {
            let since = self.peer.path(*path).heard_since;
            self.peer.heard_on(*path, now)
                && since.is_some_and(|at| now.saturating_duration_since(at) >= PATH_SILENT)
        };
        let quiet = |path| {
            let unheard = !self.peer.heard_on(path, now) && Path::ALL.iter().any(works);
            (unheard && !goodbye) || self.peer.path(path).carrier_down
        };
        [
            (AlarmKind::OneCopy, self.view.standing == Standing::Alone),
            (AlarmKind::PeerSilent, facts.is_some() && silent && !goodbye),
            (AlarmKind::PeerStopped, goodbye),
            (AlarmKind::PeerUnhealthy, unwell && !silent && !goodbye),
            (AlarmKind::CrossoverDown, quiet(Path::Crossover)),
            (AlarmKind::LanPathDown, quiet(Path::Lan)),
            (AlarmKind::SerialDown, self.config.has_serial && quiet(Path::Serial)),
            (AlarmKind::Unreachable, !self.reach.settled()),
            (AlarmKind::Unhealthy, !self.health.well()),
            (AlarmKind::ClocksApart, !silent && self.wall.are_apart(now)),
            (AlarmKind::Maintenance, self.rest.maintenance),
            (AlarmKind::Resting, self.rest.waits()),
            (AlarmKind::WitnessSilent, self.config.has_witness && !self.witness.answers(now)),
            (AlarmKind::SecondHolder, self.addresses.contested(now)),
            (AlarmKind::Outside, self.view.standing == Standing::Outside),
        ]
        .into_iter()
        .filter_map(|(kind, active)| active.then_some(kind))
        .collect()
    }
}
