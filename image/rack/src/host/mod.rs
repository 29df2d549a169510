//! A host on the rack's LAN with a TCP stack of its own: the demo's and the tests' client.
//!
//! Local programs reach the boxes through it: a connection to a forwarded `127.0.0.1` port becomes
//! a connection from this host to an address on the LAN, and fails when that one fails.

mod announce;
mod bridge;
mod device;
mod forward;

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};
use tokio::sync::Notify;

use self::device::Device;
pub use self::forward::{forward, serve};
use crate::fabric::wiring::Wiring;
use crate::framing::Frame;
use crate::limits::{FAR_SILENCE_MAX, TCP_BUFFER_BYTES};
use crate::switch::Mac;

/// How a host is reached on the LAN.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Its hardware address.
    pub mac: Mac,
    /// Its addresses, all in one network; connections come from the first. At most two.
    pub addresses: Vec<Ipv4Addr>,
    /// Length of the network's prefix in bits.
    pub prefix_bits: u8,
    /// How long the far end may be silent before the local client is reset.
    pub patience: Duration,
}

impl HostConfig {
    /// The client host: 10.77.0.100/24, which is also the gateway 10.77.0.254.
    pub fn client() -> Self {
        Self {
            mac: [0x52, 0x54, 0x00, 0x77, 0x01, 0x64],
            addresses: vec![Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 254)],
            prefix_bits: 24,
            patience: FAR_SILENCE_MAX,
        }
    }
}

/// A host's stack: everything that its tasks share.
pub struct Host {
    stack: RefCell<Stack>,
    /// Woken when the stack has something to do before its deadline.
    work: Rc<Notify>,
    address: Ipv4Addr,
    number: usize,
    patience: Duration,
}

struct Stack {
    interface: Interface,
    device: Device,
    sockets: SocketSet<'static>,
    /// Sockets to forget once the stack had the chance to send their last segment.
    removed: Vec<SocketHandle>,
    ports_in_use: HashSet<u16>,
    next_port: u16,
    start: Instant,
}

/// Connections of the host come from these ports.
const EPHEMERAL: std::ops::Range<u16> = 49_152..65_535;

impl Host {
    /// Puts a host at the rack's switch. Its frames move while `drive` runs.
    pub fn attach(config: &HostConfig, wiring: &RefCell<Wiring>) -> Rc<Host> {
        let (number, inbox, work) = wiring.borrow_mut().add_host();
        let address = *config.addresses.first().expect("a host has an address");
        let mac = EthernetAddress(config.mac);
        let mut device = Device::new(inbox, mac, address);
        let start = Instant::now();
        let mut interface = Interface::new(
            Config::new(HardwareAddress::Ethernet(mac)),
            &mut device,
            smoltcp::time::Instant::ZERO,
        );
        interface.update_ip_addrs(|list| {
            for &address in &config.addresses {
                list.push(IpCidr::new(address.into(), config.prefix_bits))
                    .expect("at most two addresses");
            }
        });
        let stack = RefCell::new(Stack {
            interface,
            device,
            sockets: SocketSet::new(Vec::new()),
            removed: Vec::new(),
            ports_in_use: HashSet::new(),
            next_port: EPHEMERAL.start,
            start,
        });
        Rc::new(Host { stack, work, address, number, patience: config.patience })
    }

    /// Moves the host's frames, for as long as the rack stands.
    pub async fn drive(self: Rc<Self>, wiring: Rc<RefCell<Wiring>>) {
        loop {
            let (sent, wait) = self.stack.borrow_mut().poll();
            let now = Instant::now();
            for frame in sent {
                wiring.borrow_mut().sent_by_host(now, self.number, frame);
            }
            match wait {
                Some(wait) if wait.is_zero() => tokio::task::yield_now().await,
                Some(wait) => {
                    tokio::select! {
                        () = self.work.notified() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                None => self.work.notified().await,
            }
        }
    }

    /// Looks at a socket.
    fn look<R>(&self, handle: SocketHandle, f: impl FnOnce(&mut tcp::Socket<'static>) -> R) -> R {
        f(self.stack.borrow_mut().sockets.get_mut(handle))
    }

    /// Does something with a socket, and lets the stack act on it.
    fn with<R>(&self, handle: SocketHandle, f: impl FnOnce(&mut tcp::Socket<'static>) -> R) -> R {
        let result = self.look(handle, f);
        self.work.notify_one();
        result
    }

    fn add_socket(&self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER_BYTES]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        // Without these two each answer of a box would wait for the other side's timer.
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        self.stack.borrow_mut().sockets.add(socket)
    }

    fn remove_socket(&self, handle: SocketHandle) {
        self.stack.borrow_mut().removed.push(handle);
        self.work.notify_one();
    }
}

impl Stack {
    fn poll(&mut self) -> (Vec<Frame>, Option<Duration>) {
        let now = self.now();
        self.interface.poll(now, &mut self.device, &mut self.sockets);
        for handle in self.removed.drain(..) {
            self.sockets.remove(handle);
        }
        let wait = self.interface.poll_delay(self.now(), &self.sockets);
        (self.device.take_sent(), wait.map(Into::into))
    }

    fn now(&self) -> smoltcp::time::Instant {
        let micros = self.start.elapsed().as_micros();
        smoltcp::time::Instant::from_micros(i64::try_from(micros).expect("a rack is not so old"))
    }

    /// A local port that no connection of this host uses.
    fn take_port(&mut self) -> Option<u16> {
        for _ in EPHEMERAL {
            let port = self.next_port;
            self.next_port = if port + 1 == EPHEMERAL.end { EPHEMERAL.start } else { port + 1 };
            if self.ports_in_use.insert(port) {
                return Some(port);
            }
        }
        None
    }
}
