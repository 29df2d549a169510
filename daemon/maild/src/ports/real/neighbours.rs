//! What the LAN's machines say of addresses: ARP and neighbour messages on raw sockets.
//!
//! | question | answer goes to |
//! |---|---|
//! | is a gateway there? | [`PortEvent::Gateway`], and the default route follows the one that answers |
//! | does somebody else use a service address? | [`PortEvent::SecondHolder`] |
//! | does somebody else use an own address? | [`PortEvent::Conflict`] |
//! | is an address free before its first use? | [`Neighbours::holder`] |

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use failover::Side;
use linux::limits::{PROBE_EVERY, PROBES};
use linux::net::{Network, PacketSocket, arp, neighbour};
use linux::{Mac, link_local};
use tokio::sync::{mpsc, watch};

use super::gateways::Gateways;
use super::own::OwnAddresses;
use super::{FRAME_BYTES, RETRY};
use crate::ports::PortEvent;

/// How often the gateways are asked.
const GATEWAY_PROBE: Duration = Duration::from_millis(250);
/// While one owes an answer: a cable that loses half of everything each way brings one answer to four
/// questions, so what counts as silence must be many questions. See [`super::gateways`].
const GATEWAY_PROBE_AGAIN: Duration = Duration::from_millis(50);
/// How often the peer's own hardware address is asked for.
const PEER_PROBE: Duration = Duration::from_secs(5);
/// A second holder that was not seen for this long is gone.
const CONFLICT_OVER: Duration = Duration::from_secs(60);

/// The LAN's raw sockets, and what was heard there. A handle that may be cloned.
#[derive(Clone)]
pub struct Neighbours {
    arp: Arc<PacketSocket>,
    ipv6: Arc<PacketSocket>,
    mac: Mac,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Of the addresses that matter here: who else said that it has it, and when.
    holders: HashMap<IpAddr, (Mac, Instant)>,
    /// The peer's own addresses.
    peers: Vec<IpAddr>,
}

/// What the watch needs to know.
pub struct WatchParts {
    pub network: Network,
    pub lan_index: u32,
    pub services: Vec<(Side, IpAddr)>,
    pub gateways: Vec<IpAddr>,
    pub own: watch::Receiver<OwnAddresses>,
    pub send: mpsc::Sender<PortEvent>,
}

impl Neighbours {
    /// # Errors
    /// What the kernel says.
    pub fn open(lan_index: u32, mac: Mac, peers: &[IpAddr]) -> linux::Result<Neighbours> {
        Ok(Neighbours {
            arp: Arc::new(PacketSocket::bind(lan_index, linux::net::ethernet::EtherType::ARP)?),
            ipv6: Arc::new(PacketSocket::bind_neighbours(lan_index)?),
            mac,
            seen: Arc::new(Mutex::new(Seen { peers: peers.to_vec(), ..Seen::default() })),
        })
    }

    /// Tells everybody that an address is here now. Both forms of ARP: some hosts learn only from one.
    pub fn announce(&self, ip: IpAddr) {
        let sent = match ip {
            IpAddr::V4(ip) => self
                .arp
                .try_send(&arp::announce_request(self.mac, ip))
                .and_then(|_| self.arp.try_send(&arp::announce_reply(self.mac, ip))),
            IpAddr::V6(ip) => self.ipv6.try_send(&neighbour::announce(self.mac, ip)),
        };
        if let Err(error) = sent {
            tracing::warn!(%ip, %error, "announcing an address");
        }
    }

    /// Asks who has an address, without teaching anybody anything.
    pub fn probe(&self, ip: IpAddr) {
        // A port that is off asks nobody; the next question comes.
        let _ = match ip {
            IpAddr::V4(ip) => self.arp.try_send(&arp::probe(self.mac, ip)),
            IpAddr::V6(ip) => self.ipv6.try_send(&neighbour::probe(self.mac, ip)),
        };
    }

    fn ask(&self, own_ipv4: Option<Ipv4Addr>, ip: IpAddr) {
        let _ = match (ip, own_ipv4) {
            (IpAddr::V4(ip), Some(own)) => self.arp.try_send(&arp::request(self.mac, own, ip)),
            (IpAddr::V4(ip), None) => self.arp.try_send(&arp::probe(self.mac, ip)),
            (IpAddr::V6(ip), _) => {
                self.ipv6.try_send(&neighbour::solicit(self.mac, link_local(self.mac), ip))
            }
        };
    }

    /// Before an address is used for the first time: which machine, neither this box nor its peer, has
    /// it? Three questions in a quarter of a second, see [`linux::net::arp_holder`].
    pub async fn holder(&self, ip: IpAddr) -> Option<Mac> {
        self.lock().holders.remove(&ip);
        for _ in 0..PROBES {
            self.probe(ip);
            tokio::time::sleep(PROBE_EVERY).await;
        }
        self.stranger(ip)
    }

    /// Who was last heard with an address and is not the peer.
    pub fn stranger(&self, ip: IpAddr) -> Option<Mac> {
        let seen = self.lock();
        let (mac, at) = *seen.holders.get(&ip)?;
        let is_peer =
            seen.peers.iter().any(|peer| seen.holders.get(peer).is_some_and(|p| p.0 == mac));
        (!is_peer && at.elapsed() < CONFLICT_OVER).then_some(mac)
    }

    /// The peer was heard from this address.
    pub fn peer_is_at(&self, ip: IpAddr) {
        let mut seen = self.lock();
        if !seen.peers.contains(&ip) {
            seen.peers.retain(|peer| peer.is_ipv6() != ip.is_ipv6());
            seen.peers.push(ip);
        }
    }

    /// The peer's own address of one family, as given or as heard.
    pub fn peer(&self, ipv6: bool) -> Option<IpAddr> {
        self.lock().peers.iter().copied().find(|peer| peer.is_ipv6() == ipv6)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }

    /// Runs until nobody listens any more.
    pub async fn watch(self, parts: WatchParts) {
        let gateways = Gateways::new(parts.network.clone(), parts.lan_index, parts.send.clone());
        let mut watch = Watch { neighbours: self, gateways, conflicts: HashMap::new(), parts };
        let (mut arp_buffer, mut ipv6_buffer) = (vec![0; FRAME_BYTES], vec![0; FRAME_BYTES]);
        let mut interval = tokio::time::interval(GATEWAY_PROBE_AGAIN);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked: Option<Instant> = None;
        let mut peers_asked: Option<Instant> = None;
        let (arp, ipv6) = (watch.neighbours.arp.clone(), watch.neighbours.ipv6.clone());
        while !watch.parts.send.is_closed() {
            tokio::select! {
                _ = interval.tick() => {
                    let waits = |at: Instant| {
                        at.elapsed() < GATEWAY_PROBE && !watch.gateways.owe_an_answer(at)
                    };
                    if asked.is_some_and(waits) {
                        continue;
                    }
                    asked = Some(Instant::now());
                    watch.turn().await;
                    if peers_asked.is_none_or(|at| at.elapsed() >= PEER_PROBE) {
                        peers_asked = Some(Instant::now());
                        watch.ask_peers();
                    }
                }
                got = arp.receive(&mut arp_buffer) => match got {
                    Err(_) => tokio::time::sleep(RETRY).await,
                    Ok(length) => watch.hear_arp(&arp_buffer[..length]),
                },
                got = ipv6.receive(&mut ipv6_buffer) => match got {
                    Err(_) => tokio::time::sleep(RETRY).await,
                    Ok(length) => watch.hear_ipv6(&ipv6_buffer[..length]),
                },
            }
        }
    }
}

struct Watch {
    neighbours: Neighbours,
    gateways: Gateways,
    /// Own addresses that somebody else was last seen with.
    conflicts: HashMap<IpAddr, (Mac, Instant)>,
    parts: WatchParts,
}

impl Watch {
    async fn turn(&mut self) {
        let own = self.parts.own.borrow().clone();
        let known =
            if self.parts.gateways.is_empty() { &own.gateways } else { &self.parts.gateways };
        self.gateways.turn(known, &own).await;
        for gateway in known {
            self.neighbours.ask(own.ipv4(), *gateway);
        }
        let send = &self.parts.send;
        self.conflicts.retain(|&ip, (_, at)| {
            let lasts = at.elapsed() < CONFLICT_OVER;
            lasts || send.try_send(PortEvent::Conflict { ip, holder: None }).is_err()
        });
    }

    fn ask_peers(&self) {
        let own = self.parts.own.borrow().ipv4();
        let peers = self.neighbours.lock().peers.clone();
        for peer in peers {
            self.neighbours.ask(own, peer);
        }
    }

    fn hear_arp(&mut self, frame: &[u8]) {
        let Some(arp) = arp::parse(frame) else { return };
        if let Some(mac) = arp.contests(self.neighbours.mac, arp.sender_ip) {
            self.hear(arp.sender_ip.into(), mac);
        }
    }

    fn hear_ipv6(&mut self, frame: &[u8]) {
        if let Some((ip, mac)) = neighbour::claim(frame)
            && mac != self.neighbours.mac
        {
            self.hear(ip.into(), mac);
        }
    }

    /// Another machine says that it has an address.
    fn hear(&mut self, ip: IpAddr, mac: Mac) {
        self.gateways.hear(ip);
        let own = self.parts.own.borrow().wanted(ip);
        let service = self.parts.services.iter().find(|(_, service)| *service == ip);
        let now = Instant::now();
        {
            let mut seen = self.neighbours.lock();
            // Only what is asked for is kept, so the table stays small whatever the LAN says.
            if own || service.is_some() || seen.peers.contains(&ip) {
                seen.holders.insert(ip, (mac, now));
            }
        }
        if let Some((side, _)) = service {
            let event = PortEvent::SecondHolder { address: *side, ip, mac };
            let _ = self.parts.send.try_send(event);
        }
        if own {
            let before = self.conflicts.insert(ip, (mac, now));
            if before.is_none_or(|(other, _)| other != mac) {
                // It is defended once, and again for each other machine (RFC 5227 §2.4 b).
                self.neighbours.announce(ip);
                let event = PortEvent::Conflict { ip, holder: Some(mac) };
                let _ = self.parts.send.try_send(event);
            }
        }
    }
}
