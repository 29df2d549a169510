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
use failover::{Admin, AlarmKind, Beat, Failover, Input, Output, Path, ReplicaState, Report, Side};
use linux::Mac;
use node::Handle;
use replica::Mode;
use tokio::sync::{mpsc, oneshot, watch};

use crate::closing::Closings;
use crate::events::Events;
use crate::guard;
use crate::health::Checks;
use crate::holder::{self, Holder};
use crate::identity::Identity;
use crate::marks::Marks;
use crate::ports::loopback::{Local, LoopbackPorts};
use crate::ports::real::{OwnAddresses, RealPorts};
use crate::ports::{self, PortEvent, Ports};
use crate::witness;

/// How often failover is told what the wall clock says.
const WALL_CLOCK: Duration = Duration::from_secs(1);
/// Of the failover thread: above every ordinary one, below the guard.
const PRIORITY: u8 = 5;
/// What the tasks beside the loop have to say.
const TOLD_MAX: usize = 64;
/// Wishes of the owner that wait.
const WISHES_MAX: usize = 16;

/// The sessions on an address that moves get this long to hear it, while it is still on the port.
const TELL_CLIENTS: Duration = Duration::from_millis(20);
/// Those who were about to connect to it are turned away for this long; by then they have heard where it is now.
const TURN_AWAY: Duration = Duration::from_millis(500);

/// What others may look at.
#[derive(Default)]
pub struct Seen {
    pub report: Mutex<Option<Report>>,
    /// The own addresses on the LAN, where this box looks after them.
    pub own: Mutex<Option<watch::Receiver<OwnAddresses>>>,
    /// Addresses that should be this box's and that another machine has.
    pub conflicts: Mutex<BTreeMap<IpAddr, Mac>>,
    /// In words, by kind.
    pub alarms: Mutex<BTreeMap<AlarmKind, String>>,
    /// Why the programs of the two boxes cannot replicate.
    pub refused: Mutex<Option<String>>,
}

/// A wish of the owner, and where the answer goes.
type Wish = (Admin, oneshot::Sender<Result<(), String>>);

/// Hands wishes in; cheap to clone.
#[derive(Clone)]
pub struct Wishes(mpsc::Sender<Wish>);

impl Wishes {
    #[must_use]
    pub fn channel() -> (Wishes, mpsc::Receiver<Wish>) {
        let (send, receive) = mpsc::channel(WISHES_MAX);
        (Wishes(send), receive)
    }

    /// Returns when the wish was taken; that it is fulfilled shows in the status.
    ///
    /// # Errors
    /// Why not, for the owner.
    pub async fn ask(&self, wish: Admin) -> Result<(), String> {
        let stopping = || "this box is stopping".to_owned();
        let (send, answer) = oneshot::channel();
        self.0.send((wish, send)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
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

/// What the thread is started with.
pub struct WatchParts {
    pub parts: Parts,
    pub wishes: mpsc::Receiver<Wish>,
    pub checks: Checks,
}

/// What the loop works with.
pub struct Parts {
    pub site: Arc<Site>,
    /// Two processes on one machine: this one's place and the other's.
    pub local: Option<(SocketAddr, SocketAddr)>,
    /// The disk never joined, and may serve alone all the same.
    pub first_may_serve: bool,
    /// Where a lease of the LAN port is kept.
    pub data: PathBuf,
    pub node: Handle,
    pub identity: Arc<Identity>,
    pub marks: Marks,
    pub link_peer: watch::Sender<Option<SocketAddr>>,
    pub seen: Arc<Seen>,
    /// Becomes true when the peer serves this box's address, or nobody can.
    pub handed_over: watch::Sender<bool>,
    pub closings: Closings,
    pub events: Arc<Events>,
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
        let opened = self.parts.open_ports().await.and_then(|(ports, events)| {
            let dead_after = Duration::from_millis(self.parts.site.timing.dead_after_ms);
            ports.guard(pulse.clone(), dead_after)?;
            Ok((ports, events))
        });
        match opened {
            Ok((ports, events)) => {
                let names = Path::ALL.map(|path| ports.name(path));
                // Whoever asked waits for it.
                let _ = started.send(Ok(names));
                let boot = Handle::new_id() as u64;
                let (told_send, told) = mpsc::channel(TOLD_MAX);
                tokio::spawn(self.checks.run(told_send.clone()));
                if let Some(asking) = self.parts.witness() {
                    tokio::spawn(asking.run(told_send.clone()));
                }
                let watch = Watch {
                    failover: Failover::new(self.parts.config(), Instant::now(), boot),
                    key: Key::new(self.parts.identity.shared_key("heartbeat")),
                    ports,
                    pulse,
                    told: told_send,
                    holders: [None; 2],
                    stopping: false,
                    parts: self.parts,
                };
                watch.run(events, told, self.wishes, stop).await;
            }
            Err(error) => drop(started.send(Err(error))),
        }
    }
}

impl Parts {
    async fn open_ports(&self) -> Result<(Ports, ports::Events)> {
        if let Some((link, peer)) = self.local {
            let (ports, events) = LoopbackPorts::open(Local { link }, Local { link: peer }).await?;
            return Ok((Ports::Loopback(ports), events));
        }
        let random = Handle::new_id() as u64;
        let (ports, events) = RealPorts::open(self.site.clone(), self.data.clone(), random).await?;
        *self.seen.own.lock().expect("no holder panics") = Some(ports.own_addresses());
        Ok((Ports::Real(ports), events))
    }

    fn side(&self) -> Side {
        match self.site.side {
            control::Side::A => Side::A,
            control::Side::B => Side::B,
        }
    }

    fn witness(&self) -> Option<witness::Asking> {
        Some(witness::Asking {
            witness: self.site.failover.witness?,
            side: self.side(),
            key: Key::new(self.identity.shared_key(witness::PURPOSE)),
            seen: self.seen.clone(),
        })
    }

    fn config(&self) -> failover::Config {
        let site = &self.site;
        let mut config = failover::Config::new(self.side());
        config.dead_after = Duration::from_millis(site.timing.dead_after_ms);
        config.commit_wait = config.dead_after;
        config.cold_start_wait = Duration::from_millis(site.timing.cold_start_wait_ms);
        config.first_boot_may_serve = self.first_may_serve;
        // An address that comes by itself brings its gateway; until then the carrier stands for it.
        config.has_gateway = !site.lan.gateways.is_empty()
            || [site.lan.ipv4, site.lan.ipv6].contains(&Some(Own::Automatic));
        config.has_serial = site.serial.is_some();
        config.has_witness = site.failover.witness.is_some();
        config.give_back_by_hand = site.failover.give_back_by_hand;
        config.maintenance = self.identity.is_in_maintenance();
        config
    }
}

struct Watch {
    parts: Parts,
    failover: Failover,
    ports: Ports,
    key: Key,
    /// Tells the guard that this loop turns.
    pulse: guard::Pulse,
    /// Where the tasks beside the loop put what they found out.
    told: mpsc::Sender<Input>,
    /// Who was last seen with each service address.
    holders: [Option<(IpAddr, Mac)>; 2],
    stopping: bool,
}

/// What woke the loop.
enum Woken {
    Port(PortEvent),
    View,
    Told(Input),
    Wish(Wish),
    Tick,
    Stop(Stop),
    /// Nobody is left who could want anything.
    Over,
}

impl Watch {
    /// Runs until told to stop: hands the address over first, says goodbye at the end.
    async fn run(
        mut self,
        mut events: ports::Events,
        mut told: mpsc::Receiver<Input>,
        mut wishes: mpsc::Receiver<Wish>,
        mut stop: watch::Receiver<Stop>,
    ) {
        let mut modes = self.parts.node.modes();
        modes.mark_changed();
        let mut progress = self.parts.node.progress();
        self.feed(Input::Listener(self.ports.listener())).await;
        self.feed(Input::StoreMayServe(!progress.blank)).await;
        if self.parts.identity.was_alone() && progress.may_serve_alone {
            self.feed(Input::StoreWasAlone).await;
        }
        let mut wall_clock = tokio::time::interval(WALL_CLOCK);
        loop {
            let deadline = self.failover.deadline();
            let woken = tokio::select! {
                biased;
                Some(event) = events.recv() => Woken::Port(event),
                changed = modes.changed() => changed.map_or(Woken::Over, |()| Woken::View),
                Some(input) = told.recv() => Woken::Told(input),
                Some(wish) = wishes.recv() => Woken::Wish(wish),
                () = until(deadline.map(Into::into)) => Woken::Tick,
                _ = wall_clock.tick() => {
                    Woken::Told(Input::WallClock { unix_ms: linux::clock::unix_ms() })
                }
                changed = stop.changed() => match changed {
                    Ok(()) => Woken::Stop(*stop.borrow_and_update()),
                    Err(_) => Woken::Over,
                },
            };
            if deadline.is_some_and(|at| Instant::now() >= at) {
                self.read_what_is_pending(&mut events).await;
            }
            match woken {
                Woken::Port(event) => self.port(event).await,
                Woken::View => {
                    self.mark_view();
                    self.feed(Input::Replica(self.replica_state())).await;
                }
                Woken::Told(input) => self.feed(input).await,
                Woken::Wish(wish) => self.fulfil(wish).await,
                Woken::Tick => self.feed(Input::Tick).await,
                Woken::Stop(Stop::No) => {}
                Woken::Stop(Stop::HandOver) => {
                    self.stopping = true;
                    self.feed(Input::Admin(Admin::Handover)).await;
                }
                Woken::Stop(Stop::Goodbye) | Woken::Over => break,
            }
            progress = self.follow(progress).await;
        }
        self.feed(Input::Admin(Admin::Goodbye)).await;
        for side in failover::Side::BOTH {
            self.ports.give(side).await;
        }
    }

    /// When time has passed, the peer may have been silent, or this box may have stood still. What its
    /// sockets hold comes first, and of that the heartbeats: nothing is decided on old news.
    async fn read_what_is_pending(&mut self, events: &mut ports::Events) {
        let pending = pending(events).await;
        let (beats, others): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|event| matches!(event, PortEvent::Beat { .. }));
        for event in beats.into_iter().chain(others) {
            self.port(event).await;
        }
    }

    /// What the node tells by its progress only: a session makes `joining` of `no session` without a
    /// change of the view.
    async fn follow(&mut self, before: node::Progress) -> node::Progress {
        let now = self.parts.node.progress();
        if before.may_serve_alone && !now.may_serve_alone {
            self.feed(Input::PeerHasTheMail).await;
        }
        if now.in_session != before.in_session || now.blank != before.blank {
            self.feed(Input::StoreMayServe(!now.blank)).await;
            self.feed(Input::Replica(self.replica_state())).await;
        }
        now
    }

    fn mark_view(&self) {
        match self.parts.node.mode() {
            Mode::Both => self.parts.marks.view(true),
            Mode::Alone => self.parts.marks.view(false),
            Mode::Starting | Mode::Waiting => {}
        }
    }

    async fn port(&mut self, event: PortEvent) {
        let input = match event {
            PortEvent::Beat { path, bytes, from } => match Beat::open(&bytes, &self.key) {
                Ok(beat) => {
                    if let Some(from) = from {
                        self.ports.peer_is_at(from);
                    }
                    Input::Heartbeat { path, beat }
                }
                Err(error) => return tracing::debug!(?path, %error, "no heartbeat"),
            },
            PortEvent::Carrier { path, up } => Input::Carrier { path, up },
            PortEvent::Gateway { reachable } => Input::Gateway { reachable },
            PortEvent::Conflict { ip, holder } => return self.conflict(ip, holder),
            PortEvent::SecondHolder { address, ip, mac } => {
                self.holders[address as usize] = Some((ip, mac));
                Input::SecondHolder { address }
            }
        };
        self.feed(input).await;
    }

    /// An alarm, but no reason to stop: the pair goes on with the addresses that it has.
    fn conflict(&self, ip: IpAddr, holder: Option<Mac>) {
        let mut conflicts = self.parts.seen.conflicts.lock().expect("no holder panics");
        match holder {
            Some(mac) => {
                if conflicts.insert(ip, mac) != Some(mac) {
                    let text = crate::status::conflict(ip, mac);
                    tracing::warn!(%text, "alarm");
                    self.parts.events.report("alarm", &text, "");
                }
            }
            None => {
                if conflicts.remove(&ip).is_some() {
                    let text = format!("The address {ip} is this box's alone again");
                    tracing::info!("{text}");
                    self.parts.events.report("alarm_over", &text, "");
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

    async fn fulfil(&mut self, (wish, answer): Wish) {
        let may = self.failover.may(Instant::now(), wish);
        if may.is_ok() {
            self.feed(Input::Admin(wish)).await;
        }
        // Whoever asked may have gone.
        let _ = answer.send(may.map_err(str::to_owned));
    }

    async fn feed(&mut self, input: Input) {
        let now = Instant::now();
        self.pulse.beat();
        if self.pulse.took_off() {
            let dead_after = Duration::from_millis(self.parts.site.timing.dead_after_ms);
            let paused_for = guard::patience(dead_after);
            self.failover.handle(now, Input::Resumed { paused_for });
        }
        self.failover.handle(now, input);
        while let Some(output) = self.failover.poll() {
            self.carry_out(output).await;
        }
        let report = self.failover.report(now);
        let address = self.ports.peer_address(report.link, self.failover.peer_listener());
        let address = address.filter(|_| report.may_join);
        self.parts.link_peer.send_if_modified(|known| {
            let changed = *known != address;
            *known = address;
            changed
        });
        // Whoever reads it may be stopped by the scheduler with the lock in hand, and this thread waits for nobody: the
        // next report comes within 50 ms.
        if let Ok(mut seen) = self.parts.seen.report.try_lock() {
            *seen = Some(report);
        }
    }

    /// Nobody who is connected to the side's addresses is left waiting for an answer that cannot leave any more.
    async fn give(&mut self, side: failover::Side) {
        let addresses = self.ports.service_addresses(side);
        if addresses.is_empty() {
            return self.ports.give(side).await;
        }
        for address in &addresses {
            self.parts.closings.address_moves(*address, "this address moves to the other box");
        }
        tokio::time::sleep(TELL_CLIENTS).await;
        let stragglers = addresses.iter().filter_map(|address| self.ports.stragglers(*address));
        let stragglers: Vec<_> = stragglers.collect();
        for address in addresses {
            if let Err(error) = linux::net::reset_connections(address) {
                tracing::warn!(%error, "connections to an address that moves");
            }
        }
        self.ports.give(side).await;
        for late in stragglers {
            tokio::spawn(late.turn_away(TURN_AWAY));
        }
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::SendBeat { path, beat } => self.ports.send_beat(path, &beat.seal(&self.key)),
            Output::Take { address, handed } => self.ports.take(address, handed).await,
            Output::Give(side) => self.give(side).await,
            Output::Announce(side) => self.ports.announce(side),
            Output::Probe(side) => self.ports.probe(side),
            Output::AskHolder(side) => self.ask_holder(side),
            Output::GoAlone { why } => {
                let _ = self.parts.node.go_alone(why == failover::Why::Admin).await;
            }
            Output::EndSession => {
                let _ = self.parts.node.end_session().await;
            }
            // `feed` looks at the report's path after each input.
            Output::Link(path) => tracing::info!(?path, "the link's path"),
            Output::HandedOver { peer_serves } => {
                tracing::info!(peer_serves, "the handover ended");
                if self.stopping {
                    self.parts.handed_over.send_replace(true);
                }
            }
            Output::Maintenance(on) => self.parts.marks.maintenance(on),
            Output::Alarm { kind, raised, text } => self.alarm(kind, raised, text),
            Output::Event { kind, what, why } => {
                tracing::info!("{what}: {why}");
                self.parts.events.report(kind.name(), &what, &why);
            }
        }
    }

    fn alarm(&self, kind: AlarmKind, raised: bool, text: String) {
        tracing::warn!(?kind, raised, %text, "alarm");
        self.parts.events.report(if raised { "alarm" } else { "alarm_over" }, &text, "");
        let mut alarms = self.parts.seen.alarms.lock().expect("no holder panics");
        if raised {
            alarms.insert(kind, text);
        } else {
            alarms.remove(&kind);
        }
    }

    /// Asks beside the loop.
    fn ask_holder(&self, address: Side) {
        let Some((ip, mac)) = self.holders[address as usize] else { return };
        let Some(here) = self.ports.here(ip.is_ipv6()) else { return };
        let held = self.failover.report(Instant::now()).holds.has(address);
        let told = self.told.clone();
        tokio::spawn(async move {
            let answers = holder::greets(here, Holder { ip, mac, held }).await;
            tracing::info!(%ip, %mac, answers, "another holder was asked for a greeting");
            // The loop may have ended.
            let _ = told.send(Input::HolderAnswered { address, answers }).await;
        });
    }
}

/// Everything that the sockets hold at this moment. The tasks that read them run on this thread, too, and
/// the kernel has to be asked first: three turns of the runtime.
async fn pending(events: &mut ports::Events) -> Vec<PortEvent> {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    let mut pending = Vec::new();
    while let Ok(event) = events.try_recv() {
        pending.push(event);
    }
    pending
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::EVENTS_MAX;
    use tokio::net::UdpSocket;

    /// The loop stands still while heartbeats come in: they wait in a socket of the kernel, and the tasks
    /// that read it have had no turn when the deadline wakes the loop.
    #[tokio::test(flavor = "current_thread")]
    async fn what_came_while_the_loop_stood_still_is_there_before_anything_is_decided() {
        for _ in 0..20 {
            let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = receiver.local_addr().unwrap();
            let (send, mut events) = mpsc::channel(EVENTS_MAX);
            let reader = tokio::spawn(async move {
                let mut buffer = [0; 64];
                while let Ok(length) = receiver.recv(&mut buffer).await {
                    let bytes = buffer[..length].to_vec();
                    let _ = send.try_send(PortEvent::Beat { path: Path::Lan, bytes, from: None });
                }
            });
            tokio::task::yield_now().await;
            let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..5 {
                sender.send_to(b"beat", address).unwrap();
            }
            let deadline = tokio::time::sleep(Duration::from_millis(1));
            // The whole thread stands still, beyond the deadline.
            std::thread::sleep(Duration::from_millis(5));
            deadline.await;
            assert_eq!(pending(&mut events).await.len(), 5);
            reader.abort();
        }
    }
}
