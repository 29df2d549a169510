//! The box's ports: heartbeats in and out, the service addresses, carrier, gateway, other holders.
//!
//! [`Ports`] is one of two: [`real::RealPorts`] on a box, [`loopback::LoopbackPorts`] for a pair of
//! processes on one machine, where addresses are not moved. Everything that happens comes as a
//! [`PortEvent`] through one channel.

pub mod loopback;
pub mod real;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use failover::{Path, Side};
use linux::Mac;
use linux::net::Stragglers;
use tokio::sync::mpsc;

use crate::guard::{self, Pulse};
use crate::holder::Here;

/// What a port brought.
#[derive(Debug)]
pub enum PortEvent {
    /// Bytes that may be a heartbeat.
    Beat {
        path: Path,
        bytes: Vec<u8>,
        /// Its sender on the LAN, which proves nothing.
        from: Option<IpAddr>,
    },
    Carrier {
        path: Path,
        up: bool,
    },
    Gateway {
        reachable: bool,
    },
    /// Somebody else was seen with a service address.
    SecondHolder {
        address: Side,
        ip: IpAddr,
        mac: Mac,
    },
    /// A third machine has an address that this box should have (all zero: the kernel knows that there
    /// is one), or nobody has it any more.
    Conflict {
        ip: IpAddr,
        holder: Option<Mac>,
    },
}

/// Events that wait for the failover task. Heartbeats beyond are dropped: newer ones follow.
pub const EVENTS_MAX: usize = 1024;

pub type Events = mpsc::Receiver<PortEvent>;

pub enum Ports {
    Real(real::RealPorts),
    Loopback(loopback::LoopbackPorts),
}

impl Ports {
    /// Sends a heartbeat now or not at all: the next one comes in 50 ms.
    pub fn send_beat(&self, path: Path, bytes: &[u8]) {
        match self {
            Ports::Real(ports) => ports.send_beat(path, bytes),
            Ports::Loopback(ports) => ports.send_beat(path, bytes),
        }
    }

    /// `handed`: the peer has just let go of it.
    pub async fn take(&mut self, side: Side, handed: bool) {
        match self {
            Ports::Real(ports) => ports.take(side, handed).await,
            Ports::Loopback(_) => {}
        }
    }

    pub async fn give(&mut self, side: Side) {
        match self {
            Ports::Real(ports) => ports.give(side).await,
            Ports::Loopback(_) => {}
        }
    }

    pub fn announce(&self, side: Side) {
        if let Ports::Real(ports) = self {
            ports.announce(side);
        }
    }

    /// Asks the LAN who holds an address; an answer comes as [`PortEvent::SecondHolder`].
    pub fn probe(&self, side: Side) {
        if let Ports::Real(ports) = self {
            ports.probe(side);
        }
    }

    /// How this box asks others on the LAN; `None` where it does not. `ipv6`: which family.
    #[must_use]
    pub fn here(&self, ipv6: bool) -> Option<Here> {
        match self {
            Ports::Real(ports) => ports.here(ipv6),
            Ports::Loopback(_) => None,
        }
    }

    /// This box's link-local address on the crossover and the port of its replication listener.
    #[must_use]
    pub fn listener(&self) -> failover::beat::Listener {
        match self {
            Ports::Real(ports) => ports.listener(),
            Ports::Loopback(ports) => ports.listener(),
        }
    }

    /// The addresses that belong to a side, where this box moves addresses at all.
    #[must_use]
    pub fn service_addresses(&self, side: Side) -> Vec<IpAddr> {
        match self {
            Ports::Real(ports) => ports.services(side).iter().map(|service| service.ip).collect(),
            Ports::Loopback(_) => Vec::new(),
        }
    }

    /// A heartbeat whose seal is the peer's came from there.
    pub fn peer_is_at(&self, from: IpAddr) {
        if let Ports::Real(ports) = self {
            ports.peer_is_at(from);
        }
    }

    /// Hears who comes for a service address that is about to leave the LAN port.
    #[must_use]
    pub fn stragglers(&self, address: IpAddr) -> Option<Stragglers> {
        let Ports::Real(ports) = self else { return None };
        let stragglers = Stragglers::listen(ports.lan_index(), address);
        stragglers.inspect_err(|error| tracing::warn!(%error, "who comes too late")).ok()
    }

    /// Starts the guard of the service addresses.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn guard(&self, pulse: Pulse, dead_after: Duration) -> anyhow::Result<()> {
        match self {
            Ports::Real(ports) => {
                guard::start(pulse, ports.lan_index(), ports.all_services(), dead_after)
            }
            Ports::Loopback(_) => Ok(()),
        }
    }

    /// Where the peer listens on a path, given what it said of itself.
    #[must_use]
    pub fn peer_address(
        &self,
        path: Path,
        said: Option<failover::beat::Listener>,
    ) -> Option<SocketAddr> {
        match self {
            Ports::Real(ports) => ports.peer_address(path, said),
            Ports::Loopback(ports) => Some(ports.peer_link),
        }
    }

    /// The name of a path's port, for people.
    #[must_use]
    pub fn name(&self, path: Path) -> String {
        match self {
            Ports::Real(ports) => ports.name(path),
            Ports::Loopback(_) => (if path == Path::Serial { "" } else { "lo" }).into(),
        }
    }
}
