//! The site file: the few things that only the owner of the pair can know.
//!
//! It is TOML, read once at boot by init and by maild. Whatever a [`Site`] holds has been checked,
//! so no reader needs to check it again. Unknown keys are refused: a misspelt `gateway` that is
//! silently ignored is found at the worst moment.

mod agreement;
mod failover;
mod parse;
mod values;
mod write;

use std::net::IpAddr;

pub use failover::{Failover, Witness};
pub use parse::SiteError;
pub use values::{Mac, Network, Secret};

use crate::status::Side;

/// A checked site file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub side: Side,
    pub hostname: String,
    /// The mail domain that is created at the first start.
    pub domain: String,
    /// The same on both boxes; pairing and heartbeat keys are derived from it.
    pub pair_token: Secret,
    /// This box may serve alone from a blank disk. True on exactly one of the two.
    pub first: bool,
    /// The panel's password at the first start; without one the console has to set it.
    pub admin_password: Option<Secret>,
    pub lan: Lan,
    pub service: Service,
    pub crossover: Crossover,
    /// A second serial port with a null-modem cable to the peer.
    pub serial: Option<Serial>,
    pub time: Time,
    pub timing: Timing,
    pub failover: Failover,
}

/// The port that clients come in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// Which port; `None` is the first by PCI order.
    pub mac: Option<Mac>,
    /// The box's own IPv4 address, held whatever the view.
    pub ipv4: Option<Own>,
    /// The box's own IPv6 address, likewise.
    pub ipv6: Option<Own>,
    /// The ways out of the LAN, the preferred one of each family first. Empty where they come by
    /// DHCP or router advertisements, or where there are none.
    pub gateways: Vec<IpAddr>,
    /// The peer's own addresses, at most one of each family. Without one, the peer is found by
    /// its heartbeats.
    pub peers: Vec<IpAddr>,
    /// The LAN is this VLAN on the port (IEEE 802.1Q), 1 to 4094.
    pub vlan: Option<u16>,
    /// Bytes of the longest packet; `None` leaves what the driver chose.
    pub mtu: Option<u16>,
}

/// Where the box's own address of one family comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Static(Network),
    /// IPv4: DHCP. IPv6: the router's prefix and the port's hardware address (SLAAC).
    Automatic,
}

/// The addresses that clients use: of each side one of IPv4, one of IPv6, or both. The two sides
/// have the same families.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub a: Vec<Network>,
    pub b: Vec<Network>,
}

/// A serial port for heartbeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serial {
    /// `/dev/ttyS1`
    pub device: String,
}

/// Where the time comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// NTP servers. Without any, the ones that DHCP names; without those the clock runs free. The
    /// gateway is not asked by itself: a router that has just started knows the time least of all.
    pub servers: Vec<IpAddr>,
}

/// The port with the cable to the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossover {
    /// Which port; `None` is the second by PCI order, or the one that is left when the LAN names
    /// its.
    pub mac: Option<Mac>,
}

/// How patient a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Silence on all paths for this long means that the peer is dead.
    pub dead_after_ms: u64,
    /// A box that starts and hears no peer waits this long before it serves alone.
    pub cold_start_wait_ms: u64,
}

impl Site {
    /// Reads a site file.
    ///
    /// # Errors
    /// What is wrong, in which field, at which line.
    pub fn parse(text: &str) -> Result<Site, SiteError> {
        parse::site(text)
    }

    /// The site file that says this, with a comment at each field that needs one.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::site(self)
    }

    /// The box's name for people: the first label of its host name.
    #[must_use]
    pub fn box_name(&self) -> &str {
        self.hostname.split('.').next().unwrap_or(&self.hostname)
    }
}

impl Lan {
    /// The box's own addresses that the site file gives.
    pub fn static_addresses(&self) -> impl Iterator<Item = Network> + use<> {
        [self.ipv4, self.ipv6].into_iter().flatten().filter_map(|own| match own {
            Own::Static(network) => Some(network),
            Own::Automatic => None,
        })
    }

    /// The peer's own address of one family.
    #[must_use]
    pub fn peer(&self, ipv6: bool) -> Option<IpAddr> {
        self.peers.iter().copied().find(|peer| peer.is_ipv6() == ipv6)
    }

    /// The kernel's name for the LAN's interface when it is a VLAN on the port.
    #[must_use]
    pub fn vlan_name(&self) -> Option<String> {
        self.vlan.map(|id| format!("vlan{id}"))
    }
}

impl Service {
    /// The service addresses that belong to `side`.
    #[must_use]
    pub fn of(&self, side: Side) -> &[Network] {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// Those of both sides.
    pub fn all(&self) -> impl Iterator<Item = Network> {
        self.a.iter().chain(&self.b).copied()
    }
}
