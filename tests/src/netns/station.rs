//! One box: its network, its two ports, and what PID 1 does for maild on a real box.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use control::site::{self, Crossover, Lan};
use control::{Side, Site};
use linux::net::{Address, Netlink, Tap, Use};
use linux::{Mac, link_local};
use rack::{Nic, Rack};

use super::room::Room;
use crate::native::Maild;

/// The port's name in the kernel.
const LAN: &str = "lan0";
const CROSSOVER: &str = "xover0";

pub struct Station {
    pub room: Arc<Room>,
    site: Site,
    lan: Port,
    crossover: Port,
}

pub(super) struct Port {
    pub index: u32,
    pub mac: Mac,
    pub tap: Tap,
}

impl Station {
    /// A box without power at its two places in the rack, and its maild.
    pub fn build(rack: &Rack, folder: PathBuf, site: Site) -> Result<(Station, Maild)> {
        let room = Arc::new(Room::new()?);
        let (lan, crossover) = room.run(|| -> Result<_> {
            let mut netlink = Netlink::open()?;
            if let Some(loopback) = netlink.link("lo")? {
                netlink.set_up(loopback.index)?;
            }
            Ok((Port::make(&mut netlink, LAN)?, Port::make(&mut netlink, CROSSOVER)?))
        })?;
        let side = rack_side(site.side);
        rack.plug_box(Nic::lan(side), lan.tap.frames()?)?;
        rack.plug_box(Nic::crossover(side), crossover.tap.frames()?)?;
        let mac = |port: &Port| Some(site::Mac(port.mac.0));
        let site = Site {
            lan: Lan { mac: mac(&lan), ..site.lan },
            crossover: Crossover { mac: mac(&crossover) },
            ..site
        };
        let maild = Maild::prepare_in(&site, folder, room.clone())?;
        Ok((Station { room, site, lan, crossover }, maild))
    }

    /// What init does before it starts maild: both ports on, own address, gateway, link-local address.
    pub fn set_up(&self) -> Result<()> {
        let (lan, crossover) = (self.lan.index, self.crossover.index);
        let link_local = Address { ip: link_local(self.crossover.mac).into(), prefix_length: 64 };
        let own = self.site.lan.static_addresses().map(address).next();
        let own = own.context("the box has a fixed address")?;
        let gateway = self.site.lan.gateways.first().copied();
        self.room.run(move || -> Result<()> {
            let mut netlink = Netlink::open()?;
            netlink.set_up(lan)?;
            netlink.add_address(lan, own)?;
            if let Some(gateway) = gateway {
                netlink.set_default_route(lan, gateway, Some(own.ip))?;
            }
            // Before the kernel makes the same address by itself and tries it for a second.
            netlink.put_address(crossover, link_local, Use::Cable)?;
            netlink.set_up(crossover)?;
            Ok(())
        })
    }

    /// Both ports go off, in this moment.
    pub fn switch_ports_off(&self) -> Result<()> {
        let (lan, crossover) = (self.lan.index, self.crossover.index);
        self.room.run(move || -> Result<()> {
            let mut netlink = Netlink::open()?;
            netlink.set_down(lan)?;
            netlink.set_down(crossover)?;
            Ok(())
        })
    }

    /// What init does first when maild ends for any reason.
    pub fn remove_service_addresses(&self) -> Result<()> {
        let lan = self.lan.index;
        let service: Vec<Address> = self.site.service.all().map(address).collect();
        self.room.run(move || -> Result<()> {
            let mut netlink = Netlink::open()?;
            for address in service {
                netlink.remove_address(lan, address)?;
            }
            Ok(())
        })
    }

    /// Ends the socket that takes this port's connections, under the hands of its program.
    pub fn kill_listener(&self, port: u16) -> Result<()> {
        let mut command = Command::new("ss");
        command.args(["--kill", "--tcp", "state", "listening"]).arg(format!("sport = :{port}"));
        let output = self.room.run(move || command.output())?;
        ensure!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Pulls the plug of a port out, or puts it in.
    pub fn set_plug(&self, lan: bool, on: bool) -> Result<()> {
        let port = if lan { &self.lan } else { &self.crossover };
        port.tap.set_carrier(on).context("a plug")
    }

    /// The sides' addresses, of IPv4.
    pub fn service(&self) -> [(Side, Address); 2] {
        [Side::A, Side::B].map(|side| (side, address(self.site.service.of(side)[0])))
    }

    /// Of IPv6.
    pub fn service_ipv6(&self, side: Side) -> Address {
        address(self.site.service.of(side)[1])
    }

    pub(super) fn lan(&self) -> &Port {
        &self.lan
    }

    /// Its card's address, and the kernel's number of it.
    #[must_use]
    pub fn crossover_port(&self) -> (Mac, u32) {
        (self.crossover.mac, self.crossover.index)
    }
}

impl Port {
    /// In the network that the calling thread is in.
    pub fn make(netlink: &mut Netlink, name: &str) -> Result<Port> {
        let tap = Tap::make(name)?;
        let link = netlink.link(name)?.with_context(|| format!("{name} was just made"))?;
        let mac = link.mac.with_context(|| format!("{name} is Ethernet"))?;
        Ok(Port { index: link.index, mac, tap })
    }
}

pub fn rack_side(side: Side) -> rack::Side {
    match side {
        Side::A => rack::Side::A,
        Side::B => rack::Side::B,
    }
}

pub(super) fn address(network: site::Network) -> Address {
    Address { ip: network.address, prefix_length: network.prefix_length }
}
