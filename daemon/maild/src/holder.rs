//! Somebody else was seen with a service address. Is it its owner, serving? Then it greets a client.
//!
//! While this box holds the address, too, its own kernel would answer the question itself. So a small TCP
//! of our own asks, straight to the hardware address that was seen. When this box has given the
//! address up, an ordinary connection finds whoever holds it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use linux::Mac;
use linux::net::greeting;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::time::timeout;

/// Ports on which a server speaks first: SMTP, IMAP. One that greets is enough.
const PORTS: [u16; 2] = [25, 143];
/// For each of them.
const PATIENCE: Duration = Duration::from_millis(700);

/// This box on the LAN.
#[derive(Clone, Copy)]
pub struct Here {
    pub index: u32,
    pub mac: Mac,
    pub ip: IpAddr,
}

/// The other one.
#[derive(Clone, Copy)]
pub struct Holder {
    pub ip: IpAddr,
    pub mac: Mac,
    /// This box holds the address, too.
    pub held: bool,
}

pub async fn greets(here: Here, holder: Holder) -> bool {
    for port in PORTS {
        let to = SocketAddr::new(holder.ip, port);
        let greets = if holder.held {
            let from = greeting::From { index: here.index, mac: here.mac, ip: here.ip };
            greeting::heard(from, to, holder.mac, PATIENCE).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "asking another holder");
                false
            })
        } else {
            matches!(timeout(PATIENCE, connect(here.ip, to)).await, Ok(Ok(true)))
        };
        if greets {
            return true;
        }
    }
    false
}

async fn connect(from: IpAddr, to: SocketAddr) -> std::io::Result<bool> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if from.is_ipv4() == to.is_ipv4() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let mut byte = [0];
    Ok(socket.connect(to).await?.read(&mut byte).await? == 1)
}
