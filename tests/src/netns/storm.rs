//! Frames that nobody asked for, as many as a port takes: what a loop in the LAN or a broken card sends.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use linux::Mac;
use linux::net::ethernet::{self, EtherType};
use linux::net::{PacketSocket, arp};

use super::room::Room;

/// So many frames, then a breath: about 20 000 a second, which a switch of 100 Mbit/s passes on.
const BURST: usize = 100;
const BREATH: Duration = Duration::from_millis(5);
const BEAT_PORT: u16 = 7401;

/// Blows for as long as it lives.
pub struct Storm {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Storm {
    /// Sends these frames by turns from a port of a room.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn blow(room: &Room, port: u32, frames: Vec<Vec<u8>>) -> Result<Storm> {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), sent.clone());
        let body = move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let socket = PacketSocket::bind(port, EtherType(UNUSED))?;
                let mut frames = frames.iter().cycle();
                while !stopped.load(Ordering::Relaxed) {
                    for frame in frames.by_ref().take(BURST) {
                        // A full queue loses the frame: that is what a storm does.
                        count.fetch_add(u64::from(socket.try_send(frame)?), Ordering::Relaxed);
                    }
                    tokio::time::sleep(BREATH).await;
                }
                Ok(())
            })
        };
        Ok(Storm { stop, sent, thread: Some(room.spawn(body)?) })
    }

    /// Lulls, and says how many frames there were.
    ///
    /// # Errors
    /// When it could not blow.
    pub fn lull(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it blows until now")?;
        thread.join().ok().context("the storm panicked")??;
        Ok(self.sent.load(Ordering::Relaxed))
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What looks like a heartbeat and is none, and what nobody knows, on the crossover from this card.
#[must_use]
pub fn on_the_crossover(from: Mac) -> Vec<Vec<u8>> {
    let junk = |kind, fill: u8| ethernet::build(Mac::BROADCAST, from, kind, &[fill; 180]);
    let beat = |fill: u8| {
        let payload = [&[0_u8, 120][..], &[fill; 120]].concat();
        ethernet::build(Mac::BROADCAST, from, EtherType::HEARTBEAT, &payload)
    };
    vec![beat(0x55), junk(EtherType(UNUSED), 1), beat(0xaa), junk(EtherType::IPV6, 0x60)]
}

/// The same on the LAN: broadcasts, ARP for addresses that nobody has, and false heartbeats to the boxes in the name of
/// their peers.
#[must_use]
pub fn on_the_lan(from: Mac, boxes: [IpAddr; 2]) -> Vec<Vec<u8>> {
    let mut frames = vec![ethernet::build(Mac::BROADCAST, from, EtherType(UNUSED), &[7; 600])];
    for last in 150..160 {
        frames.push(arp::request(from, [10, 77, 0, 200].into(), [10, 77, 0, last].into()));
    }
    if let [IpAddr::V4(a), IpAddr::V4(b)] = boxes {
        for (source, target) in [(a, b), (b, a)] {
            let packet = datagram(source.octets(), target.octets(), BEAT_PORT, &[0x55; 120]);
            frames.push(ethernet::build(Mac::BROADCAST, from, EtherType(0x0800), &packet));
        }
    }
    frames
}

/// A UDP datagram in IPv4 (RFC 768, RFC 791), without a check sum of its own.
fn datagram(source: [u8; 4], target: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let udp_length = (8 + payload.len()) as u16;
    let mut header = vec![0x45, 0];
    header.extend((20 + udp_length).to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    header.extend(source);
    header.extend(target);
    let words = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let sum = !(((sum >> 16) + (sum & 0xffff)) as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(port.to_be_bytes());
    header.extend(port.to_be_bytes());
    header.extend(udp_length.to_be_bytes());
    header.extend([0, 0]);
    [&header[..], payload].concat()
}

/// Local experimental, as the heartbeats' own is, but not theirs (IEEE 802, "88B6").
const UNUSED: u16 = 0x88b6;
