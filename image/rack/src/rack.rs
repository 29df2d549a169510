//! The rack: its folder, its running fabric, and the boxes' places in it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::cable::Fault;
use crate::fabric::{Fabric, Stats};
use crate::folder::Folder;
use crate::host::HostConfig;
use crate::names::{Cable, Nic, WayName};
use crate::{Error, Result};

/// How a rack is set up.
#[derive(Debug, Clone)]
pub struct RackConfig {
    /// Where its folder is made. The path must be short: sockets live there.
    pub parent: PathBuf,
    /// The hosts at the switch; `forward` and `serve` use the first.
    pub hosts: Vec<HostConfig>,
    /// Decides which frames lossy cables lose.
    pub seed: u64,
}

impl Default for RackConfig {
    fn default() -> Self {
        Self { parent: std::env::temp_dir(), hosts: vec![HostConfig::client()], seed: 1 }
    }
}

/// A LAN, a crossover and a client host, waiting for two boxes. All of it ends when this is
/// dropped.
#[derive(Debug)]
pub struct Rack {
    fabric: Fabric,
    folder: Folder,
}

impl Rack {
    /// Sets it up; boxes may connect when this returns.
    pub fn start(config: RackConfig) -> Result<Rack> {
        let folder = Folder::create(&config.parent)?;
        let fabric = Fabric::start(folder.path(), config.seed, config.hosts)?;
        Ok(Rack { fabric, folder })
    }

    /// The rack's folder: disks, logs and sockets. It goes with the rack.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder in place when the rack is gone.
    pub fn keep_folder(&self) -> Result<()> {
        self.folder.keep()
    }

    /// Where a box's network port is plugged in.
    pub fn socket(&self, nic: Nic) -> PathBuf {
        self.folder.path().join(nic.socket_name())
    }

    /// Opens a local port that leads to an address on the LAN: `preferred` when that is free, any
    /// otherwise.
    pub fn forward(&self, preferred: u16, target: SocketAddrV4) -> Result<SocketAddr> {
        self.forward_by(0, preferred, target)
    }

    /// Like `forward`, through another host of the rack than the first.
    pub fn forward_by(
        &self,
        host: usize,
        preferred: u16,
        target: SocketAddrV4,
    ) -> Result<SocketAddr> {
        let failed =
            |error| Error::io("open a local port for", Path::new(&target.to_string()), error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        self.fabric.forward(host, listener, target)?;
        Ok(local)
    }

    /// Lets boxes connect to `port` of the client host; each connection is joined to one to
    /// `target`.
    pub fn serve(&self, port: u16, target: SocketAddr) -> Result<()> {
        self.serve_by(0, port, target)
    }

    /// Like `serve`, at another host of the rack than the first.
    pub fn serve_by(&self, host: usize, port: u16, target: SocketAddr) -> Result<()> {
        self.fabric.serve(host, port, target)
    }

    /// Puts a kernel's software port (a file whose every read and write is one frame) in a box's
    /// place, instead of a QEMU.
    pub fn plug_box(&self, nic: Nic, tap: OwnedFd) -> Result<()> {
        self.fabric.plug(tap, Some(nic))
    }

    /// Plugs a kernel's software port into the switch, at a port of its own.
    pub fn plug_in(&self, tap: OwnedFd) -> Result<()> {
        self.fabric.plug(tap, None)
    }

    /// A switch that keeps the two boxes' ports apart, though each reaches everybody else.
    pub fn keep_apart(&self, apart: bool) -> Result<()> {
        self.fabric.keep_apart(apart)
    }

    /// Changes both ways of a cable; it holds when this returns.
    pub fn set_fault(&self, cable: Cable, fault: Fault) -> Result<()> {
        cable.ways().into_iter().try_for_each(|way| self.set_fault_one_way(way, fault))
    }

    /// Changes one way of a cable; it holds when this returns.
    pub fn set_fault_one_way(&self, way: WayName, fault: Fault) -> Result<()> {
        self.fabric.set_fault(way, fault)
    }

    /// Cuts a cable. The ports keep their carrier, as behind a broken media converter; see
    /// [`Machine::set_carrier`](crate::Machine::set_carrier) for a pulled plug.
    pub fn cut(&self, cable: Cable) -> Result<()> {
        self.set_fault(cable, Fault::CUT)
    }

    /// Makes a cable good again.
    pub fn join(&self, cable: Cable) -> Result<()> {
        self.set_fault(cable, Fault::NONE)
    }

    /// What went through so far.
    pub fn stats(&self) -> Result<Stats> {
        self.fabric.stats()
    }
}
