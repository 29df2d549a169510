//! A greeting past the kernel, in a network namespace of the test's own.

#![allow(clippy::unwrap_used)] // a test's helpers are tests too

use std::time::Duration;

use linux::Mac;
use linux::net::ethernet::EtherType;
use linux::net::greeting::{self, From};
use linux::net::{Address, Netlink, PacketSocket};

/// Somebody else on the LAN has an address that this box has, too, and a server greets there. This box's
/// kernel would only ever ask itself. The other one is no kernel, since both ends of the cable are in
/// this network: a small TCP on the far end.
#[test]
fn a_greeting_comes_from_the_other_holder_of_an_address() {
    let run = || match linux::namespace::enter_new_network() {
        Ok(_namespace) => test(),
        Err(error) if error.is_forbidden() => eprintln!("skipped, no namespace: {error}"),
        Err(error) => panic!("{error}"),
    };
    std::thread::spawn(run).join().expect("the test passes");
}

fn test() {
    let mut netlink = Netlink::open().unwrap();
    netlink.add_cable("lan", "far").unwrap();
    let port = |netlink: &mut Netlink, name| netlink.link(name).unwrap().unwrap();
    let (lan, far) = (port(&mut netlink, "lan").index, port(&mut netlink, "far").index);
    netlink.set_up(lan).unwrap();
    netlink.set_up(far).unwrap();
    // The kernel works through a change of carrier a moment later.
    while ["lan", "far"].iter().any(|name| !port(&mut netlink, name).carrier) {
        std::thread::yield_now();
    }
    for ip in ["10.77.0.11", "10.77.0.2"] {
        let address = Address { ip: ip.parse().unwrap(), prefix_length: 24 };
        netlink.add_address(lan, address).unwrap();
    }
    let mac = port(&mut netlink, "lan").mac.unwrap();
    let other = Mac([0x52, 0x54, 0, 0x77, 1, 0x0b]);
    let from = From { index: lan, mac, ip: "10.77.0.11".parse().unwrap() };
    let ask = |port, at| {
        let to = std::net::SocketAddr::new("10.77.0.2".parse().unwrap(), port);
        greeting::heard(from, to, at, Duration::from_secs(5))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let questions = async {
            assert!(ask(25, other).await.unwrap(), "it greets");
            assert!(!ask(26, other).await.unwrap(), "nobody listens");
            let third = Mac([0x52, 0x54, 0, 0x77, 1, 0x0c]);
            let to = std::net::SocketAddr::new("10.77.0.2".parse().unwrap(), 25);
            let soon = Duration::from_millis(200);
            assert!(!greeting::heard(from, to, third, soon).await.unwrap(), "another machine");
        };
        tokio::select! {
            () = questions => {}
            () = serve(far, other, "10.77.0.2".parse().unwrap()) => unreachable!("for ever"),
        }
    });
}

/// A host that greets on port 25, with an address and a hardware address of its own, at a port.
async fn serve(port: u32, mac: Mac, ip: std::net::Ipv4Addr) {
    use smoltcp::iface::{Config, Interface, SocketSet};
    use smoltcp::socket::tcp;
    use smoltcp::time::Instant;
    use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

    let sockets =
        [EtherType::ARP, EtherType(0x0800)].map(|kind| PacketSocket::bind(port, kind).unwrap());
    let mut device = Device::default();
    let hardware = HardwareAddress::Ethernet(EthernetAddress(mac.0));
    let mut interface = Interface::new(Config::new(hardware), &mut device, Instant::now());
    interface.update_ip_addrs(|all| all.push(IpCidr::new(ip.into(), 24)).unwrap());
    let buffer = || tcp::SocketBuffer::new(vec![0; 1024]);
    let mut server = tcp::Socket::new(buffer(), buffer());
    server.listen(25).unwrap();
    let mut set = SocketSet::new(Vec::new());
    let handle = set.add(server);
    let (mut one, mut two) = ([0; 2048], [0; 2048]);
    loop {
        interface.poll(Instant::now(), &mut device, &mut set);
        let server = set.get_mut::<tcp::Socket<'_>>(handle);
        if server.can_send() && server.send_queue() == 0 {
            server.send_slice(b"220 here\r\n").unwrap();
            interface.poll(Instant::now(), &mut device, &mut set);
        }
        for frame in device.sent.drain(..) {
            // Both kinds leave by either socket.
            sockets[0].try_send(&frame).unwrap();
        }
        tokio::select! {
            Ok(length) = sockets[0].receive(&mut one) => {
                device.come.push_back(one[..length].to_vec());
            }
            Ok(length) = sockets[1].receive(&mut two) => {
                device.come.push_back(two[..length].to_vec());
            }
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

/// Two queues of frames, as smoltcp wants them.
#[derive(Default)]
struct Device {
    come: std::collections::VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl smoltcp::phy::Device for Device {
    type RxToken<'a> = Come;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: smoltcp::time::Instant) -> Option<(Come, Sending<'_>)> {
        Some((Come(self.come.pop_front()?), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _now: smoltcp::time::Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> smoltcp::phy::DeviceCapabilities {
        let mut capabilities = smoltcp::phy::DeviceCapabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

struct Come(Vec<u8>);

impl smoltcp::phy::RxToken for Come {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl smoltcp::phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}
