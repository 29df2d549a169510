//! The ports of a box, through `linux`.
//!
//! | what | how | where |
//! |---|---|---|
//! | heartbeat on the crossover | raw Ethernet frames of an EtherType of their own: no IP set-up can break them | here |
//! | heartbeat on the LAN | UDP between the boxes' own addresses, both families | [`lan_beats`] |
//! | heartbeat on a serial cable | frames on the line | here |
//! | own addresses | rtnetlink, DHCP | [`own`], [`dhcp`] |
//! | service addresses | rtnetlink | [`services`] |
//! | announcements, gateways, other holders | ARP and neighbour frames on raw sockets | [`neighbours`], [`gateways`] |

mod dhcp;
mod gateways;
mod lan_beats;
mod neighbours;
mod own;
mod services;

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use control::Site;
use control::site::{Network as SiteNetwork, Own};
use failover::beat::Listener;
use failover::{Path, Side};
use linux::net::ethernet::{self, EtherType};
use linux::net::ports::{Port, all, choose};
use linux::net::{Address, LinkChange, LinkWatch, Netlink, Network, PacketSocket};
use linux::serial::SerialPort;
use linux::{Mac, link_local};
use tokio::sync::{mpsc, watch};

use self::lan_beats::{LanBeats, scoped};
use self::neighbours::{Neighbours, WatchParts};
pub use self::own::OwnAddresses;
use self::services::Services;
use super::{EVENTS_MAX, Events, PortEvent};
use crate::holder::Here;

/// TCP port of the replication link.
pub const LINK_PORT: u16 = 7402;
/// A socket that failed (its port was switched off) is tried again after this.
const RETRY: Duration = Duration::from_millis(100);
/// Longer than any frame read here.
const FRAME_BYTES: usize = 2048;

pub struct RealPorts {
    lan: Port,
    crossover: Port,
    beats: Arc<PacketSocket>,
    lan_beats: LanBeats,
    serial: Option<(String, Arc<SerialPort>)>,
    neighbours: Neighbours,
    services: Services,
    own: watch::Receiver<OwnAddresses>,
}

impl RealPorts {
    /// Finds both ports and opens what is needed on them. `folder` is where a lease is kept, `random`
    /// any number.
    ///
    /// # Errors
    /// What is missing, in words for the owner.
    pub async fn open(
        site: Arc<Site>,
        folder: PathBuf,
        random: u64,
    ) -> Result<(RealPorts, Events)> {
        let (lan, crossover) = find_ports(&site)?;
        let (send, events) = mpsc::channel(EVENTS_MAX);
        let network = Network::open()?;
        let neighbours = Neighbours::open(lan.index, lan.mac, &site.lan.peers)?;
        let (carrier_send, carrier) = watch::channel(false);
        let (lease_send, lease) = watch::channel(None);
        let (keeper, own) = own::Keeper::new(
            &site,
            network.clone(),
            lan.index,
            neighbours.clone(),
            lease,
            send.clone(),
        );
        let addresses = Side::BOTH
            .map(|side| site.service.of(control_side(side)).iter().copied().map(address).collect());
        let services = Services::start(
            failover_side(site.side),
            addresses,
            network.clone(),
            lan.index,
            neighbours.clone(),
            send.clone(),
        );
        let serial = site.serial.as_ref().and_then(|serial| open_serial(&serial.device));
        let ports = RealPorts {
            beats: Arc::new(PacketSocket::bind(crossover.index, EtherType::HEARTBEAT)?),
            lan_beats: LanBeats::start(&site.lan.peers, lan.index, own.clone(), &send),
            serial,
            neighbours: neighbours.clone(),
            services,
            own: own.clone(),
            lan,
            crossover,
        };
        tokio::spawn(crossover_beats(ports.beats.clone(), send.clone()));
        if let Some((_, line)) = &ports.serial {
            tokio::spawn(serial_beats(line.clone(), send.clone()));
        }
        tokio::spawn(carriers(ports.lan.index, ports.crossover.index, carrier_send, send.clone()));
        if site.lan.ipv4 == Some(Own::Automatic) {
            let dhcp = dhcp::Dhcp {
                network: network.clone(),
                lan_index: ports.lan.index,
                mac: ports.lan.mac,
                neighbours: neighbours.clone(),
                folder,
                publish: lease_send,
                send: send.clone(),
                transaction: random as u32,
                carrier,
            };
            tokio::spawn(dhcp.run());
        }
        tokio::spawn(keeper.run());
        tokio::spawn(neighbours.watch(WatchParts {
            network,
            lan_index: ports.lan.index,
            services: ports.service_ips(),
            gateways: site.lan.gateways.clone(),
            own,
            send,
        }));
        Ok((ports, events))
    }

    fn service_ips(&self) -> Vec<(Side, IpAddr)> {
        let of = |side| self.services.of(side).iter().map(move |address| (side, address.ip));
        Side::BOTH.into_iter().flat_map(of).collect()
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
            Path::Lan => self.lan_beats.send(bytes),
            Path::Serial => {
                if let Some((_, line)) = &self.serial {
                    let _ = line.try_send(bytes);
                }
            }
        }
    }

    pub async fn take(&mut self, side: Side, handed: bool) {
        self.services.take(side, handed).await;
    }

    pub async fn give(&mut self, side: Side) {
        self.services.give(side).await;
    }

    pub fn announce(&self, side: Side) {
        self.services.announce(side);
    }

    pub fn probe(&self, side: Side) {
        self.services.probe(side);
    }

    #[must_use]
    pub fn listener(&self) -> Listener {
        Listener { link_local: link_local(self.crossover.mac).octets(), port: LINK_PORT }
    }

    /// A heartbeat of the peer came from there.
    pub fn peer_is_at(&self, from: IpAddr) {
        self.neighbours.peer_is_at(from);
    }

    /// On the LAN the family of which this box has an address now; IPv4 of both.
    #[must_use]
    pub fn peer_address(&self, path: Path, said: Option<Listener>) -> Option<SocketAddr> {
        match path {
            Path::Crossover => {
                let said = said?;
                let ip = said.link_local.into();
                Some(SocketAddrV6::new(ip, said.port, 0, self.crossover.index).into())
            }
            Path::Lan => {
                let own = self.own.borrow();
                let reached = |ipv6: &bool| own.of(*ipv6).is_some();
                let peer = |ipv6: bool| self.neighbours.peer(ipv6);
                let peer = [false, true].into_iter().filter(reached).find_map(peer)?;
                Some(scoped(peer, LINK_PORT, self.lan.index))
            }
            Path::Serial => None,
        }
    }

    #[must_use]
    pub fn name(&self, path: Path) -> String {
        match path {
            Path::Crossover => self.crossover.name.clone(),
            Path::Lan => self.lan.name.clone(),
            Path::Serial => self.serial.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(),
        }
    }

    /// The kernel's number of the LAN port.
    #[must_use]
    pub fn lan_index(&self) -> u32 {
        self.lan.index
    }

    /// This box's own addresses on the LAN, as they are and as they change.
    #[must_use]
    pub fn own_addresses(&self) -> watch::Receiver<OwnAddresses> {
        self.own.clone()
    }

    /// This box on the LAN, by its own address of a family, where it has one.
    #[must_use]
    pub fn here(&self, ipv6: bool) -> Option<Here> {
        let ip = self.own.borrow().of(ipv6)?;
        Some(Here { index: self.lan.index, mac: self.lan.mac, ip })
    }

    /// The service addresses of a side.
    #[must_use]
    pub fn services(&self, side: Side) -> &[Address] {
        self.services.of(side)
    }

    /// Those of both sides.
    #[must_use]
    pub fn all_services(&self) -> Vec<Address> {
        self.services.all()
    }
}

/// The LAN, which may be a VLAN on its port, and the crossover.
fn find_ports(site: &Site) -> Result<(Port, Port)> {
    let mut netlink = Netlink::open()?;
    let mac = |mac: Option<control::site::Mac>| mac.map(|mac| Mac(mac.0));
    let choice = choose(&all(&mut netlink)?, mac(site.lan.mac), mac(site.crossover.mac));
    let complaints = choice.complaints.join("; ");
    let mut lan = choice.lan.with_context(|| complaints.clone())?;
    let crossover = choice.crossover.with_context(|| complaints.clone())?;
    if let Some(name) = site.lan.vlan_name() {
        let link = netlink.link(&name)?;
        lan.index = link.with_context(|| format!("there is no {name} on {}", lan.name))?.index;
        lan.name = name;
    }
    Ok((lan, crossover))
}

/// Without it the box has two paths, as most boxes do; failover says that the third is silent.
fn open_serial(device: &str) -> Option<(String, Arc<SerialPort>)> {
    match SerialPort::open(std::path::Path::new(device)) {
        Ok(line) => Some((device.trim_start_matches("/dev/").to_owned(), Arc::new(line))),
        Err(error) => {
            tracing::error!(%error, "no heartbeats on the serial cable");
            None
        }
    }
}

async fn serial_beats(line: Arc<SerialPort>, send: mpsc::Sender<PortEvent>) {
    while !send.is_closed() {
        match line.receive().await {
            Ok(bytes) => {
                let event = PortEvent::Beat { path: Path::Serial, bytes, from: None };
                let _ = send.try_send(event);
            }
            Err(error) => {
                tracing::warn!(%error, "the serial cable");
                tokio::time::sleep(RETRY * 10).await;
            }
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
                    let _ =
                        send.try_send(PortEvent::Beat { path: Path::Crossover, bytes, from: None });
                }
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn carriers(
    lan: u32,
    crossover: u32,
    lan_carrier: watch::Sender<bool>,
    send: mpsc::Sender<PortEvent>,
) {
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
            _ if index == lan => {
                lan_carrier.send_if_modified(|known| std::mem::replace(known, up) != up);
                Path::Lan
            }
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

fn failover_side(side: control::Side) -> Side {
    match side {
        control::Side::A => Side::A,
        control::Side::B => Side::B,
    }
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
mod tests;
