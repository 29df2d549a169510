//! Addresses, routes, frames and carrier on a real kernel, in a network namespace of the test's
//! own.

#![allow(clippy::unwrap_used)] // a test's helpers are tests too

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Instant;

use linux::net::ethernet::{self, EtherType};
use linux::net::{
    Address, LinkChange, LinkWatch, Netlink, Network, PacketSocket, Tap, Use, arp, neighbour,
    reset_connections,
};
use linux::{Mac, link_local};

/// Runs a test on a thread inside a new namespace; says so and passes where that is not permitted.
fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let run = move || match linux::namespace::enter_new_network() {
        Ok(_namespace) => test(),
        Err(error) if error.is_forbidden() => eprintln!("skipped, no namespace: {error}"),
        Err(error) => panic!("{error}"),
    };
    std::thread::spawn(run).join().expect("the test passes");
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future);
}

fn address(text: &str) -> Address {
    let (ip, prefix_length) = text.split_once('/').unwrap();
    Address { ip: ip.parse().unwrap(), prefix_length: prefix_length.parse().unwrap() }
}

/// Two ports with a cable between them, both on.
fn cable(netlink: &mut Netlink) -> (u32, u32) {
    netlink.add_cable("lan", "far").unwrap();
    let lan = netlink.link("lan").unwrap().expect("just made").index;
    let far = netlink.link("far").unwrap().expect("just made").index;
    netlink.set_up(lan).unwrap();
    netlink.set_up(far).unwrap();
    until_carrier(netlink);
    (lan, far)
}

/// The kernel works through a change of carrier a moment later.
fn until_carrier(netlink: &mut Netlink) {
    while ["lan", "far"].iter().any(|name| !netlink.link(name).unwrap().unwrap().carrier) {
        std::thread::yield_now();
    }
}

#[test]
fn addresses_come_and_go() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, far) = cable(&mut netlink);
        let own = address("10.77.0.11/24");
        let service = address("10.77.0.1/24");
        let six = address("fd00::1/64");
        for address in [own, service, six] {
            assert!(netlink.add_address(lan, address).unwrap(), "{address} is new");
            assert!(!netlink.add_address(lan, address).unwrap(), "{address} is there");
        }
        let found = netlink.addresses(lan).unwrap();
        for address in [own, service, six] {
            let found = found.iter().find(|found| found.address == address).expect("listed");
            assert!(!found.tentative, "{address} is usable at once");
        }
        assert!(netlink.addresses(far).unwrap().iter().all(|found| found.address.ip.is_ipv6()));
        assert!(netlink.remove_address(lan, service).unwrap());
        assert!(!netlink.remove_address(lan, service).unwrap(), "gone already");
        assert!(netlink.addresses(lan).unwrap().iter().any(|found| found.address == own));
        let nowhere = netlink.add_address(9999, own).unwrap_err();
        assert!(nowhere.is_absent(), "{nowhere}");
    });
}

/// What the kernel says of an address on a port.
fn find(netlink: &mut Netlink, index: u32, wanted: Address) -> Option<linux::net::AddressOnPort> {
    netlink.addresses(index).unwrap().into_iter().find(|found| found.address == wanted)
}

#[test]
fn an_own_address_of_ipv6_is_checked_for_a_duplicate_and_a_service_address_is_not() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, far) = cable(&mut netlink);
        for name in ["lan", "far"] {
            linux::host::write_setting(&format!("net/ipv6/conf/{name}/accept_dad"), "1").unwrap();
        }
        let (free, used) = (address("fd00::11/64"), address("fd00::1/64"));
        netlink.add_address(far, used).unwrap();
        assert!(!find(&mut netlink, far, used).unwrap().tentative, "a service address");
        netlink.put_address(lan, free, Use::Own).unwrap();
        netlink.put_address(lan, used, Use::Own).unwrap();
        assert!(find(&mut netlink, lan, free).unwrap().tentative, "an own one, just put there");
        while find(&mut netlink, lan, free).unwrap().tentative
            || !find(&mut netlink, lan, used).unwrap().duplicate
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!find(&mut netlink, lan, free).unwrap().duplicate);
        // The takeover of the same address does not ask.
        netlink.remove_address(lan, used).unwrap();
        assert!(netlink.add_address(lan, used).unwrap());
        let taken = find(&mut netlink, lan, used).unwrap();
        assert!(!taken.tentative && !taken.duplicate);
    });
}

/// What this box opens comes from its own address, whichever was put on the port first.
#[test]
fn a_service_address_of_ipv6_is_no_source() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, _) = cable(&mut netlink);
        netlink.add_address(lan, address("fd00::1/64")).unwrap();
        netlink.put_address(lan, address("fd00::11/64"), Use::Own).unwrap();
        while find(&mut netlink, lan, address("fd00::11/64")).unwrap().tentative {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let socket = std::net::UdpSocket::bind("[::]:0").unwrap();
        socket.connect("[fd00::99]:9").unwrap();
        assert_eq!(socket.local_addr().unwrap().ip().to_string(), "fd00::11");
    });
}

#[test]
fn a_leased_address_ends_by_itself_unless_it_is_renewed() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, _) = cable(&mut netlink);
        let leased = address("10.77.0.42/24");
        netlink.put_address(lan, leased, Use::Leased(1)).unwrap();
        assert!(find(&mut netlink, lan, leased).unwrap().dynamic);
        netlink.put_address(lan, leased, Use::Leased(3600)).unwrap();
        let short = address("10.77.0.43/24");
        netlink.put_address(lan, short, Use::Leased(1)).unwrap();
        while find(&mut netlink, lan, short).is_some() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(find(&mut netlink, lan, leased).is_some(), "renewed");
    });
}

#[test]
fn a_port_gets_another_mtu() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, _) = cable(&mut netlink);
        netlink.set_mtu(lan, 1400).unwrap();
        assert_eq!(netlink.link("lan").unwrap().unwrap().mtu, Some(1400));
        assert!(netlink.set_mtu(lan, 20).is_err());
    });
}

#[test]
fn a_vlan_is_an_interface_of_its_own() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, _) = cable(&mut netlink);
        if let Err(error) = netlink.add_vlan(lan, "vlan12", 12) {
            return eprintln!("skipped, this kernel has no VLANs: {error}");
        }
        let vlan = netlink.link("vlan12").unwrap().expect("just made");
        assert_eq!(vlan.kind.as_deref(), Some("vlan"));
        assert_eq!(vlan.mac, netlink.link("lan").unwrap().unwrap().mac);
        assert!(netlink.add_vlan(lan, "vlan12", 12).unwrap_err().is_present());
        netlink.set_up(vlan.index).unwrap();
        assert!(netlink.add_address(vlan.index, address("10.77.0.1/24")).unwrap());
    });
}

/// Raw sockets with a filter hear what they are for, and nothing else.
#[test]
fn filtered_sockets_hear_their_own_kind_only() {
    in_own_network(|| {
        block_on(async {
            let mut netlink = Netlink::open().unwrap();
            let (lan, far) = cable(&mut netlink);
            let mac = netlink.link("far").unwrap().unwrap().mac.unwrap();
            let from = PacketSocket::bind(far, EtherType::ARP).unwrap();

            let neighbours = PacketSocket::bind_neighbours(lan).unwrap();
            let target = "fd00::1".parse().unwrap();
            let junk = ethernet::build(Mac::BROADCAST, mac, EtherType::IPV6, &[0x60; 80]);
            let advertised = neighbour::announce(mac, target);
            let asked = neighbour::solicit(mac, target, target);
            for frame in [advertised, asked] {
                let seen = std::cell::Cell::new(false);
                let look = |heard: Vec<u8>| {
                    seen.set(seen.get() || heard == junk);
                    neighbour::holder_of(&heard, target)
                };
                assert_eq!(exchange(&from, &[junk.clone(), frame], &neighbours, look).await, mac);
                assert!(!seen.get(), "junk came through");
            }

            let dhcp = PacketSocket::bind_dhcp(lan).unwrap();
            let mut offer = vec![0; 300];
            offer[0] = 0x45;
            offer[9] = 17;
            offer[22..24].copy_from_slice(&68_u16.to_be_bytes());
            let frame = |payload: &[u8]| ethernet::build(mac, mac, EtherType::IPV4, payload);
            let with = |at: usize, byte: u8| {
                let mut other = offer.clone();
                other[at] = byte;
                frame(&other)
            };
            let wanted = frame(&offer);
            // Another protocol, a fragment, another port.
            let frames = [with(9, 6), with(7, 1), with(23, 67), wanted.clone()];
            assert_eq!(exchange(&from, &frames, &dhcp, Some).await, wanted);
        });
    });
}

#[test]
fn the_default_route_is_replaced() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, _) = cable(&mut netlink);
        netlink.add_address(lan, address("10.77.0.11/24")).unwrap();
        let source: IpAddr = "10.77.0.11".parse().unwrap();
        for gateway in ["10.77.0.254", "10.77.0.254", "10.77.0.253"] {
            let gateway: IpAddr = gateway.parse().unwrap();
            netlink.set_default_route(lan, gateway, Some(source)).unwrap();
            assert_eq!(netlink.default_gateways(lan).unwrap(), [gateway]);
        }
        let unreachable = netlink.set_default_route(lan, "10.99.0.1".parse().unwrap(), None);
        assert!(unreachable.is_err());
    });
}

#[test]
fn links_are_listed_with_what_they_are() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, far) = cable(&mut netlink);
        let links = netlink.links().unwrap();
        let loopback = links.iter().find(|link| link.name == "lo").unwrap();
        assert!(loopback.loopback && !loopback.up && loopback.mac.is_none());
        let near = links.iter().find(|link| link.index == lan).unwrap();
        assert_eq!((near.kind.as_deref(), near.up, near.carrier), (Some("veth"), true, true));
        assert!(near.mac.is_some());
        netlink.set_down(far).unwrap();
        while netlink.link("lan").unwrap().unwrap().carrier {
            std::thread::yield_now();
        }
        assert!(netlink.link("lan").unwrap().unwrap().up, "only the other end is off");
        assert_eq!(netlink.link("eth77").unwrap(), None);
        let ports = linux::net::ports::all(&mut netlink).unwrap();
        assert_eq!(ports.len(), 2);
        assert_eq!(linux::net::ports::choose(&ports, None, None).complaints.len(), 2);
    });
}

#[test]
fn a_pulled_cable_is_told() {
    in_own_network(|| {
        block_on(async {
            let network = Network::open().unwrap();
            let mut netlink = Netlink::open().unwrap();
            let (_, far) = cable(&mut netlink);
            let mut watch = LinkWatch::open().unwrap();
            let mut carrier_becomes = async |expected: bool| loop {
                let LinkChange::Now(link) = watch.next().await.unwrap() else { continue };
                if link.name == "lan" && link.carrier == expected {
                    return;
                }
            };
            carrier_becomes(true).await;
            network.set_down(far).await.unwrap();
            carrier_becomes(false).await;
            network.set_up(far).await.unwrap();
            carrier_becomes(true).await;
        });
    });
}

/// By itself the kernel would tell of the later ones up to a second later.
#[test]
fn plugs_that_are_pulled_one_after_the_other_are_told_soon() {
    in_own_network(|| {
        block_on(async {
            let tap = match Tap::make("lan0") {
                Ok(tap) => tap,
                Err(error) if error.is_forbidden() || error.is_absent() => {
                    return eprintln!("skipped, no ports of software: {error}");
                }
                Err(error) => panic!("{error}"),
            };
            let mut netlink = Netlink::open().unwrap();
            let port = netlink.link("lan0").unwrap().expect("just made");
            netlink.set_up(port.index).unwrap();
            let mut watch = LinkWatch::open().unwrap();
            for _ in 0..4 {
                for expected in [false, true] {
                    let pulled = Instant::now();
                    tap.set_carrier(expected).unwrap();
                    loop {
                        let LinkChange::Now(link) = watch.next().await.unwrap() else { continue };
                        if link.index == port.index && link.carrier == expected {
                            break;
                        }
                    }
                    eprintln!("{expected} told after {} ms", pulled.elapsed().as_millis());
                }
            }
        });
    });
}

#[test]
fn a_port_of_software_carries_frames_and_has_a_plug() {
    in_own_network(|| {
        block_on(async {
            let tap = match Tap::make("lan0") {
                Ok(tap) => tap,
                Err(error) if error.is_forbidden() || error.is_absent() => {
                    return eprintln!("skipped, no ports of software: {error}");
                }
                Err(error) => panic!("{error}"),
            };
            let mut netlink = Netlink::open().unwrap();
            let port = netlink.link("lan0").unwrap().expect("just made");
            netlink.set_up(port.index).unwrap();
            let mut carrier_becomes = async |expected| {
                tap.set_carrier(expected).unwrap();
                while netlink.link("lan0").unwrap().unwrap().carrier != expected {
                    tokio::task::yield_now().await;
                }
            };
            carrier_becomes(false).await;
            carrier_becomes(true).await;
            let socket = PacketSocket::bind(port.index, EtherType::HEARTBEAT).unwrap();
            let mac = port.mac.unwrap();
            let beat = ethernet::build(Mac::BROADCAST, mac, EtherType::HEARTBEAT, b"beat");
            let mut frames = std::fs::File::from(tap.frames().unwrap());
            frames.write_all(&beat).unwrap();
            let mut buffer = [0; 1600];
            let length = socket.receive(&mut buffer).await.unwrap();
            assert_eq!(buffer[..length], beat[..]);
            socket.send(&beat).await.unwrap();
            loop {
                // The kernel sends frames of its own, too.
                match frames.read(&mut buffer) {
                    Ok(length) if buffer[..length] == beat[..] => break,
                    _ => tokio::task::yield_now().await,
                }
            }
        });
    });
}

#[test]
fn connections_of_one_address_are_reset() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let loopback = netlink.link("lo").unwrap().unwrap().index;
        netlink.set_up(loopback).unwrap();
        // As of the mail ports: one listener for both families and all addresses.
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect = |ip: &str| TcpStream::connect((ip, port)).unwrap();
        let (mut going, mut waiting) = (connect("127.0.0.2"), connect("127.0.0.2"));
        let mut staying = connect("127.0.0.3");
        let accepted: Vec<TcpStream> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        let mut unaccepted = connect("127.0.0.2");
        match reset_connections("127.0.0.2".parse().unwrap()) {
            Ok(count) => assert_eq!(count, 3),
            Err(error) => return eprintln!("skipped, this kernel resets no connections: {error}"),
        }
        for stream in [&mut going, &mut waiting, &mut unaccepted] {
            let error = stream.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        (&accepted[2]).write_all(b"x").unwrap();
        assert_eq!(staying.read(&mut [0]).unwrap(), 1);
        assert_eq!(reset_connections("127.0.0.2".parse().unwrap()).unwrap(), 0);
    });
}

#[test]
fn frames_cross_the_cable() {
    in_own_network(|| {
        block_on(async {
            let mut netlink = Netlink::open().unwrap();
            let (lan, far) = cable(&mut netlink);
            let mac = netlink.link("lan").unwrap().unwrap().mac.unwrap();
            let near = PacketSocket::bind(lan, EtherType::HEARTBEAT).unwrap();
            let other = PacketSocket::bind(far, EtherType::HEARTBEAT).unwrap();
            let foreign = ethernet::build(Mac::BROADCAST, mac, EtherType(0x88b6), b"foreign");
            let beat = ethernet::build(Mac::BROADCAST, mac, EtherType::HEARTBEAT, b"beat");
            let heard = exchange(&near, &[foreign, beat.clone()], &other, Some).await;
            assert_eq!(heard, beat, "another EtherType is not received");

            netlink.set_down(far).unwrap();
            let mut buffer = [0; 1600];
            let error = loop {
                // Beats that were sent twice come first.
                match other.receive(&mut buffer).await {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert!(error.is_absent(), "{error}");
            netlink.set_up(far).unwrap();
            let later = ethernet::build(mac, mac, EtherType::HEARTBEAT, b"later");
            let is_later = |frame| (frame == later).then_some(());
            exchange(&near, std::slice::from_ref(&later), &other, is_later).await;
        });
    });
}

/// The other end asks, as a gateway's neighbours do, and announces an address of its own.
#[test]
fn the_kernel_answers_and_the_neighbour_hears() {
    in_own_network(|| {
        block_on(async {
            let mut netlink = Netlink::open().unwrap();
            let (lan, far) = cable(&mut netlink);
            let near_mac = netlink.link("lan").unwrap().unwrap().mac.unwrap();
            let far_mac = netlink.link("far").unwrap().unwrap().mac.unwrap();
            netlink.add_address(lan, address("10.77.0.11/24")).unwrap();
            let socket = PacketSocket::bind(far, EtherType::ARP).unwrap();
            let target = "10.77.0.11".parse().unwrap();
            let question = arp::probe(far_mac, target);
            let holder = |frame: Vec<u8>| arp::parse(&frame)?.holder_of(target);
            assert_eq!(exchange(&socket, &[question], &socket, holder).await, near_mac);

            let six = PacketSocket::bind(lan, EtherType::IPV6).unwrap();
            let ip = "fd00::1".parse().unwrap();
            let holder = |frame: Vec<u8>| neighbour::holder_of(&frame, ip);
            let announcement = neighbour::announce(far_mac, ip);
            assert_eq!(exchange(&socket, &[announcement], &six, holder).await, far_mac);
        });
    });
}

/// Sends again and again until something is heard: a port that has just come up may drop frames.
async fn exchange<T>(
    from: &PacketSocket,
    frames: &[Vec<u8>],
    to: &PacketSocket,
    look: impl Fn(Vec<u8>) -> Option<T>,
) -> T {
    let mut buffer = [0; 1600];
    let mut again = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        tokio::select! {
            _ = again.tick() => {
                for frame in frames {
                    from.send(frame).await.unwrap();
                }
            }
            length = to.receive(&mut buffer) => {
                if let Some(found) = look(buffer[..length.unwrap()].to_vec()) {
                    return found;
                }
            }
        }
    }
}

#[test]
fn link_local_is_what_the_kernel_makes() {
    in_own_network(|| {
        let mut netlink = Netlink::open().unwrap();
        let (lan, _) = cable(&mut netlink);
        let mac = netlink.link("lan").unwrap().unwrap().mac.unwrap();
        let expected = IpAddr::V6(link_local(mac));
        loop {
            let found = netlink.addresses(lan).unwrap();
            match found.iter().find(|found| found.address.prefix_length == 64) {
                Some(found) => return assert_eq!(found.address.ip, expected),
                None => std::thread::yield_now(),
            }
        }
    });
}
