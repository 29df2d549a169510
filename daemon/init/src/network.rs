//! The two ports: own address and route on the LAN, a link-local address on the crossover.
//!
//! Service addresses are maild's. Only taking them away is also PID 1's.

use std::net::IpAddr;
use std::time::Instant;

use control::site::{Network, Own, Site};
use linux::net::ports::{self, Choice, Port};
use linux::net::{Address, Netlink, Use, arp_holder};
use linux::{Mac, link_local};

use crate::emergency;
use crate::limits::{CARRIER_WAIT, DEVICE_LOOK_EVERY, PORTS_WAIT};
use crate::log::Log;

/// What PID 1 can take off the LAN port.
#[derive(Debug, Default)]
pub struct ServiceAddresses {
    place: Option<(u32, Vec<Address>)>,
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
    // The crossover first: it needs nobody's answer.
    if let Some(port) = &choice.crossover {
        let ip = link_local(port.mac);
        log.line("init", &format!("crossover is {} ({}), {ip}", port.name, port.mac));
        if let Err(error) = set_up_crossover(&mut netlink, port) {
            complaints.push(format!("crossover: {error}"));
        }
    }
    if let Some(port) = &choice.lan {
        log.line("init", &format!("LAN is {} ({}), {}", port.name, port.mac, own_words(site)));
        match lan_interface(&mut netlink, port, site, log) {
            Ok(lan) => {
                let all: Vec<Address> = site.service.all().map(address).collect();
                addresses.place = Some((lan.index, all.clone()));
                emergency::remember_service_addresses(lan.index, all);
                set_up_lan(&mut netlink, &lan, site, &mut complaints);
            }
            Err(error) => complaints.push(format!("LAN: {error}")),
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

/// The port, or the VLAN on it; switched off still.
fn lan_interface(
    netlink: &mut Netlink,
    port: &Port,
    site: &Site,
    log: &mut Log,
) -> linux::Result<Port> {
    if let Some(mtu) = site.lan.mtu {
        // The port is of use with another length, too.
        if let Err(error) = netlink.set_mtu(port.index, mtu) {
            log.line("init", &error.to_string());
        }
    }
    let (Some(id), Some(name)) = (site.lan.vlan, site.lan.vlan_name()) else {
        return Ok(port.clone());
    };
    match netlink.add_vlan(port.index, &name, id) {
        Err(error) if !error.is_present() => return Err(error),
        _ => netlink.set_up(port.index)?,
    }
    let index = netlink.link(&name)?.map_or(port.index, |link| link.index);
    Ok(Port { index, name, ..port.clone() })
}

/// What fails is a complaint, and the rest goes on: without its own address a box can still serve.
fn set_up_lan(netlink: &mut Netlink, port: &Port, site: &Site, complaints: &mut Vec<String>) {
    let mut complain = |result: linux::Result<()>| {
        if let Err(error) = result {
            complaints.push(format!("LAN: {error}"));
        }
    };
    for (name, value) in ipv6_settings(&port.name, site) {
        complain(linux::host::write_setting(&name, value));
    }
    complain(netlink.set_up(port.index));
    let mut placed = Vec::new();
    for own in site.lan.static_addresses().map(address) {
        let put = put_own(netlink, port, own);
        placed.extend(put.is_ok().then_some(own.ip));
        complain(put);
    }
    // Without an address on its network a gateway is out of reach; maild sets the route later.
    let source = placed.iter().copied().find(IpAddr::is_ipv4);
    for gateway in first_of_each_family(&site.lan.gateways) {
        if placed.iter().any(|own| own.is_ipv6() == gateway.is_ipv6()) {
            complain(netlink.set_default_route(port.index, gateway, source));
        }
    }
}

/// Own addresses of IPv6 are checked by the kernel before they are used; those of a router's
/// prefix are made only where the owner wants that.
fn ipv6_settings(interface: &str, site: &Site) -> [(String, &'static str); 2] {
    let accept = if site.lan.ipv6 == Some(Own::Automatic) { "1" } else { "0" };
    [("accept_dad", "1"), ("accept_ra", accept)]
        .map(|(name, value)| (format!("net/ipv6/conf/{interface}/{name}"), value))
}

/// An IPv4 address that another machine has is not used (RFC 5227 §2.1); maild asks again later.
/// Without a carrier there is nobody to ask, and maild watches for other holders from then on.
fn put_own(netlink: &mut Netlink, port: &Port, own: Address) -> linux::Result<()> {
    if let IpAddr::V4(ip) = own.ip
        && wait_for_carrier(netlink, &port.name)?
        && let Some(holder) = arp_holder(port.index, port.mac, ip)?
    {
        let what = format!("this box's own address {ip} is in use by the machine {holder}");
        return Err(linux::Error::in_use(what));
    }
    netlink.put_address(port.index, own, Use::Own)?;
    Ok(())
}

fn wait_for_carrier(netlink: &mut Netlink, name: &str) -> linux::Result<bool> {
    let started = Instant::now();
    loop {
        if netlink.link(name)?.is_some_and(|link| link.carrier) {
            return Ok(true);
        }
        if started.elapsed() >= CARRIER_WAIT {
            return Ok(false);
        }
        std::thread::sleep(DEVICE_LOOK_EVERY);
    }
}

/// The owner's order is the order of preference; maild takes another when the first is silent.
fn first_of_each_family(gateways: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let first = |ipv6: bool| gateways.iter().copied().find(move |ip| ip.is_ipv6() == ipv6);
    [first(false), first(true)].into_iter().flatten()
}

fn own_words(site: &Site) -> String {
    let word = |own: Option<Own>, automatic: &str| match own {
        Some(Own::Static(network)) => Some(network.to_string()),
        Some(Own::Automatic) => Some(automatic.to_owned()),
        None => None,
    };
    let words = [word(site.lan.ipv4, "DHCP"), word(site.lan.ipv6, "router's prefix")];
    words.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// The kernel would make the same address itself when the port is on, but only once it sees a carrier, and then
/// looks for another holder for a second or two. maild listens on it from the start, and on a cable with two ends
/// there is nobody else.
fn set_up_crossover(netlink: &mut Netlink, port: &Port) -> linux::Result<()> {
    let ip = link_local(port.mac).into();
    netlink.put_address(port.index, Address { ip, prefix_length: 64 }, Use::Cable)?;
    netlink.set_up(port.index)
}

impl ServiceAddresses {
    /// Takes all service addresses off the LAN port, whichever are there: maild does not answer
    /// for them any more, and the peer shall.
    pub fn remove(&self, log: &mut Log) {
        let Some((port, addresses)) = &self.place else { return };
        let mut netlink = match Netlink::open() {
            Ok(netlink) => netlink,
            Err(error) => return log.line("init", &error.to_string()),
        };
        for address in addresses {
            match netlink.remove_address(*port, *address) {
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

#[cfg(test)]
mod tests;
