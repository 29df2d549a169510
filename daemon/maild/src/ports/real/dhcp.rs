//! Runs the DHCP client of the LAN port: its frames, its address on the port, its lease over restarts.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use linux::Mac;
use linux::net::dhcp::{Client, Input, Lease, Output};
use linux::net::{Address, Network, PacketSocket, Use};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::neighbours::Neighbours;
use super::{FRAME_BYTES, RETRY};
use crate::ports::PortEvent;

/// In maild's folder of the data disk.
const FILE: &str = "lan-lease";

pub struct Dhcp {
    pub network: Network,
    pub lan_index: u32,
    pub mac: Mac,
    pub neighbours: Neighbours,
    pub folder: PathBuf,
    pub publish: watch::Sender<Option<Lease>>,
    pub send: mpsc::Sender<PortEvent>,
    /// Random.
    pub transaction: u32,
    /// The port got its carrier.
    pub carrier: watch::Receiver<bool>,
}

impl Dhcp {
    /// Runs until nobody listens any more.
    pub async fn run(mut self) {
        let socket = loop {
            match PacketSocket::bind_dhcp(self.lan_index) {
                Ok(socket) => break socket,
                Err(error) => tracing::error!(%error, "DHCP"),
            }
            tokio::time::sleep(RETRY).await;
        };
        let folder = self.folder.clone();
        let kept = tokio::task::spawn_blocking(move || read(&folder)).await;
        let kept = kept.unwrap_or_else(|error| Err(error.into())).unwrap_or_else(|error| {
            tracing::warn!(error = %format!("{error:#}"), "the kept lease");
            None
        });
        let mut client = Client::new(Instant::now(), self.mac, self.transaction, kept);
        let mut buffer = vec![0; FRAME_BYTES];
        while !self.send.is_closed() {
            while let Some(output) = client.poll() {
                self.carry_out(output, &socket, &mut client).await;
            }
            let deadline = client.deadline().map(tokio::time::Instant::from);
            tokio::select! {
                got = socket.receive(&mut buffer) => match got {
                    Ok(length) => client.handle(Instant::now(), Input::Frame(&buffer[..length])),
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
                Ok(()) = self.carrier.changed() => {
                    if *self.carrier.borrow_and_update() {
                        client.handle(Instant::now(), Input::Reconnected);
                    }
                }
                () = until(deadline) => client.handle(Instant::now(), Input::Tick),
            }
        }
    }

    async fn carry_out(&mut self, output: Output, socket: &PacketSocket, client: &mut Client) {
        match output {
            // What is lost is asked again.
            Output::Send(frame) => drop(socket.try_send(&frame)),
            Output::Lost => {
                let old = self.publish.send_replace(None);
                if let Some(old) = old {
                    tracing::warn!(address = %old.address, "the address from DHCP is lost");
                    let _ = self.network.remove_address(self.lan_index, old.address).await;
                }
            }
            Output::Bound(lease) => self.bind(lease, client).await,
        }
    }

    async fn bind(&mut self, lease: Lease, client: &mut Client) {
        let address = lease.address;
        let old = self.publish.borrow().as_ref().map(|old| old.address);
        if old != Some(address) {
            if let Some(old) = old {
                let _ = self.network.remove_address(self.lan_index, old).await;
            }
            if let Some(holder) = self.neighbours.holder(address.ip).await {
                let event = PortEvent::Conflict { ip: address.ip, holder: Some(holder) };
                let _ = self.send.try_send(event);
                return client.handle(Instant::now(), Input::InUse);
            }
            let _ = self.send.try_send(PortEvent::Conflict { ip: address.ip, holder: None });
        }
        let purpose = Use::Leased(lease.seconds);
        match self.network.put_address(self.lan_index, address, purpose).await {
            Ok(_) => tracing::info!(%address, seconds = lease.seconds, "an address from DHCP"),
            Err(error) => tracing::error!(%address, %error, "an address from DHCP"),
        }
        let (folder, kept) = (self.folder.clone(), lease.clone());
        // Not waited for: the failover loop is on this thread, and a disk may stand still.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = write(&folder, &kept) {
                tracing::warn!(error = %format!("{error:#}"), "keeping the lease");
            }
        });
        self.publish.send_replace(Some(lease));
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A lease on the disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    ip: IpAddr,
    prefix_length: u8,
    gateways: Vec<std::net::Ipv4Addr>,
    time_servers: Vec<std::net::Ipv4Addr>,
    server: std::net::Ipv4Addr,
    seconds: u32,
    renew_seconds: u32,
    rebind_seconds: u32,
    /// By the wall clock.
    since_unix_s: u64,
}

/// The kept lease, and how many seconds it has left. A wall clock that stands before the lease's
/// beginning knows nothing about its end.
fn read(folder: &Path) -> Result<Option<(Lease, u32)>> {
    let bytes = match std::fs::read(folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let kept: Kept = postcard::from_bytes(&bytes).context("it cannot be read")?;
    let lease = Lease {
        address: Address { ip: kept.ip, prefix_length: kept.prefix_length },
        gateways: kept.gateways,
        time_servers: kept.time_servers,
        server: kept.server,
        seconds: kept.seconds,
        renew_seconds: kept.renew_seconds,
        rebind_seconds: kept.rebind_seconds,
    };
    let passed = linux::clock::unix_s().checked_sub(kept.since_unix_s);
    let left = passed.map_or(0, |passed| u64::from(lease.seconds).saturating_sub(passed));
    Ok(Some((lease, u32::try_from(left).unwrap_or(0))))
}

fn write(folder: &Path, lease: &Lease) -> Result<()> {
    let kept = Kept {
        ip: lease.address.ip,
        prefix_length: lease.address.prefix_length,
        gateways: lease.gateways.clone(),
        time_servers: lease.time_servers.clone(),
        server: lease.server,
        seconds: lease.seconds,
        renew_seconds: lease.renew_seconds,
        rebind_seconds: lease.rebind_seconds,
        since_unix_s: linux::clock::unix_s(),
    };
    // Whole or not at all; it need not outlive a power cut.
    let new = folder.join(format!("{FILE}.new"));
    std::fs::write(&new, postcard::to_stdvec(&kept)?)?;
    std::fs::rename(&new, folder.join(FILE))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_kept_with_what_is_left_of_it() {
        let folder = std::env::temp_dir().join(format!("twinpost-lease-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(read(&folder).unwrap().is_none());
        let lease = Lease {
            address: Address { ip: "10.77.0.42".parse().unwrap(), prefix_length: 24 },
            gateways: vec![[10, 77, 0, 254].into()],
            time_servers: vec![],
            server: [10, 77, 0, 254].into(),
            seconds: 3600,
            renew_seconds: 1800,
            rebind_seconds: 3150,
        };
        write(&folder, &lease).unwrap();
        let (read_back, left) = read(&folder).unwrap().unwrap();
        assert_eq!(read_back, lease);
        assert!((3000..=3600).contains(&left), "{left}");
        std::fs::write(folder.join(FILE), b"rubbish").unwrap();
        assert!(read(&folder).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
