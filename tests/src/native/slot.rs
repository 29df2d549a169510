//! Ports for one box: a block that no other test has, found by trying.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// A block of ports, kept for as long as this lives.
pub struct Slot {
    /// What maild adds to each port number of a protocol.
    pub base: u16,
    /// Who holds this listener has the block: it vanishes with the process, however that ends.
    _claim: TcpListener,
}

/// Below the ports that the kernel gives to clients by itself (from 32768 on).
const FIRST: u16 = 10_240;
const LENGTH: u16 = 1024;
const COUNT: u16 = 21;

/// Within a block: the claim, what maild serves, and the link, whose heartbeats use the next two.
const CLAIM: u16 = 1;
const SERVED: [u16; 8] = [25, 110, 143, 443, 465, 587, 993, 995];
const LINK: u16 = 1000;

impl Slot {
    /// The next block whose ports are all free.
    ///
    /// # Errors
    /// When there is none.
    pub fn claim() -> Result<Slot> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Processes begin at different places, so that they seldom meet.
        let start = (std::process::id() % u32::from(COUNT)) as u16;
        for _ in 0..COUNT {
            let index = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
            let base = FIRST + index * LENGTH;
            let Ok(claim) = TcpListener::bind(address(base + CLAIM)) else { continue };
            if is_free(base) {
                return Ok(Slot { base, _claim: claim });
            }
        }
        bail!("no block of free ports from {FIRST} to {}", FIRST + COUNT * LENGTH - 1)
    }

    /// Where the box serves what has this port number on a real box.
    #[must_use]
    pub fn served(&self, port: u16) -> SocketAddr {
        debug_assert!(SERVED.contains(&port), "{port} is not served");
        address(self.base + port)
    }

    /// The box's end of the link.
    #[must_use]
    pub fn link(&self) -> SocketAddr {
        address(self.base + LINK)
    }
}

fn is_free(base: u16) -> bool {
    let tcp = |port: u16| TcpListener::bind(address(base + port)).is_ok();
    let udp = |port: u16| UdpSocket::bind(address(base + port)).is_ok();
    SERVED.into_iter().all(tcp) && tcp(LINK) && udp(LINK + 1) && udp(LINK + 2)
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
