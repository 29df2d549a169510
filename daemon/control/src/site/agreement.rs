//! What each value by itself cannot show: that the values of a site file fit each other.

use std::net::IpAddr;

use super::values::is_link_local;
use super::{Network, Own, Site};
use crate::limits;

/// A field by its name in the documentation, and what is wrong with it.
pub(super) type Complaint = (&'static str, String);

pub(super) fn check(site: &Site) -> Result<(), Complaint> {
    own_addresses(site)?;
    gateways(site)?;
    peers(site)?;
    services(site)?;
    each_address_once(site)?;
    mtu(site)?;
    match (site.lan.mac, site.crossover.mac) {
        (Some(lan), Some(crossover)) if lan == crossover => {
            Err(("crossover.mac", format!("{crossover} is lan.mac too")))
        }
        _ => Ok(()),
    }
}

fn own_addresses(site: &Site) -> Result<(), Complaint> {
    match site.lan.static_addresses().find(|own| is_link_local(own.address)) {
        Some(own) => {
            Err(("lan.address", format!("{own} is link-local: no client can be given it")))
        }
        None => Ok(()),
    }
}

fn gateways(site: &Site) -> Result<(), Complaint> {
    let fault = |problem| Err(("lan.gateway", problem));
    for gateway in site.lan.gateways.iter().copied() {
        match own(site, gateway) {
            None => return fault(on_no_network(gateway, site)),
            Some(Own::Automatic) => {
                let how = if gateway.is_ipv4() { "DHCP" } else { "the router's advertisements" };
                return fault(format!("{gateway} is not needed: {how} names the gateway"));
            }
            Some(Own::Static(own)) if !own.contains(gateway) && !is_link_local(gateway) => {
                return fault(on_no_network(gateway, site));
            }
            Some(Own::Static(_)) => {}
        }
    }
    Ok(())
}

fn peers(site: &Site) -> Result<(), Complaint> {
    let automatic = [site.lan.ipv4, site.lan.ipv6].contains(&Some(Own::Automatic));
    if site.lan.peers.is_empty() && !automatic {
        let needed = "missing field `peer`: the other box's own address, as this one's is fixed";
        return Err(("lan.peer", needed.into()));
    }
    for ipv6 in [false, true] {
        let of_family = site.lan.peers.iter().filter(|peer| peer.is_ipv6() == ipv6);
        if of_family.count() > 1 {
            return Err(("lan.peer", format!("more than one {} address", family(ipv6))));
        }
    }
    for peer in site.lan.peers.iter().copied() {
        let reached = match own(site, peer) {
            _ if is_link_local(peer) => peer.is_ipv6(),
            None => false,
            Some(Own::Automatic) => true,
            Some(Own::Static(own)) => own.contains(peer),
        };
        if !reached {
            return Err(("lan.peer", on_no_network(peer, site)));
        }
    }
    Ok(())
}

fn services(site: &Site) -> Result<(), Complaint> {
    for (field, addresses, others, other) in [
        ("service.a", &site.service.a, &site.service.b, "service.b"),
        ("service.b", &site.service.b, &site.service.a, "service.a"),
    ] {
        for address in addresses {
            let ip = address.address;
            if is_link_local(ip) {
                return Err((field, format!("{ip} is link-local: clients need a scope for it")));
            }
            if addresses.iter().filter(|one| one.address.is_ipv6() == ip.is_ipv6()).count() > 1 {
                return Err((field, format!("more than one {} address", family(ip.is_ipv6()))));
            }
            if let Some(Own::Static(own)) = own(site, ip) {
                if !own.contains(ip) {
                    return Err((field, on_no_network(ip, site)));
                }
                if address.prefix_length < own.prefix_length {
                    let problem = format!("{address} is a larger network than lan.address {own}");
                    return Err((field, problem));
                }
            }
            let same = |one: &&Network| one.address.is_ipv6() == ip.is_ipv6();
            let Some(beside) = others.iter().find(same) else {
                let family = family(ip.is_ipv6());
                let problem = format!("{ip} is {family}, and {other} has no {family} address");
                return Err((field, problem));
            };
            // A single address (/32, /128) says nothing about its network.
            let single = |one: &Network| one.prefix_length == if ip.is_ipv6() { 128 } else { 32 };
            if !single(address) && !single(beside) && !address.contains(beside.address) {
                let problem = format!("{address} and {other} {beside} are not on one network");
                return Err((field, problem));
            }
        }
    }
    Ok(())
}

/// In the order in which an owner reads them: the later one is the one that is wrong.
fn each_address_once(site: &Site) -> Result<(), Complaint> {
    let mut used: Vec<(&str, IpAddr)> = Vec::new();
    let own = site.lan.static_addresses().map(|own| ("lan.address", own.address));
    let gateways = site.lan.gateways.iter().map(|ip| ("lan.gateway", *ip));
    let peers = site.lan.peers.iter().map(|ip| ("lan.peer", *ip));
    let a = site.service.a.iter().map(|one| ("service.a", one.address));
    let b = site.service.b.iter().map(|one| ("service.b", one.address));
    for (field, address) in own.chain(gateways).chain(peers).chain(a).chain(b) {
        if let Some((other, _)) = used.iter().find(|(_, used)| *used == address) {
            return Err((field, format!("{address} is {other} too")));
        }
        used.push((field, address));
    }
    Ok(())
}

/// RFC 8200 §5: an IPv6 link carries packets of 1280 bytes.
fn mtu(site: &Site) -> Result<(), Complaint> {
    let Some(mtu) = site.lan.mtu else { return Ok(()) };
    let ipv6 = site.lan.ipv6.is_some()
        || site.service.all().any(|one| one.address.is_ipv6())
        || site.lan.peer(true).is_some();
    if ipv6 && mtu < limits::MTU_IPV6_MIN {
        let least = limits::MTU_IPV6_MIN;
        return Err(("lan.mtu", format!("IPv6 needs at least {least}, got {mtu}")));
    }
    Ok(())
}

fn own(site: &Site, like: IpAddr) -> Option<Own> {
    if like.is_ipv4() { site.lan.ipv4 } else { site.lan.ipv6 }
}

fn on_no_network(ip: IpAddr, site: &Site) -> String {
    let own: Vec<String> = site
        .lan
        .static_addresses()
        .filter(|own| own.address.is_ipv6() == ip.is_ipv6())
        .map(|own| own.to_string())
        .collect();
    if own.is_empty() {
        let family = family(ip.is_ipv6());
        return format!("{ip} is on no network of this box: lan.address has no {family} address");
    }
    format!("{ip} is not on the network of lan.address {}", own.join(", "))
}

fn family(ipv6: bool) -> &'static str {
    if ipv6 { "IPv6" } else { "IPv4" }
}
