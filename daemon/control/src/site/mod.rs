//! The site file: the few things that only the owner of the pair can know.
//!
//! It is TOML, read once at boot by init and by maild. Whatever a [`Site`] holds has been checked,
//! so no reader needs to check it again. Unknown keys are refused: a misspelt `gateway` that is
//! silently ignored is found at the worst moment.

mod parse;
mod values;
mod write;

use std::net::IpAddr;

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
    pub timing: Timing,
}

/// The port that clients come in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// Which port; `None` is the first by PCI order.
    pub mac: Option<Mac>,
    /// The box's own address, held whatever the view.
    pub address: Network,
    pub gateway: Option<IpAddr>,
    /// The peer's own address.
    pub peer: IpAddr,
}

/// The two addresses that clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    pub a: Network,
    pub b: Network,
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

impl Service {
    /// The service address that belongs to `side`.
    #[must_use]
    pub fn of(&self, side: Side) -> Network {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }
}
