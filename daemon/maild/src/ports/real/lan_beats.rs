//! Heartbeats over the LAN: UDP between the boxes' own addresses, over IPv4 and over IPv6 where both
//! have both. Failover counts what comes in twice once.
//!
//! Where the site file names no address of the peer (both get theirs by themselves), heartbeats go to a
//! group on the LAN, and the seal tells the peer's from everybody else's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, RwLock};

use failover::Path;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use super::own::OwnAddresses;
use super::{FRAME_BYTES, RETRY};
use crate::ports::PortEvent;

/// UDP port of the heartbeats on the LAN.
const PORT: u16 = 7401;
/// For experiments, never routed (RFC 4727 §2.4.2 and §3.3).
const GROUP_IPV4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 254);
const GROUP_IPV6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x114);

/// The sockets of both families, as far as there are own addresses now.
#[derive(Clone)]
pub struct LanBeats {
    families: [Arc<Family>; 2],
}

struct Family {
    ipv6: bool,
    lan_index: u32,
    /// `None`: the group.
    peer: Option<IpAddr>,
    /// Bound to the own address, and so its sender.
    socket: RwLock<Option<Arc<UdpSocket>>>,
}

impl LanBeats {
    /// Sends and receives from now on, whenever there is an own address to do it with.
    pub fn start(
        peers: &[IpAddr],
        lan_index: u32,
        own: watch::Receiver<OwnAddresses>,
        send: &mpsc::Sender<PortEvent>,
    ) -> LanBeats {
        let families = [false, true].map(|ipv6| {
            let peer = peers.iter().copied().find(|peer| peer.is_ipv6() == ipv6);
            Arc::new(Family { ipv6, lan_index, peer, socket: RwLock::default() })
        });
        for family in &families {
            // With one family named, the other one is not guessed.
            if family.peer.is_some() || peers.is_empty() {
                tokio::spawn(family.clone().run(own.clone(), send.clone()));
            }
        }
        LanBeats { families }
    }

    /// Sends one now or not at all.
    pub fn send(&self, bytes: &[u8]) {
        for family in &self.families {
            let socket = family.socket.read().expect("no holder panics").clone();
            if let Some(socket) = socket {
                // A heartbeat that cannot be sent is silence, which the peer knows how to read.
                let _ = socket.try_send_to(bytes, family.destination());
            }
        }
    }
}

impl Family {
    /// Binds again whenever the own address is another one.
    async fn run(
        self: Arc<Self>,
        mut own: watch::Receiver<OwnAddresses>,
        send: mpsc::Sender<PortEvent>,
    ) {
        loop {
            let address = own.borrow_and_update().of(self.ipv6);
            let received = async {
                let Some(address) = address else { return std::future::pending().await };
                match self.open(address).await {
                    Ok((sender, group)) => self.receive(&sender, group.as_ref(), &send).await,
                    Err(error) => tracing::warn!(%address, %error, "heartbeats on the LAN"),
                }
                tokio::time::sleep(RETRY * 10).await;
            };
            tokio::select! {
                () = received => {}
                changed = own.wait_for(|now| now.of(self.ipv6) != address) => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            *self.socket.write().expect("no holder panics") = None;
            if send.is_closed() {
                return;
            }
        }
    }

    async fn open(&self, own: IpAddr) -> std::io::Result<(Arc<UdpSocket>, Option<UdpSocket>)> {
        let sender = Arc::new(UdpSocket::bind(self.scoped(own)).await?);
        let group = match (self.peer, own) {
            (Some(_), _) => None,
            (None, IpAddr::V4(own)) => {
                let group = UdpSocket::bind((GROUP_IPV4, PORT)).await?;
                group.join_multicast_v4(GROUP_IPV4, own)?;
                sender.set_multicast_loop_v4(false)?;
                Some(group)
            }
            (None, IpAddr::V6(_)) => {
                let group = UdpSocket::bind(self.scoped(GROUP_IPV6.into())).await?;
                group.join_multicast_v6(&GROUP_IPV6, self.lan_index)?;
                sender.set_multicast_loop_v6(false)?;
                Some(group)
            }
        };
        *self.socket.write().expect("no holder panics") = Some(sender.clone());
        Ok((sender, group))
    }

    async fn receive(
        &self,
        own: &UdpSocket,
        group: Option<&UdpSocket>,
        send: &mpsc::Sender<PortEvent>,
    ) {
        let socket = group.unwrap_or(own);
        let mut buffer = vec![0; FRAME_BYTES];
        while !send.is_closed() {
            match socket.recv_from(&mut buffer).await {
                Ok((length, from)) if self.peer.is_none_or(|peer| peer == from.ip()) => {
                    let bytes = buffer[..length].to_vec();
                    let from = Some(from.ip());
                    let _ = send.try_send(PortEvent::Beat { path: Path::Lan, bytes, from });
                }
                Ok(_) => {}
                // The peer's refusal of an earlier heartbeat, say.
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    fn destination(&self) -> SocketAddr {
        let group = if self.ipv6 { GROUP_IPV6.into() } else { GROUP_IPV4.into() };
        self.scoped(self.peer.unwrap_or(group))
    }

    fn scoped(&self, ip: IpAddr) -> SocketAddr {
        scoped(ip, PORT, self.lan_index)
    }
}

/// Addresses that mean something on one port only get that port's number.
pub fn scoped(ip: IpAddr, port: u16, index: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() || ip.is_multicast() => {
            SocketAddrV6::new(ip, port, 0, index).into()
        }
        _ => SocketAddr::new(ip, port),
    }
}
