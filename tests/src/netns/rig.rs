//! Two boxes in the rack's wiring, and a street where the clients and the gateway are.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use control::site::{Failover, Lan, Serial, Timing, Witness as SiteWitness};
use control::{Side, Site};
use linux::Mac;
use linux::net::{Address, Netlink};
use rack::{Cable, Fault, Rack, RackConfig, WayName};
use tempfile::TempDir;

use super::holders::Holders;
use super::room::Room;
use super::serial::SerialCable;
use super::station::{Port, Station, address};
use super::witness::{self, Witness};
use crate::native::{Account, Boxes, TIMING, site, until};
use crate::torture::Disk;

/// Of the clients' machine.
const CLIENT: &str = "10.77.0.100/24";
/// It is also the gateway.
const GATEWAY: &str = "10.77.0.254/24";
const CLIENT_IPV6: &str = "fd77::64/64";
/// Of the sides, besides those of IPv4.
const SERVICE_IPV6: [&str; 2] = ["fd77::1/64", "fd77::2/64"];
const DISK_MIB: u64 = 1024;
/// Plays with the same programs; some of them have two faults.
const PLAYS_MAX: usize = 3;
/// Below maild's own real-time threads: a busy machine must not be taken for a bad cable.
const RACK_PRIORITY: u8 = 1;

/// Two boxes, their cables, the street. Everything of it ends with it.
pub struct Rig {
    // In the order in which they end.
    boxes: Boxes,
    pub holders: Holders,
    pub stations: [Station; 2],
    pub rack: Rack,
    pub street: Arc<Room>,
    street_port: Port,
    pub serial: SerialCable,
    witness: Option<Witness>,
    disk_of_a: Option<Disk>,
    accounts_made: usize,
    /// Since both programs started anew.
    plays: usize,
    /// Silence of a box for this long means that it is dead.
    pub dead_after: Duration,
    folder: TempDir,
}

/// What a scene of a failing disk is skipped for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this machine mounts no file as a file system")]
pub struct NoDisk;

impl Rig {
    /// Two boxes with blank disks and without power. `disk`: box a has a file system of its own, which can fail.
    ///
    /// # Errors
    /// When this is not permitted; see [`super::missing`].
    pub fn build(name: &str, timing: Timing, disk: bool) -> Result<Rig> {
        let folder = tempfile::Builder::new().prefix("twinpost-").tempdir()?;
        let rack = start_rack(folder.path().to_owned())?;
        let street = Arc::new(Room::new()?);
        let street_port = street.run(|| -> Result<Port> {
            let mut netlink = Netlink::open()?;
            let port = Port::make(&mut netlink, "street0")?;
            netlink.set_up(port.index)?;
            for address in [CLIENT, GATEWAY, CLIENT_IPV6] {
                netlink.add_address(port.index, parsed(address))?;
            }
            Ok(port)
        })?;
        rack.plug_in(street_port.tap.frames()?)?;
        let serial = SerialCable::make()?;
        let build = |side: Side| {
            let site = complete(site(side, timing), &serial);
            Station::build(&rack, folder.path().join(side.to_string()), site)
        };
        let ((station_a, a), (station_b, b)) = (build(Side::A)?, build(Side::B)?);
        let stations = [station_a, station_b];
        let boxes = Boxes { a, b, name: name.to_owned() };
        let holders = Holders::watch(&stations)?;
        let image = boxes.a.folder().join("disk.img");
        Ok(Rig {
            disk_of_a: disk.then(|| Disk::make(image, boxes.a.data(), DISK_MIB).ok()).flatten(),
            boxes,
            holders,
            stations,
            rack,
            street,
            street_port,
            serial,
            witness: None,
            accounts_made: 0,
            plays: 0,
            dead_after: Duration::from_millis(timing.dead_after_ms),
            folder,
        })
    }

    /// Switches both on and waits until each serves its own address in the view `both`.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn start(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            self.power_on(side)?;
        }
        self.wait_settled()
    }

    /// Before each play. A box that was alone eight times waits longer and longer before it joins, which no play is
    /// about: now and then both programs start anew.
    ///
    /// # Errors
    /// When the pair does not come together again.
    pub fn next_play(&mut self) -> Result<()> {
        self.plays += 1;
        if self.plays > PLAYS_MAX {
            self.plays = 1;
            for side in [Side::A, Side::B] {
                self.stop_maild(side)?;
                self.get_mut(side).start()?;
                self.wait_settled()?;
            }
        }
        Ok(())
    }

    /// Waits for the view `both` in which each box holds its own address and nothing else.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn wait_settled(&mut self) -> Result<()> {
        self.wait_both()?;
        until("each box to hold its own address", || {
            let held = [Side::A, Side::B].map(|address| self.holders.now(address));
            anyhow::ensure!(held == [vec![Side::A], vec![Side::B]], "holders are {held:?}");
            Ok(Some(()))
        })
    }

    #[must_use]
    pub fn station(&self, side: Side) -> &Station {
        &self.stations[side as usize]
    }

    /// Where clients find a protocol of a side, whichever box serves it.
    #[must_use]
    pub fn service(&self, side: Side, port: u16) -> SocketAddr {
        let (_, address) = self.stations[0].service()[side as usize];
        SocketAddr::new(address.ip, port)
    }

    /// Where clients of IPv6 find it.
    #[must_use]
    pub fn service_ipv6(&self, side: Side, port: u16) -> SocketAddr {
        SocketAddr::new(self.stations[0].service_ipv6(side).ip, port)
    }

    /// A third host begins to answer the boxes' questions; returns when both have heard it.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn start_witness(&mut self) -> Result<()> {
        let token = site(Side::A, TIMING).pair_token;
        self.witness = Some(Witness::start(&self.street, self.folder.path(), token.reveal())?);
        for side in [Side::A, Side::B] {
            until("the witness to be heard", || {
                let metrics = self.get(side).metrics()?;
                Ok(metrics.contains("twinpost_witness_answers 1").then_some(()))
            })?;
        }
        Ok(())
    }

    /// The box starts.
    ///
    /// # Errors
    /// When it runs already.
    pub fn power_on(&mut self, side: Side) -> Result<()> {
        self.set_plug(Cable::lan(super::station::rack_side(side)), true)?;
        self.set_plug(Cable::Crossover, true)?;
        self.station(side).set_up()?;
        self.get_mut(side).start()
    }

    /// The box is gone in this moment: neither its ports nor its program say another word.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cut_power(&mut self, side: Side) -> Result<()> {
        self.station(side).switch_ports_off()?;
        self.get_mut(side).kill()?;
        // A cable without a box at its other end has no carrier.
        self.station(side.other()).set_plug(false, false)?;
        self.station(side).remove_service_addresses()
    }

    /// Maild ends as by a bug; its ports stay on, and init does its first duty.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_maild(&mut self, side: Side) -> Result<()> {
        self.get_mut(side).kill()?;
        self.station(side).remove_service_addresses()
    }

    /// Maild is told to stop, and hands over.
    ///
    /// # Errors
    /// When it does not run, or does not stop.
    pub fn stop_maild(&mut self, side: Side) -> Result<()> {
        self.get_mut(side).stop()?;
        self.station(side).remove_service_addresses()
    }

    /// Pulls a cable out of the ports that it is in, or puts it in.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_plug(&self, cable: Cable, on: bool) -> Result<()> {
        let fault = if on { Fault::NONE } else { Fault::CUT };
        self.rack.set_fault(cable, fault)?;
        match cable {
            Cable::LanA => self.stations[0].set_plug(true, on),
            Cable::LanB => self.stations[1].set_plug(true, on),
            Cable::Crossover => {
                self.stations.iter().try_for_each(|station| station.set_plug(false, on))
            }
        }
    }

    /// The gateway answers, or is gone; the clients stay.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_gateway(&self, on: bool) -> Result<()> {
        let index = self.street_port.index;
        self.street.run(move || -> Result<()> {
            let mut netlink = Netlink::open()?;
            if on {
                netlink.add_address(index, parsed(GATEWAY))?;
            } else {
                netlink.remove_address(index, parsed(GATEWAY))?;
            }
            Ok(())
        })
    }

    /// Every cable is whole but the serial one, which is out; the switch joins all, the gateway answers.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn mend_network(&self) -> Result<()> {
        for cable in Cable::ALL {
            self.set_plug(cable, true)?;
        }
        self.rack.keep_apart(false)?;
        self.serial.set_plug(false);
        self.set_gateway(true)
    }

    /// The third host is gone.
    pub fn stop_witness(&mut self) {
        self.witness = None;
    }

    /// # Errors
    /// When the rack has stopped.
    pub fn spoil(&self, ways: &[WayName], fault: Fault) -> Result<()> {
        ways.iter().try_for_each(|way| Ok(self.rack.set_fault_one_way(*way, fault)?))
    }

    /// Whatever went on before: every cable whole, both boxes on and awake, each at its own address.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn recover(&mut self) -> Result<()> {
        self.mend_network()?;
        self.witness = None;
        if let Some(disk) = &self.disk_of_a {
            // It was not frozen or full: so much the better.
            let _ = disk.thaw();
            let _ = disk.empty();
        }
        for side in [Side::A, Side::B] {
            if self.get(side).is_running() {
                self.get(side).resume()?;
            }
            if self.get_mut(side).ended()?.is_some() {
                self.get_mut(side).kill()?;
            }
            if !self.get(side).is_running() {
                self.power_on(side)?;
            }
        }
        self.wait_settled()
    }

    /// An account that nobody had before.
    ///
    /// # Errors
    /// What the panel refuses.
    pub fn next_account(&mut self) -> Result<Account> {
        self.accounts_made += 1;
        let name = format!("user{}", self.accounts_made);
        self.add_account(&name)
    }

    /// A file system that can be frozen.
    ///
    /// # Errors
    /// [`NoDisk`].
    pub fn disk_of_a(&self) -> Result<&Disk> {
        Ok(self.disk_of_a.as_ref().ok_or(NoDisk)?)
    }

    /// The clients' card, and the kernel's number of it.
    #[must_use]
    pub fn street_port(&self) -> (Mac, u32) {
        (self.street_port.mac, self.street_port.index)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A process that waits for a frozen disk cannot be killed.
        if let Some(disk) = &self.disk_of_a {
            let _ = disk.thaw();
        }
    }
}

impl Deref for Rig {
    type Target = Boxes;

    fn deref(&self) -> &Boxes {
        &self.boxes
    }
}

impl DerefMut for Rig {
    fn deref_mut(&mut self) -> &mut Boxes {
        &mut self.boxes
    }
}

/// What a rig has and a pair of processes on loopback has not.
fn complete(site: Site, serial: &SerialCable) -> Site {
    let side = site.side as usize;
    let mut service = site.service;
    for (side, more) in [Side::A, Side::B].into_iter().zip(SERVICE_IPV6) {
        let list = match side {
            Side::A => &mut service.a,
            Side::B => &mut service.b,
        };
        list.push(more.parse().expect("a constant that is a network"));
    }
    let witness = SiteWitness { address: parsed(CLIENT).ip, port: Some(witness::PORT) };
    Site {
        lan: Lan { gateways: vec![parsed(GATEWAY).ip], ..site.lan },
        service,
        serial: Some(Serial { device: serial.devices[side].display().to_string() }),
        failover: Failover { witness: Some(witness), ..site.failover },
        ..site
    }
}

/// Its thread inherits the priority of the one that starts it.
fn start_rack(parent: std::path::PathBuf) -> Result<Rack> {
    let start = move || {
        // Without the right to it the rack is as punctual as the machine lets it be.
        let _ = linux::scheduling::run_in_real_time(RACK_PRIORITY);
        Rack::start(RackConfig { parent, hosts: Vec::new(), ..RackConfig::default() })
    };
    let rack = thread::spawn(start).join();
    Ok(rack.ok().context("the rack's start panicked")??)
}

fn parsed(text: &str) -> Address {
    address(text.parse().expect("a constant that is a network"))
}
