//! The two ports: own address and route on the LAN, a link-local address on the crossover.
//!
//! Service addresses are maild's. Only taking them away is also PID 1's.

use std::time::Instant;

use control::site::{Network, Site};
use linux::net::ports::{self, Choice, Port};
use linux::net::{Address, Netlink};
use linux::{Mac, link_local};

use crate::emergency;
use crate::limits::{DEVICE_LOOK_EVERY, PORTS_WAIT};
use crate::log::Log;

/// What PID 1 can take off the LAN port.
#[derive(Debug, Default)]
pub struct ServiceAddresses {
    place: Option<(u32, [Address; 2])>,
}

/// Brings the network up as far as it goes. What is missing is a complaint for the owner.
pub fn set_up(site: &Site, log: &mut Log) -> (ServiceAddresses, Vec<String>) {
    match try_set_up(site, log) {
        Ok(done) => done,
        Err(error) => (ServiceAddresses::default(), vec![format!("no network: {error}")]),
    }
}

fn try_set_up(site: &Site, log: &mut Log) -> linux::Result<(ServiceAddresses, Vec<String>)> {
    let mut netlink = Netlink::open()?;
    if let Some(loopback) = netlink.link("lo")? {
        netlink.set_up(loopback.index)?;
    }
    let choice = wait_for_ports(&mut netlink, site)?;
    let mut complaints = choice.complaints;
    let mut addresses = ServiceAddresses::default();
    if let Some(port) = &choice.lan {
        log.line("init", &format!("LAN is {} ({}), {}", port.name, port.mac, site.lan.address));
        if let Err(error) = set_up_lan(&mut netlink, port, site) {
            complaints.push(format!("LAN: {error}"));
        }
        let both = [site.service.a, site.service.b].map(address);
        addresses.place = Some((port.index, both));
        emergency::remember_service_addresses(port.index, both);
    }
    if let Some(port) = &choice.crossover {
        let ip = link_local(port.mac);
        log.line("init", &format!("crossover is {} ({}), {ip}", port.name, port.mac));
        if let Err(error) = set_up_crossover(&mut netlink, port) {
            complaints.push(format!("crossover: {error}"));
        }
    }
    Ok((addresses, complaints))
}

fn wait_for_ports(netlink: &mut Netlink, site: &Site) -> linux::Result<Choice> {
    let started = Instant::now();
    let mac = |mac: Option<control::site::Mac>| mac.map(|mac| Mac(mac.0));
    loop {
        let all = ports::all(netlink)?;
        let choice = ports::choose(&all, mac(site.lan.mac), mac(site.crossover.mac));
        if choice.complaints.is_empty() || started.elapsed() >= PORTS_WAIT {
            return Ok(choice);
        }
        std::thread::sleep(DEVICE_LOOK_EVERY);
    }
}

fn set_up_lan(netlink: &mut Netlink, port: &Port, site: &Site) -> linux::Result<()> {
    netlink.set_up(port.index)?;
    netlink.add_address(port.index, address(site.lan.address))?;
    if let Some(gateway) = site.lan.gateway {
        netlink.set_default_route(port.index, gateway, Some(site.lan.address.address))?;
    }
    Ok(())
}

/// The kernel would make the same address itself, but only once it sees a carrier: maild listens on
/// it from the start.
fn set_up_crossover(netlink: &mut Netlink, port: &Port) -> linux::Result<()> {
    netlink.set_up(port.index)?;
    let ip = link_local(port.mac).into();
    netlink.add_address(port.index, Address { ip, prefix_length: 64 })?;
    Ok(())
}

impl ServiceAddresses {
    /// Takes both service addresses off the LAN port, whichever are there: maild does not answer
    /// for them any more, and the peer shall.
    pub fn remove(&self, log: &mut Log) {
        let Some((port, addresses)) = self.place else { return };
        let mut netlink = match Netlink::open() {
            Ok(netlink) => netlink,
            Err(error) => return log.line("init", &error.to_string()),
        };
        for address in addresses {
            match netlink.remove_address(port, address) {
                Ok(false) => {}
                Ok(true) => log.line("init", &format!("took {address} off the LAN port")),
                Err(error) => log.line("init", &error.to_string()),
            }
        }
    }
}

fn address(network: Network) -> Address {
    Address { ip: network.address, prefix_length: network.prefix_length }
}
