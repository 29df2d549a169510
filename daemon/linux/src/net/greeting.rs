//! A small TCP client of our own on a raw port: does somebody greet at this address, at this hardware
//! address?
//!
//! The kernel cannot be asked to connect to an address that it holds itself: it would find itself. So
//! one connection is made here, past the kernel, by smoltcp, and only with whoever has the wanted
//! hardware address. The kernel drops the answers, since they come from an address of its own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, IpProtocol, Ipv4Packet, Ipv6Packet};

use super::ethernet::{self, EtherType};
use super::{Mac, PacketSocket, arp};
use crate::limits::{GREETING_BYTES, GREETING_POLL_MAX};
use crate::{Error, Result};

/// This box on the LAN.
#[derive(Clone, Copy, Debug)]
pub struct From {
    /// The kernel's number of the port.
    pub index: u32,
    pub mac: Mac,
    /// An address of its own, of the family that is asked.
    pub ip: IpAddr,
}

/// Whether a greeting came from `to`, at `at`, within `wait`. Must be called inside a tokio runtime.
///
/// # Errors
/// When the raw sockets cannot be opened, or the two addresses are of different families.
pub async fn heard(from: From, to: SocketAddr, at: Mac, wait: Duration) -> Result<bool> {
    if from.ip.is_ipv4() != to.is_ipv4() {
        let problem = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        return Err(Error::kernel(format!("ask {to} from {}", from.ip), problem));
    }
    let kind = if to.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
    let packets = PacketSocket::bind(from.index, kind)?;
    let neighbours = PacketSocket::bind(from.index, EtherType::ARP)?;
    let mut client = Client::new(from, to);
    let asking = async {
        let (mut packet, mut neighbour) = ([0; FRAME_BYTES], [0; FRAME_BYTES]);
        loop {
            if let Some(greeted) = client.turn() {
                return greeted;
            }
            for frame in client.device.sent.drain(..) {
                let socket = if is_arp(&frame) { &neighbours } else { &packets };
                // What does not get out is sent again.
                let _ = socket.try_send(&frame);
            }
            let pause = client.pause();
            tokio::select! {
                Ok(length) = packets.receive(&mut packet) => {
                    client.take(&packet[..length], to.ip(), at);
                }
                Ok(length) = neighbours.receive(&mut neighbour) => {
                    client.take(&neighbour[..length], to.ip(), at);
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    };
    let greeted = tokio::time::timeout(wait, asking).await.unwrap_or(false);
    client.end();
    for frame in client.device.sent.drain(..) {
        let _ = packets.try_send(&frame);
    }
    Ok(greeted)
}

struct Client {
    interface: Interface,
    device: Device,
    sockets: SocketSet<'static>,
    handle: smoltcp::iface::SocketHandle,
}

impl Client {
    fn new(from: From, to: SocketAddr) -> Client {
        let mut device = Device::default();
        let mut config = Config::new(HardwareAddress::Ethernet(from.mac.wire()));
        // Only the number of the first segment depends on it.
        config.random_seed = Instant::now().total_micros().unsigned_abs();
        let mut interface = Interface::new(config, &mut device, Instant::now());
        // Whoever is asked is on this LAN, whatever its network.
        let everything_is_near = IpCidr::new(from.ip.into(), 0);
        interface.update_ip_addrs(|addresses| {
            addresses.push(everything_is_near).expect("there is room for one");
        });
        let buffer = || tcp::SocketBuffer::new(vec![0; GREETING_BYTES]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        let local = FIRST_PORT + (Instant::now().total_micros() % PORTS) as u16;
        socket
            .connect(interface.context(), (to.ip(), to.port()), local)
            .expect("a new socket, and both ports are given");
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Client { interface, device, sockets, handle }
    }

    /// Moves everything on; an answer when there is one.
    fn turn(&mut self) -> Option<bool> {
        self.interface.poll(Instant::now(), &mut self.device, &mut self.sockets);
        let socket = self.sockets.get::<tcp::Socket<'_>>(self.handle);
        if socket.can_recv() {
            return Some(true);
        }
        // Refused, or closed without a word.
        (!socket.is_active() || !socket.may_recv() && socket.state() != tcp::State::SynSent)
            .then_some(false)
    }

    fn pause(&mut self) -> Duration {
        let delay = self.interface.poll_delay(Instant::now(), &self.sockets);
        delay.map_or(GREETING_POLL_MAX, |delay| Duration::from(delay).min(GREETING_POLL_MAX))
    }

    /// Only what the one who is asked says about itself: everything else on this LAN is the kernel's.
    fn take(&mut self, frame: &[u8], ip: IpAddr, at: Mac) {
        let Some(parts) = ethernet::parse(frame).filter(|parts| parts.source == at) else { return };
        let is_meant =
            match (parts.kind, ip) {
                (EtherType::ARP, IpAddr::V4(ip)) => {
                    arp::parse(frame).is_some_and(|arp| arp.holder_of(ip) == Some(at))
                }
                (EtherType::IPV4, IpAddr::V4(ip)) => Ipv4Packet::new_checked(parts.payload)
                    .is_ok_and(|packet| {
                        packet.src_addr() == ip && packet.next_header() == IpProtocol::Tcp
                    }),
                (EtherType::IPV6, IpAddr::V6(ip)) => Ipv6Packet::new_checked(parts.payload)
                    .is_ok_and(|packet| packet.src_addr() == ip),
                _ => false,
            };
        if is_meant {
            self.device.come.push_back(frame.to_vec());
        }
    }

    fn end(&mut self) {
        self.sockets.get_mut::<tcp::Socket<'_>>(self.handle).abort();
        self.interface.poll(Instant::now(), &mut self.device, &mut self.sockets);
    }
}

fn is_arp(frame: &[u8]) -> bool {
    ethernet::parse(frame).is_some_and(|parts| parts.kind == EtherType::ARP)
}

/// Two queues of frames.
#[derive(Default)]
struct Device {
    come: std::collections::VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl phy::Device for Device {
    type RxToken<'a> = Come;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Come, Sending<'_>)> {
        let frame = self.come.pop_front()?;
        Some((Come(frame), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        // A port that leaves sums to the hardware shows frames without them.
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}

struct Come(Vec<u8>);

impl phy::RxToken for Come {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

/// 1500 bytes of payload and the Ethernet header.
const FRAME_BYTES: usize = 1514;
/// Connections come from these ports: above those that the kernel gives (`ip_local_port_range`).
const FIRST_PORT: u16 = 61_000;
const PORTS: i64 = 4_000;
