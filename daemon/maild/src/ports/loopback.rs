//! Two processes on one machine: each path is a UDP socket on loopback, addresses stay where they are.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use failover::Path;
use failover::beat::Listener;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{EVENTS_MAX, Events, PortEvent};

/// Longer than any heartbeat.
const DATAGRAM_BYTES: usize = 1500;

pub struct LoopbackPorts {
    crossover: std::sync::Arc<UdpSocket>,
    lan: std::sync::Arc<UdpSocket>,
    peer_crossover: SocketAddr,
    peer_lan: SocketAddr,
    pub peer_link: SocketAddr,
    link_port: u16,
}

/// Where one process of such a pair is: three consecutive ports (link, crossover, LAN).
#[derive(Clone, Copy, Debug)]
pub struct Local {
    pub link: SocketAddr,
}

impl Local {
    fn shifted(self, by: u16) -> SocketAddr {
        SocketAddr::new(self.link.ip(), self.link.port() + by)
    }
}

impl LoopbackPorts {
    /// # Errors
    /// Which address cannot be bound.
    pub async fn open(own: Local, peer: Local) -> Result<(LoopbackPorts, Events)> {
        let (send, events) = mpsc::channel(EVENTS_MAX);
        let mut sockets = Vec::new();
        for (path, shift) in [(Path::Crossover, 1), (Path::Lan, 2)] {
            let address = own.shifted(shift);
            let socket = UdpSocket::bind(address).await;
            let socket = std::sync::Arc::new(socket.with_context(|| format!("binding {address}"))?);
            sockets.push(socket.clone());
            let send = send.clone();
            send.try_send(PortEvent::Carrier { path, up: true })?;
            tokio::spawn(receive(path, socket, send));
        }
        send.try_send(PortEvent::Gateway { reachable: true })?;
        let ports = LoopbackPorts {
            lan: sockets.remove(1),
            crossover: sockets.remove(0),
            peer_crossover: peer.shifted(1),
            peer_lan: peer.shifted(2),
            peer_link: peer.link,
            link_port: own.link.port(),
        };
        Ok((ports, events))
    }

    pub fn send_beat(&self, path: Path, bytes: &[u8]) {
        // A peer that does not listen refuses; its silence says it all.
        let _ = match path {
            Path::Crossover => self.crossover.try_send_to(bytes, self.peer_crossover),
            Path::Lan => self.lan.try_send_to(bytes, self.peer_lan),
            Path::Serial => return,
        };
    }

    #[must_use]
    pub fn listener(&self) -> Listener {
        Listener { link_local: [0; 16], port: self.link_port }
    }
}

async fn receive(path: Path, socket: std::sync::Arc<UdpSocket>, send: mpsc::Sender<PortEvent>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        // An error is the peer's refusal of an earlier heartbeat (ICMP): nothing to do.
        if let Ok((length, _)) = socket.recv_from(&mut buffer).await {
            let bytes = buffer[..length].to_vec();
            let _ = send.try_send(PortEvent::Beat { path, bytes, from: None });
        }
        if send.is_closed() {
            return;
        }
    }
}
