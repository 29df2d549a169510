//! A pair of real `maild` processes, each in a network of its own with a LAN port and a crossover port of its own: the
//! addresses move, the kernels answer ARP, the cables are the rack's.
//!
//! ```text
//!  box a: lan0 ══ lan-a ══ switch ══ lan-b ══ lan0 :box b        each box, and the street, is a network
//!        xover0 ══════════ crossover ═══════ xover0              namespace; the cables can be cut, slow, lossy,
//!         ttyS1 ── null modem, plug out ──── ttyS1               each way by itself
//!                            ║
//!                  street: clients, gateway, now and then a witness
//! ```
//!
//! Start reading at [`Rig`]; [`Trial`] watches a pair under a fault, [`scenes`] has the faults.

mod clients;
mod hog;
mod holders;
mod rig;
mod room;
pub mod scenes;
mod serial;
mod station;
mod storm;
mod trial;
mod weather;
mod witness;

pub use clients::{Success, Watched, greeter, reader};
pub use holders::{Change, Holders};
pub use rig::{NoDisk, Rig};
pub use room::Room;
pub use station::Station;
pub use trial::{Record, Trial, Unsure};
pub use weather::{Weather, Worst};

use anyhow::Result;
use linux::net::Tap;

/// Why this machine cannot have a [`Rig`], if so: it takes network namespaces and ports of software, which plain
/// containers do not permit.
#[must_use]
pub fn missing() -> Option<String> {
    let try_both = || -> Result<()> {
        let room = Room::new()?;
        room.run(|| Tap::make("try0").map(drop))?;
        Ok(())
    };
    try_both().err().map(|error| format!("no network namespaces with ports of software: {error:#}"))
}
