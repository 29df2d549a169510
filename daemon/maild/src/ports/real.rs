//! The ports of a box, through `linux`.
//!
//! | what | how |
//! |---|---|
//! | heartbeat on the crossover | raw Ethernet frames of an EtherType of their own: no IP set-up can break them |
//! | heartbeat on the LAN | UDP between the boxes' own addresses |
//! | service addresses | rtnetlink |
//! | announcements, gateway, other holders | ARP and neighbour frames on a raw socket |

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use control::Site;
use control::site::Network as SiteNetwork;
use failover::beat::Listener;
use failover::{Path, Side};
use linux::net::ethernet::{self, EtherType};
use linux::net::ports::{Port, all, choose};
use linux::net::{Address, LinkChange, LinkWatch, Netlink, Network, PacketSocket, arp, neighbour};
use linux::{Mac, link_local};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{EVENTS_MAX, Events, PortEvent};

/// UDP port of the heartbeats on the LAN.
const BEAT_PORT: u16 = 7401;
/// TCP port of the replication link.
pub const LINK_PORT: u16 = 7402;
/// How often the gateway is asked for by ARP, and after how long without an answer it is lost.
const GATEWAY_PROBE: Duration = Duration::from_millis(250);
const GATEWAY_LOST: Duration = Duration::from_secs(1);
/// A raw socket that failed (its port was switched off) is tried again after this.
const RETRY: Duration = Duration::from_millis(100);
/// Longer than any frame read here.
const FRAME_BYTES: usize = 2048;

pub struct RealPorts {
    site: Arc<Site>,
    network: Network,
    lan: Port,
    crossover: Port,
    beats: Arc<PacketSocket>,
    lan_beats: Arc<UdpSocket>,
    arp: Arc<PacketSocket>,
    ipv6: PacketSocket,
}

impl RealPorts {
    /// Finds both ports and opens what is needed on them.
    ///
    /// # Errors
    /// What is missing, in words for the owner.
    pub async fn open(site: Arc<Site>) -> Result<(RealPorts, Events)> {
        let mac = |mac: Option<control::site::Mac>| mac.map(|mac| Mac(mac.0));
        let choice =
            choose(&all(&mut Netlink::open()?)?, mac(site.lan.mac), mac(site.crossover.mac));
        let complaints = choice.complaints.join("; ");
        let lan = choice.lan.with_context(|| complaints.clone())?;
        let crossover = choice.crossover.with_context(|| complaints.clone())?;
        let (send, events) = mpsc::channel(EVENTS_MAX);
        let own = SocketAddr::new(site.lan.address.address, BEAT_PORT);
        let ports = RealPorts {
            network: Network::open()?,
            beats: Arc::new(PacketSocket::bind(crossover.index, EtherType::HEARTBEAT)?),
            lan_beats: Arc::new(
                UdpSocket::bind(own).await.with_context(|| format!("binding {own}"))?,
            ),
            arp: Arc::new(PacketSocket::bind(lan.index, EtherType::ARP)?),
            ipv6: PacketSocket::bind(lan.index, EtherType::IPV6)?,
            lan,
            crossover,
            site,
        };
        tokio::spawn(crossover_beats(ports.beats.clone(), send.clone()));
        tokio::spawn(lan_beats(ports.lan_beats.clone(), ports.site.lan.peer, send.clone()));
        tokio::spawn(carriers(ports.lan.index, ports.crossover.index, send.clone()));
        tokio::spawn(ports.arp_watch(send));
        Ok((ports, events))
    }

    pub fn send_beat(&self, path: Path, bytes: &[u8]) {
        // A heartbeat that cannot be sent is silence, which the peer knows how to read.
        match path {
            Path::Crossover => {
                let mac = self.crossover.mac;
                let frame =
                    ethernet::build(Mac::BROADCAST, mac, EtherType::HEARTBEAT, &sized(bytes));
                let _ = self.beats.try_send(&frame);
            }
            Path::Lan => {
                let peer = SocketAddr::new(self.site.lan.peer, BEAT_PORT);
                let _ = self.lan_beats.try_send_to(bytes, peer);
            }
            Path::Serial => {}
        }
    }

    pub async fn take(&mut self, side: Side) {
        let address = self.service(side);
        if let Err(error) = self.network.add_address(self.lan.index, address).await {
            tracing::error!(address = %address.ip, %error, "taking a service address");
        }
    }

    pub async fn give(&mut self, side: Side) {
        let address = self.service(side);
        if let Err(error) = self.network.remove_address(self.lan.index, address).await {
            tracing::error!(address = %address.ip, %error, "giving a service address");
        }
    }

    pub fn announce(&self, side: Side) {
        let mac = self.lan.mac;
        let sent = match self.service(side).ip {
            IpAddr::V4(ip) => self
                .arp
                .try_send(&arp::announce_request(mac, ip))
                .and_then(|_| self.arp.try_send(&arp::announce_reply(mac, ip))),
            IpAddr::V6(ip) => self.ipv6.try_send(&neighbour::announce(mac, ip)),
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "announcing a service address");
        }
    }

    pub fn probe(&self, side: Side) {
        if let IpAddr::V4(ip) = self.service(side).ip {
            let _ = self.arp.try_send(&arp::probe(self.lan.mac, ip));
        }
    }

    #[must_use]
    pub fn listener(&self) -> Listener {
        Listener { link_local: link_local(self.crossover.mac).octets(), port: LINK_PORT }
    }

    #[must_use]
    pub fn peer_address(&self, path: Path, said: Option<Listener>) -> Option<SocketAddr> {
        match path {
            Path::Crossover => {
                let said = said?;
                let ip = said.link_local.into();
                Some(SocketAddrV6::new(ip, said.port, 0, self.crossover.index).into())
            }
            Path::Lan => Some(SocketAddr::new(self.site.lan.peer, LINK_PORT)),
            Path::Serial => None,
        }
    }

    #[must_use]
    pub fn name(&self, path: Path) -> String {
        match path {
            Path::Crossover => self.crossover.name.clone(),
            Path::Lan => self.lan.name.clone(),
            Path::Serial => String::new(),
        }
    }

    /// The kernel's number of the LAN port.
    #[must_use]
    pub fn lan_index(&self) -> u32 {
        self.lan.index
    }

    #[must_use]
    pub fn service(&self, side: Side) -> Address {
        address(self.site.service.of(control_side(side)))
    }

    /// Watches ARP on the LAN: does the gateway answer, does somebody else hold a service address?
    fn arp_watch(&self, send: mpsc::Sender<PortEvent>) -> impl Future<Output = ()> + use<> {
        let socket = self.arp.clone();
        let own_mac = self.lan.mac;
        let own_ip = self.site.lan.address.address;
        let gateway = self.site.lan.gateway;
        let service = Side::BOTH.map(|side| (side, self.service(side).ip));
        async move {
            let gateway = match (own_ip, gateway) {
                (IpAddr::V4(own), Some(IpAddr::V4(gateway))) => Some((own, gateway)),
                // Without an IPv4 gateway the carrier of the port has to do.
                _ => None,
            };
            let mut watch = GatewayWatch { gateway, heard: None, said: None };
            let mut buffer = vec![0; FRAME_BYTES];
            let mut interval = tokio::time::interval(GATEWAY_PROBE);
            loop {
                tokio::select! {
                    _ = interval.tick() => watch.probe(&socket, own_mac, &send),
                    got = socket.receive(&mut buffer) => match got {
                        Err(_) => tokio::time::sleep(RETRY).await,
                        Ok(length) => {
                            let Some(arp) = arp::parse(&buffer[..length]) else { continue };
                            watch.hear(&arp, &send);
                            for (side, ip) in service {
                                if let IpAddr::V4(ip) = ip
                                    && arp.contests(own_mac, ip).is_some()
                                {
                                    let event = PortEvent::SecondHolder { address: side };
                                    let _ = send.try_send(event);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Is the gateway there? Told on each change.
struct GatewayWatch {
    gateway: Option<(Ipv4Addr, Ipv4Addr)>,
    heard: Option<Instant>,
    said: Option<bool>,
}

impl GatewayWatch {
    fn probe(&mut self, socket: &PacketSocket, mac: Mac, send: &mpsc::Sender<PortEvent>) {
        let Some((own, gateway)) = self.gateway else { return };
        let _ = socket.try_send(&arp::request(mac, own, gateway));
        let reachable = self.heard.is_some_and(|at| at.elapsed() < GATEWAY_LOST);
        self.say(reachable, send);
    }

    fn hear(&mut self, arp: &arp::Arp, send: &mpsc::Sender<PortEvent>) {
        if self.gateway.is_some_and(|(_, gateway)| arp.holder_of(gateway).is_some()) {
            self.heard = Some(Instant::now());
            self.say(true, send);
        }
    }

    fn say(&mut self, reachable: bool, send: &mpsc::Sender<PortEvent>) {
        if self.said != Some(reachable) && send.try_send(PortEvent::Gateway { reachable }).is_ok() {
            self.said = Some(reachable);
        }
    }
}

async fn crossover_beats(socket: Arc<PacketSocket>, send: mpsc::Sender<PortEvent>) {
    let mut buffer = vec![0; FRAME_BYTES];
    loop {
        match socket.receive(&mut buffer).await {
            Ok(length) => {
                let frame = ethernet::parse(&buffer[..length]);
                if let Some(bytes) = frame.as_ref().and_then(|frame| payload_of(frame.payload)) {
                    let bytes = bytes.to_vec();
                    let _ = send.try_send(PortEvent::Beat { path: Path::Crossover, bytes });
                }
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn lan_beats(socket: Arc<UdpSocket>, peer: IpAddr, send: mpsc::Sender<PortEvent>) {
    let mut buffer = vec![0; FRAME_BYTES];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) if from.ip() == peer => {
                let bytes = buffer[..length].to_vec();
                let _ = send.try_send(PortEvent::Beat { path: Path::Lan, bytes });
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn carriers(lan: u32, crossover: u32, send: mpsc::Sender<PortEvent>) {
    let mut watch = match LinkWatch::open() {
        Ok(watch) => watch,
        Err(error) => return tracing::error!(%error, "carrier of the ports is not watched"),
    };
    loop {
        let (index, up) = match watch.next().await {
            Ok(LinkChange::Now(link)) => (link.index, link.carrier),
            Ok(LinkChange::Gone { index }) => (index, false),
            Err(error) => {
                tracing::warn!(%error, "watching the ports");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let path = match index {
            _ if index == lan => Path::Lan,
            _ if index == crossover => Path::Crossover,
            _ => continue,
        };
        if send.send(PortEvent::Carrier { path, up }).await.is_err() {
            return;
        }
    }
}

/// A short Ethernet frame is padded, so its payload says how long it is (u16, big-endian).
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

fn payload_of(payload: &[u8]) -> Option<&[u8]> {
    let (length, rest) = payload.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

fn address(network: SiteNetwork) -> Address {
    Address { ip: network.address, prefix_length: network.prefix_length }
}

/// Sides as `control` writes them.
#[must_use]
pub fn control_side(side: Side) -> control::Side {
    match side {
        Side::A => control::Side::A,
        Side::B => control::Side::B,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_cut_off() {
        let mut payload = sized(b"beat");
        payload.extend([0; 40]);
        assert_eq!(payload_of(&payload), Some(b"beat".as_slice()));
        assert_eq!(payload_of(&[0]), None);
        assert_eq!(payload_of(&[0, 9, 1]), None);
    }
}
