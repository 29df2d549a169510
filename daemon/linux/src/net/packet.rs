//! Whole Ethernet frames, without an IP set-up that could break them.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

use nix::libc;
use tokio::io::unix::AsyncFd;

use super::ethernet::EtherType;
use super::filter::{self, Rule};
use super::{Mac, arp};
use crate::limits::{FRAME_BYTES_MAX, PROBE_EVERY, PROBES};
use crate::{Error, Result, poll};

/// A raw socket on one port that takes and gives whole frames of one EtherType, header included.
/// Frames that this box sends are not received here.
#[derive(Debug)]
pub struct PacketSocket {
    descriptor: AsyncFd<OwnedFd>,
}

impl PacketSocket {
    /// # Errors
    /// [`Error::is_forbidden`] without CAP_NET_RAW. Must be called inside a tokio runtime.
    pub fn bind(index: u32, kind: EtherType) -> Result<PacketSocket> {
        let what = || format!("open a raw socket on interface {index}");
        let descriptor = open(index, kind.0).map_err(|error| Error::kernel(what(), error))?;
        // SAFETY: the descriptor stays the same and open as long as the `AsyncFd` owns it.
        let descriptor = unsafe { AsyncFd::register(descriptor) }
            .map_err(|error| Error::kernel(what(), io::Error::from(error)))?;
        Ok(PacketSocket { descriptor })
    }

    /// For neighbour messages of IPv6 only: all other IPv6 frames stay in the kernel, or a busy
    /// port would wake this program for each of them.
    ///
    /// # Errors
    /// As [`PacketSocket::bind`].
    pub fn bind_neighbours(index: u32) -> Result<PacketSocket> {
        PacketSocket::bind_filtered(index, EtherType::IPV6, &filter::NEIGHBOURS)
    }

    /// For what DHCP servers send to clients, likewise.
    ///
    /// # Errors
    /// As [`PacketSocket::bind`].
    pub fn bind_dhcp(index: u32) -> Result<PacketSocket> {
        PacketSocket::bind_filtered(index, EtherType::IPV4, &filter::DHCP)
    }

    fn bind_filtered(index: u32, kind: EtherType, rules: &[Rule]) -> Result<PacketSocket> {
        let socket = PacketSocket::bind(index, kind)?;
        // What came in before the filter is sorted out by whoever parses it.
        filter::attach(socket.descriptor.get_ref(), rules)
            .map_err(|error| Error::kernel("filter a raw socket", error))?;
        Ok(socket)
    }

    /// Sends one frame, waiting for room in the port's queue.
    ///
    /// # Errors
    /// [`Error::is_absent`] while the port is switched off.
    pub async fn send(&self, frame: &[u8]) -> Result<()> {
        loop {
            let mut ready = self.descriptor.writable().await.map_err(send_failed)?;
            if let Ok(done) = ready.try_io(|descriptor| send(descriptor.get_ref(), frame)) {
                return done.map_err(send_failed);
            }
        }
    }

    /// Sends one frame now or not at all: false when the port's queue is full.
    ///
    /// # Errors
    /// As [`PacketSocket::send`].
    pub fn try_send(&self, frame: &[u8]) -> Result<bool> {
        match send(self.descriptor.get_ref(), frame) {
            Ok(()) => Ok(true),
            Err(error) if is_full(&error) => Ok(false),
            Err(error) => Err(send_failed(error)),
        }
    }

    /// Waits for a frame and returns its length; a longer one than `buffer` is cut.
    ///
    /// # Errors
    /// [`Error::is_absent`] once when the port is switched off: call again and it goes on when the
    /// port is back.
    pub async fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let mut ready = self.descriptor.readable().await.map_err(receive_failed)?;
            if let Ok(done) = ready.try_io(|descriptor| receive(descriptor.get_ref(), buffer)) {
                return done.map_err(receive_failed);
            }
        }
    }
}

/// Asks a LAN whether somebody holds `ip` already, for a program without an event loop: three
/// questions [`PROBE_EVERY`] apart, and as long again for the last answer. RFC 5227 §2.1.1 asks with
/// one to two seconds between them, for networks where each hop may sleep; on the wired LAN of a
/// server an answer takes a millisecond, and each second here is one more without the box.
///
/// # Errors
/// What the kernel says; the port must be on.
pub fn arp_holder(index: u32, mac: Mac, ip: Ipv4Addr) -> Result<Option<Mac>> {
    let failed = |error: io::Error| Error::kernel(format!("ask who has {ip}"), error);
    let socket = open(index, EtherType::ARP.0).map_err(failed)?;
    let question = arp::probe(mac, ip);
    let mut buffer = [0; FRAME_BYTES_MAX];
    for _ in 0..PROBES {
        send(&socket, &question).map_err(failed)?;
        let asked = Instant::now();
        while let Some(left) = PROBE_EVERY.checked_sub(asked.elapsed()) {
            if !poll::readable(&[socket.as_fd()], Some(left))?[0] {
                continue;
            }
            let length = match receive(&socket, &mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(failed(error)),
            };
            if let Some(holder) =
                arp::parse(&buffer[..length]).and_then(|arp| arp.contests(mac, ip))
            {
                return Ok(Some(holder));
            }
        }
    }
    Ok(None)
}

fn open(index: u32, kind: u16) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // With protocol 0 it receives nothing until it is bound to its port: otherwise frames of other
    // ports could slip in between.
    // SAFETY: plain numbers.
    let raw = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: all fields are plain integers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = kind.to_be();
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_ll of `length` bytes and lives until the call returns.
    let bound = unsafe { libc::bind(descriptor.as_raw_fd(), (&raw const address).cast(), length) };
    if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(descriptor) }
}

fn send(descriptor: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    nix::unistd::write(descriptor, frame)?;
    Ok(())
}

fn receive(descriptor: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(descriptor, buffer)?)
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32)
}

fn send_failed(error: io::Error) -> Error {
    Error::kernel("send a frame", error)
}

fn receive_failed(error: io::Error) -> Error {
    Error::kernel("receive a frame", error)
}
