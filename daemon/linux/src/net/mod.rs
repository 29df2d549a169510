//! Ports, addresses and frames.

mod address;
pub mod arp;
mod connections;
pub mod dhcp;
pub mod echo;
pub mod ethernet;
mod filter;
pub mod greeting;
mod link;
mod mac;
pub mod neighbour;
mod netlink;
mod network;
mod packet;
pub mod ports;
mod route;
mod stragglers;
mod tap;
mod watch;

pub use address::{Address, AddressOnPort, Use};
pub use connections::reset_connections;
pub use link::Link;
pub use mac::{Mac, link_local};
pub use netlink::Netlink;
pub use network::Network;
pub use packet::{PacketSocket, arp_holder};
pub use stragglers::Stragglers;
pub use tap::Tap;
pub use watch::{LinkChange, LinkWatch};
