//! A virtual rack for a pair of QEMU boxes: a switch for their LAN, a cable for their crossover,
//! and a client host on that LAN through which local programs reach them. All of it runs in this
//! process, without root.
//!
//! Cables can be cut, slow or lossy at run time, each way by itself; a box's power can be cut by
//! killing its QEMU. Everything lives in one folder that goes with the rack, so any number of racks
//! stand side by side.
//!
//! It knows nothing of what runs in the boxes. Start reading at [`Rack`] and [`Machine`]; the path
//! of a frame is drawn in `fabric/wiring.rs`. [`client`] has small typed clients for what boxes
//! serve.

mod cable;
pub mod client;
mod error;
mod fabric;
mod folder;
mod framing;
mod host;
pub mod limits;
mod machine;
mod names;
mod rack;
mod switch;

pub use self::cable::{Fault, WayStats};
pub use self::error::{Error, Result};
pub use self::fabric::{PortStats, Stats};
pub use self::folder::Folder;
pub use self::host::HostConfig;
pub use self::machine::{
    Acceleration, Boot, Console, DiskCache, Firmware, Machine, MachineConfig, Qemu,
};
pub use self::names::{Cable, Nic, Side, UnknownCable, WayName};
pub use self::rack::{Rack, RackConfig};
