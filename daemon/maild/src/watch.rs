//! Runs `failover`: brings it everything that happens, carries out what it decides.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use control::Site;
use control::site::Own;
use failover::beat::Key;
use failover::{Admin, Beat, Failover, Input, Output, Path, ReplicaState, Report, Side};
use linux::Mac;
use node::Handle;
use replica::Mode;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::closing::Closings;
use crate::guard;
use crate::identity::Identity;
use crate::ports::loopback::{Local, LoopbackPorts};
use crate::ports::real::{OwnAddresses, RealPorts};
use crate::ports::{Events, PortEvent, Ports};

/// Of the failover thread: above every ordinary one, below the guard.
const PRIORITY: u8 = 5;
/// How often health and sync progress are looked at.
const PULSE: Duration = Duration::from_millis(100);
/// The node's loop must go round within this time.
const LOOP_TIMEOUT: Duration = Duration::from_millis(400);

/// The sessions on an address that moves get this long to hear it, while it is still on the port.
const TELL_CLIENTS: Duration = Duration::from_millis(20);

/// What others may look at.
#[derive(Default)]
pub struct Seen {
    pub report: Mutex<Option<Report>>,
    /// The own addresses on the LAN, where this box looks after them.
    pub own: Mutex<Option<watch::Receiver<OwnAddresses>>>,
    /// Addresses that should be this box's and that another machine has.
    pub conflicts: Mutex<BTreeMap<IpAddr, Mac>>,
}

/// How far an orderly stop is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    No,
    /// The peer is asked to take this box's address.
    HandOver,
    /// Everything is drained.
    Goodbye,
}

/// What the loop works with.
pub struct WatchParts {
    pub site: Arc<Site>,
    /// Two processes on one machine: this one's place and the other's.
    pub local: Option<(SocketAddr, SocketAddr)>,
    /// The disk never joined, and may serve alone all the same.
    pub first_may_serve: bool,
    /// Where a lease of the LAN port is kept.
    pub data: PathBuf,
    pub node: Handle,
    pub identity: Arc<Identity>,
    pub link_peer: watch::Sender<Option<SocketAddr>>,
    pub seen: Arc<Seen>,
    /// Becomes true when the peer serves this box's address, or nobody can.
    pub handed_over: watch::Sender<bool>,
    pub closings: Closings,
}

/// The failover thread, and the names of the ports as [`Path::ALL`] has them.
type Started = (std::thread::JoinHandle<()>, [String; 3]);

impl WatchParts {
    /// Opens the ports and runs the loop on a thread of its own, before all ordinary ones: heartbeats
    /// go out in time whatever the rest of the program is busy with.
    ///
    /// # Errors
    /// What is wrong with the ports.
    pub async fn start(self, stop: watch::Receiver<Stop>) -> Result<Started> {
        let (send, started) = oneshot::channel();
        let thread = std::thread::Builder::new().name("failover".into()).spawn(move || {
            if let Err(error) = linux::scheduling::run_in_real_time(PRIORITY) {
                tracing::debug!(%error, "failover runs as an ordinary thread");
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(self.run(send, stop)),
                Err(error) => drop(send.send(Err(error.into()))),
            }
        })?;
        let names = started.await.context("the failover thread ended at its start")??;
        Ok((thread, names))
    }

    async fn run(self, started: oneshot::Sender<Result<[String; 3]>>, stop: watch::Receiver<Stop>) {
        let pulse = guard::Pulse::default();
        let opened = self.open_ports().await.and_then(|(ports, events)| {
            let dead_after = Duration::from_millis(self.site.timing.dead_after_ms);
            ports.guard(pulse.clone(), dead_after)?;
            Ok((ports, events))
        });
        match opened {
            Ok((ports, events)) => {
                let names = Path::ALL.map(|path| ports.name(path));
                // Whoever asked waits for it.
                let _ = started.send(Ok(names));
                let watch = Watch {
                    failover: failover(&self.site, self.first_may_serve),
                    key: Key::new(self.identity.shared_key("heartbeat")),
                    ports,
                    pulse,
                    parts: self,
                };
                watch.run(events, stop).await;
            }
            Err(error) => drop(started.send(Err(error))),
        }
    }

    async fn open_ports(&self) -> Result<(Ports, Events)> {
        if let Some((link, peer)) = self.local {
            let (ports, events) = LoopbackPorts::open(Local { link }, Local { link: peer }).await?;
            return Ok((Ports::Loopback(ports), events));
        }
        let random = Handle::new_id() as u64;
        let (ports, events) = RealPorts::open(self.site.clone(), self.data.clone(), random).await?;
        *self.seen.own.lock().expect("no holder panics") = Some(ports.own_addresses());
        Ok((Ports::Real(ports), events))
    }
}

fn failover(site: &Site, first_may_serve: bool) -> Failover {
    let side = match site.side {
        control::Side::A => Side::A,
        control::Side::B => Side::B,
    };
    let mut config = failover::Config::new(side);
    config.dead_after = Duration::from_millis(site.timing.dead_after_ms);
    config.commit_wait = config.dead_after;
    config.cold_start_wait = Duration::from_millis(site.timing.cold_start_wait_ms);
    config.first_boot_may_serve = first_may_serve;
    // An address that comes by itself brings its gateway; until then the carrier stands for it.
    config.has_gateway = !site.lan.gateways.is_empty()
        || [site.lan.ipv4, site.lan.ipv6].contains(&Some(Own::Automatic));
    config.has_serial = site.serial.is_some();
    Failover::new(config, Instant::now(), Handle::new_id() as u64)
}

struct Watch {
    parts: WatchParts,
    failover: Failover,
    ports: Ports,
    key: Key,
    /// Tells the guard that this loop turns.
    pulse: guard::Pulse,
}

/// What the loop is told besides what the ports bring.
enum Pulse {
    Health { ok: bool, reason: String },
    Syncs { waiting: bool, synced: u64 },
}

impl Watch {
    /// Runs until told to stop: hands the address over first, says goodbye at the end.
    async fn run(mut self, mut events: Events, mut stop: watch::Receiver<Stop>) {
        let (pulse_send, mut pulses) = mpsc::channel(16);
        tokio::spawn(pulse(self.parts.node.clone(), pulse_send));
        let mut modes = self.parts.node.modes();
        modes.mark_changed();
        let mut progress = self.parts.node.progress();
        self.feed(Input::Listener(self.ports.listener())).await;
        self.feed(Input::StoreMayServe(!progress.blank)).await;
        if self.parts.identity.was_alone() && progress.may_serve_alone {
            self.feed(Input::StoreWasAlone).await;
        }
        loop {
            let deadline = self.failover.deadline().map(Into::into);
            let input = tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => self.translate(event),
                    None => return,
                },
                changed = modes.changed() => match changed {
                    Ok(()) => {
                        self.mark_view();
                        Some(Input::Replica(self.replica_state()))
                    }
                    Err(_) => return,
                },
                Some(pulse) = pulses.recv() => Some(match pulse {
                    Pulse::Health { ok, reason } => Input::Health { ok, reason },
                    Pulse::Syncs { waiting, synced } => Input::Syncs { waiting, synced },
                }),
                () = until(deadline) => Some(Input::Tick),
                changed = stop.changed() => match (changed, *stop.borrow_and_update()) {
                    (Ok(()), Stop::No) => None,
                    (Ok(()), Stop::HandOver) => Some(Input::Admin(Admin::Handover)),
                    (Ok(()), Stop::Goodbye) | (Err(_), _) => break,
                },
            };
            if let Some(input) = input {
                self.feed(input).await;
            }
            // A session makes `joining` of `no session` without a change of the view.
            let now = self.parts.node.progress();
            if progress.may_serve_alone && !now.may_serve_alone {
                self.feed(Input::PeerHasTheMail).await;
            }
            if now.in_session != progress.in_session || now.blank != progress.blank {
                self.feed(Input::StoreMayServe(!now.blank)).await;
                self.feed(Input::Replica(self.replica_state())).await;
            }
            progress = now;
        }
        self.feed(Input::Admin(Admin::Goodbye)).await;
        for side in failover::Side::BOTH {
            self.ports.give(side).await;
        }
    }

    fn mark_view(&self) {
        let both = match self.parts.node.mode() {
            Mode::Both => true,
            Mode::Alone => false,
            Mode::Starting | Mode::Waiting => return,
        };
        if let Err(error) = self.parts.identity.mark_view(both) {
            tracing::warn!(%error, "marking which view this box is in");
        }
    }

    fn translate(&self, event: PortEvent) -> Option<Input> {
        Some(match event {
            PortEvent::Beat { path, bytes, from } => match Beat::open(&bytes, &self.key) {
                Ok(beat) => {
                    if let Some(from) = from {
                        self.ports.peer_is_at(from);
                    }
                    Input::Heartbeat { path, beat }
                }
                Err(error) => {
                    tracing::debug!(?path, %error, "no heartbeat");
                    return None;
                }
            },
            PortEvent::Carrier { path, up } => Input::Carrier { path, up },
            PortEvent::Gateway { reachable } => Input::Gateway { reachable },
            PortEvent::Conflict { ip, holder } => {
                self.conflict(ip, holder);
                return None;
            }
            // The peer's announcement of an address that was just given to it is no second holder.
            PortEvent::SecondHolder { address, ip, mac } => {
                tracing::debug!(%ip, %mac, "a service address elsewhere");
                let report = self.failover.report(Instant::now());
                if !report.holds.has(address) {
                    return None;
                }
                Input::SecondHolder { address, owner_answers: false }
            }
        })
    }

    /// An alarm, but no reason to stop: the pair goes on with the addresses that it has.
    fn conflict(&self, ip: IpAddr, holder: Option<Mac>) {
        let mut conflicts = self.parts.seen.conflicts.lock().expect("no holder panics");
        match holder {
            Some(mac) => {
                if conflicts.insert(ip, mac) != Some(mac) {
                    tracing::warn!(%ip, %mac, "another machine has an address of this box");
                }
            }
            None => {
                if conflicts.remove(&ip).is_some() {
                    tracing::info!(%ip, "this address is this box's alone again");
                }
            }
        }
    }

    fn replica_state(&self) -> ReplicaState {
        match (self.parts.node.mode(), self.parts.node.progress().in_session) {
            (Mode::Both, _) => ReplicaState::Both,
            (Mode::Alone, _) => ReplicaState::Alone,
            (Mode::Starting | Mode::Waiting, true) => ReplicaState::Joining,
            (Mode::Starting | Mode::Waiting, false) => ReplicaState::NoSession,
        }
    }

    async fn feed(&mut self, input: Input) {
        let now = Instant::now();
        self.pulse.beat();
        self.failover.handle(now, input);
        while let Some(output) = self.failover.poll() {
            self.carry_out(output).await;
        }
        let report = self.failover.report(now);
        let address = self.ports.peer_address(report.link, self.failover.peer_listener());
        self.parts.link_peer.send_if_modified(|known| {
            let changed = *known != address;
            *known = address;
            changed
        });
        *self.parts.seen.report.lock().expect("no holder panics") = Some(report);
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::SendBeat { path, beat } => self.ports.send_beat(path, &beat.seal(&self.key)),
            Output::Take(side) => self.ports.take(side).await,
            Output::Give(side) => {
                let addresses = self.ports.service_addresses(side);
                for address in &addresses {
                    self.parts
                        .closings
                        .address_moves(*address, "this address moves to the other box");
                }
                if !addresses.is_empty() {
                    tokio::time::sleep(TELL_CLIENTS).await;
                    // Whoever has come meanwhile would wait for an answer that cannot leave any more.
                    for address in addresses {
                        if let Err(error) = linux::net::reset_connections(address) {
                            tracing::warn!(%error, "connections to an address that moves");
                        }
                    }
                }
                self.ports.give(side).await;
            }
            Output::Announce(side) => self.ports.announce(side),
            Output::Probe(side) => self.ports.probe(side),
            Output::GoAlone { why } => {
                tracing::info!(why = why.text(), "this box goes on alone");
                let _ = self.parts.node.go_alone(why == failover::Why::Admin).await;
            }
            Output::EndSession => {
                let _ = self.parts.node.end_session().await;
            }
            // `feed` looks at the report's path after each input.
            Output::Link(path) => tracing::info!(?path, "the link's path"),
            Output::HandedOver { peer_serves } => {
                tracing::info!(peer_serves, "the handover ended");
                self.parts.handed_over.send_replace(true);
            }
            Output::Alarm { kind, raised, text } => {
                tracing::warn!(?kind, raised, %text, "alarm");
            }
            Output::Event { what, why } => tracing::info!("{what}: {why}"),
        }
    }
}

/// Looks at the node's health and its peer's syncs, and says so.
async fn pulse(node: Handle, send: mpsc::Sender<Pulse>) {
    let mut interval = tokio::time::interval(PULSE);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        interval.tick().await;
        let reason = match timeout(LOOP_TIMEOUT, node.tick()).await {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the mail store does not answer".to_owned(),
        };
        if last.as_ref() != Some(&reason) {
            last = Some(reason.clone());
            let health = Pulse::Health { ok: reason.is_empty(), reason };
            if send.send(health).await.is_err() {
                return;
            }
        }
        let progress = node.progress();
        let waiting = progress.wishes_waiting > 0 && progress.peer_lacks.is_some_and(|n| n > 0);
        let syncs = Pulse::Syncs { waiting, synced: progress.peer_synced };
        if send.send(syncs).await.is_err() {
            return;
        }
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The path that a report names, for people.
#[must_use]
pub fn path_name(path: Path) -> control::LinkPath {
    match path {
        Path::Crossover => control::LinkPath::Crossover,
        Path::Lan => control::LinkPath::Lan,
        Path::Serial => control::LinkPath::Serial,
    }
}
