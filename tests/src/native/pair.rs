//! The two boxes together.

use std::ops::{Deref, DerefMut};

use anyhow::Result;
use control::site::{Crossover, Lan, Secret, Service, Timing};
use control::{Side, Site};
use tempfile::TempDir;

use super::boxes::Boxes;
use super::cable::Cable;
use super::maild::Maild;
use super::slot::Slot;

/// The pair's mail domain.
pub const DOMAIN: &str = "example.test";
/// The panel's password; the user is `admin`.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";

/// Far above what a busy machine delays a heartbeat by, and still short to wait for.
pub const TIMING: Timing = Timing { dead_after_ms: 1500, cold_start_wait_ms: 3000 };

/// Two boxes of one pair: made by [`Pair::prepare`], begun by [`Pair::start`].
pub struct Pair {
    boxes: Boxes,
    pub cable: Cable,
    _folder: TempDir,
}

/// Someone with mail at the pair.
#[derive(Clone, Debug)]
pub struct Account {
    pub address: String,
    pub password: String,
}

impl Pair {
    /// Two boxes with blank disks, not started.
    ///
    /// # Errors
    /// When there is no room or no free port.
    pub fn prepare(name: &str) -> Result<Pair> {
        Self::prepare_with(name, TIMING)
    }

    /// The same with other delays.
    ///
    /// # Errors
    /// When there is no room or no free port.
    pub fn prepare_with(name: &str, timing: Timing) -> Result<Pair> {
        let folder = tempfile::Builder::new().prefix("twinpost-").tempdir()?;
        let (slot_a, slot_b) = (Slot::claim()?, Slot::claim()?);
        let cable = Cable::lay(slot_a.link(), slot_b.link())?;
        let [peer_of_a, peer_of_b] = cable.ends;
        let place = |side: Side| folder.path().join(side.to_string());
        let boxes = Boxes {
            a: Maild::prepare(&site(Side::A, timing), place(Side::A), slot_a, peer_of_a)?,
            b: Maild::prepare(&site(Side::B, timing), place(Side::B), slot_b, peer_of_b)?,
            name: name.to_owned(),
        };
        Ok(Pair { boxes, cable, _folder: folder })
    }

    /// Starts both and waits for the view `both`.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn start(&mut self) -> Result<()> {
        self.a.start()?;
        self.b.start()?;
        self.wait_both()
    }
}

impl Deref for Pair {
    type Target = Boxes;

    fn deref(&self) -> &Boxes {
        &self.boxes
    }
}

impl DerefMut for Pair {
    fn deref_mut(&mut self) -> &mut Boxes {
        &mut self.boxes
    }
}

/// Loopback boxes leave the network alone: the addresses are never put on a port.
pub(crate) fn site(side: Side, timing: Timing) -> Site {
    let network = |text: &str| text.parse().expect("a network");
    let (own, peer) = match side {
        Side::A => ("10.77.0.11/24", "10.77.0.12"),
        Side::B => ("10.77.0.12/24", "10.77.0.11"),
    };
    Site {
        side,
        hostname: format!("mail-{side}.{DOMAIN}"),
        domain: DOMAIN.to_owned(),
        pair_token: Secret::new("a token that only this pair of processes knows"),
        first: side == Side::A,
        admin_password: Some(Secret::new(ADMIN_PASSWORD)),
        lan: Lan {
            mac: None,
            ipv4: Some(control::site::Own::Static(network(own))),
            ipv6: None,
            gateways: Vec::new(),
            peers: vec![peer.parse().expect("an address")],
            vlan: None,
            mtu: None,
        },
        service: Service { a: vec![network("10.77.0.1/24")], b: vec![network("10.77.0.2/24")] },
        crossover: Crossover::default(),
        serial: None,
        time: control::site::Time::default(),
        timing,
        failover: Default::default(),
    }
}
