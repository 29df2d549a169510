//! The box's own addresses on the LAN: which of them can be used now, and why not the others.
//!
//! PID 1 has put the fixed ones on the port. What it had to leave out because another machine had it is
//! tried again here; IPv6 addresses that the kernel found taken likewise. Without an own address the
//! box still serves, and the pair still has its crossover.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use control::Site;
use control::site::Own;
use linux::net::dhcp::Lease;
use linux::net::{Address, AddressOnPort, Network, Use};
use tokio::sync::{mpsc, watch};

use super::neighbours::Neighbours;
use crate::ports::PortEvent;

/// How often the port is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often an address that another machine has is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What is known now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    /// On the port and free to use.
    pub usable: Vec<Address>,
    /// That should be this box's, whether they are on the port or not.
    pub fixed: Vec<IpAddr>,
    /// The ways out that DHCP or a router named.
    pub gateways: Vec<IpAddr>,
    /// NTP servers that DHCP named.
    pub time_servers: Vec<IpAddr>,
    pub ipv6_is_automatic: bool,
}

impl OwnAddresses {
    #[must_use]
    pub fn of(&self, ipv6: bool) -> Option<IpAddr> {
        self.usable.iter().map(|own| own.ip).find(|ip| ip.is_ipv6() == ipv6)
    }

    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        match self.of(false) {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        }
    }

    /// Whether nobody else on the LAN should have this address.
    #[must_use]
    pub fn wanted(&self, ip: IpAddr) -> bool {
        self.fixed.contains(&ip) || self.usable.iter().any(|own| own.ip == ip)
    }
}

/// Keeps them.
pub struct Keeper {
    network: Network,
    lan_index: u32,
    fixed: Vec<Address>,
    automatic_ipv6: bool,
    services: Vec<IpAddr>,
    neighbours: Neighbours,
    lease: watch::Receiver<Option<Lease>>,
    publish: watch::Sender<OwnAddresses>,
    send: mpsc::Sender<PortEvent>,
    tried: HashMap<IpAddr, Instant>,
    /// Those for which a conflict was told because they cannot be used.
    told: Vec<IpAddr>,
}

impl Keeper {
    pub fn new(
        site: &Site,
        network: Network,
        lan_index: u32,
        neighbours: Neighbours,
        lease: watch::Receiver<Option<Lease>>,
        send: mpsc::Sender<PortEvent>,
    ) -> (Keeper, watch::Receiver<OwnAddresses>) {
        let fixed: Vec<Address> = site.lan.static_addresses().map(super::address).collect();
        let automatic_ipv6 = site.lan.ipv6 == Some(Own::Automatic);
        let (publish, published) = watch::channel(OwnAddresses {
            fixed: fixed.iter().map(|own| own.ip).collect(),
            ipv6_is_automatic: automatic_ipv6,
            ..OwnAddresses::default()
        });
        let services = site.service.all().map(|service| service.address).collect();
        let (tried, told) = Default::default();
        let keeper = Keeper {
            network,
            lan_index,
            fixed,
            automatic_ipv6,
            services,
            neighbours,
            lease,
            publish,
            send,
            tried,
            told,
        };
        (keeper, published)
    }

    /// Runs until nobody listens any more.
    pub async fn run(mut self) {
        while !self.send.is_closed() {
            match self.network.addresses(self.lan_index).await {
                Ok(found) => {
                    self.publish(&found).await;
                    self.mend(&found).await;
                }
                Err(error) => tracing::warn!(%error, "looking at this box's own addresses"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                // Without DHCP its sender is gone and this never comes.
                Ok(()) = self.lease.changed() => {}
            }
        }
    }

    async fn publish(&mut self, found: &[AddressOnPort]) {
        let usable = |found: &&AddressOnPort| !found.tentative && !found.duplicate;
        let is_fixed = |ip: IpAddr| self.fixed.iter().any(|own| own.ip == ip);
        let lease = self.lease.borrow_and_update().clone();
        let is_mine = |found: &&AddressOnPort| {
            let ip = found.address.ip;
            let leased = lease.as_ref().is_some_and(|lease| lease.address.ip == ip);
            is_fixed(ip) || leased || (self.automatic_ipv6 && self.is_from_router(found))
        };
        let usable =
            found.iter().filter(usable).filter(is_mine).map(|found| found.address).collect();
        let mut gateways: Vec<IpAddr> = Vec::new();
        let mut time_servers: Vec<IpAddr> = Vec::new();
        if let Some(lease) = &lease {
            gateways.extend(lease.gateways.iter().map(|ip| IpAddr::V4(*ip)));
            time_servers.extend(lease.time_servers.iter().map(|ip| IpAddr::V4(*ip)));
        }
        if self.automatic_ipv6
            && let Ok(routes) = self.network.default_gateways(self.lan_index).await
        {
            gateways.extend(routes.into_iter().filter(IpAddr::is_ipv6));
        }
        self.publish.send_if_modified(|known| {
            let fixed = known.fixed.clone();
            let ipv6_is_automatic = known.ipv6_is_automatic;
            let now = OwnAddresses { usable, fixed, gateways, time_servers, ipv6_is_automatic };
            let changed = *known != now;
            *known = now;
            changed
        });
    }

    fn is_from_router(&self, found: &AddressOnPort) -> bool {
        match found.address.ip {
            IpAddr::V6(ip) => {
                found.dynamic && !ip.is_unicast_link_local() && !self.services.contains(&ip.into())
            }
            IpAddr::V4(_) => false,
        }
    }

    /// Puts the fixed ones on the port that are not there, or are there and of no use.
    async fn mend(&mut self, found: &[AddressOnPort]) {
        for own in self.fixed.clone() {
            let there = found.iter().find(|found| found.address.ip == own.ip);
            match there {
                Some(there) if there.tentative && !there.duplicate => {}
                Some(there) if !there.duplicate => self.tell(own.ip, None),
                Some(_) => {
                    self.tell(own.ip, Some(self.neighbours.stranger(own.ip)));
                    if self.is_due(own.ip) {
                        let _ = self.network.remove_address(self.lan_index, own).await;
                        self.put(own).await;
                    }
                }
                None if !self.is_due(own.ip) => {}
                // The kernel asks for those of IPv6.
                None if own.ip.is_ipv6() => self.put(own).await,
                None => match self.neighbours.holder(own.ip).await {
                    None => self.put(own).await,
                    holder => self.tell(own.ip, Some(holder)),
                },
            }
        }
    }

    fn is_due(&mut self, ip: IpAddr) -> bool {
        let due = self.tried.get(&ip).is_none_or(|at| at.elapsed() >= TRY_AGAIN);
        if due {
            self.tried.insert(ip, Instant::now());
        }
        due
    }

    async fn put(&self, own: Address) {
        match self.network.put_address(self.lan_index, own, Use::Own).await {
            Ok(_) => tracing::info!(address = %own, "this box's own address"),
            Err(error) => tracing::warn!(address = %own, %error, "this box's own address"),
        }
    }

    /// Says once that an address cannot be used because of another machine, and once that it can.
    fn tell(&mut self, ip: IpAddr, conflict: Option<Option<linux::Mac>>) {
        let told = self.told.contains(&ip);
        let event = match conflict {
            Some(holder) if !told => {
                self.told.push(ip);
                let holder = Some(holder.unwrap_or(linux::Mac::ZERO));
                PortEvent::Conflict { ip, holder }
            }
            None if told => {
                self.told.retain(|one| *one != ip);
                PortEvent::Conflict { ip, holder: None }
            }
            _ => return,
        };
        let _ = self.send.try_send(event);
    }
}
