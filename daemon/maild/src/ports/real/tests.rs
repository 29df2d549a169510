//! The ports of a box on a real kernel, in a network namespace of the test's own. The other ends of the
//! cables are the test's: it plays the LAN's other machines with raw frames.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use linux::net::{arp, neighbour};

use super::*;

/// The two cables: `lan` and `cross` are the box's ends, `far` and `farcross` the test's.
struct Rig {
    netlink: Netlink,
    site: Site,
    folder: PathBuf,
}

/// Runs a test inside a new namespace; says so and passes where that is not permitted.
fn on_cables<F: Future<Output = ()>>(
    lan: &'static str,
    test: impl FnOnce(Rig) -> F + Send + 'static,
) {
    let run = move || match linux::namespace::enter_new_network() {
        Ok(_namespace) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(test(Rig::new(lan)));
        }
        Err(error) if error.is_forbidden() => eprintln!("skipped, no namespace: {error}"),
        Err(error) => panic!("{error}"),
    };
    std::thread::spawn(run).join().expect("the test passes");
}

const FIXED: &str = r#"
    address = ["10.77.0.11/24", "fd00::11/64"]
    gateway = ["10.77.0.254", "10.77.0.253", "fd00::254"]
    peer = ["10.77.0.12", "fd00::12"]
"#;

impl Rig {
    fn new(lan: &str) -> Rig {
        // As PID 1 sets them: each port answers for its own addresses only.
        linux::host::write_setting("net/ipv4/conf/all/arp_ignore", "1").unwrap();
        linux::host::write_setting("net/ipv6/conf/default/accept_dad", "0").unwrap();
        let mut netlink = Netlink::open().unwrap();
        netlink.add_cable("lan", "far").unwrap();
        netlink.add_cable("cross", "farcross").unwrap();
        for name in ["lo", "lan", "far", "cross", "farcross"] {
            let index = netlink.link(name).unwrap().unwrap().index;
            netlink.set_up(index).unwrap();
        }
        while ["lan", "far", "cross"].iter().any(|n| !netlink.link(n).unwrap().unwrap().carrier) {
            std::thread::yield_now();
        }
        let mac = |netlink: &mut Netlink, name| netlink.link(name).unwrap().unwrap().mac.unwrap();
        let text = format!(
            r#"side = "a"
            hostname = "mail-a.example.test"
            domain = "example.test"
            pair_token = "correct-horse-battery-staple"
            [lan]
            mac = "{}"
            {lan}
            [service]
            a = ["10.77.0.1/24", "fd00::1/64"]
            b = ["10.77.0.2/24", "fd00::2/64"]
            [crossover]
            mac = "{}"
            "#,
            mac(&mut netlink, "lan"),
            mac(&mut netlink, "cross"),
        );
        let site = Site::parse(&text).unwrap();
        let folder = tempfile_folder();
        Rig { netlink, site, folder }
    }

    async fn open(&self) -> (RealPorts, Events) {
        RealPorts::open(Arc::new(self.site.clone()), self.folder.clone(), 7).await.unwrap()
    }

    fn index(&mut self, name: &str) -> u32 {
        self.netlink.link(name).unwrap().unwrap().index
    }

    fn mac(&mut self, name: &str) -> Mac {
        self.netlink.link(name).unwrap().unwrap().mac.unwrap()
    }

    fn has(&mut self, ip: &str) -> bool {
        let lan = self.index("lan");
        let ip: IpAddr = ip.parse().unwrap();
        self.netlink.addresses(lan).unwrap().iter().any(|found| found.address.ip == ip)
    }

    async fn until_has(&mut self, ip: &str) {
        while !self.has(ip) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn tempfile_folder() -> PathBuf {
    let name = format!("twinpost-ports-{}-{:?}", std::process::id(), std::thread::current().id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A machine at the far end of the LAN cable that has addresses and answers for them.
#[derive(Clone)]
struct Station {
    mac: Mac,
    holds: Arc<std::sync::Mutex<HashSet<IpAddr>>>,
    arp: Arc<PacketSocket>,
    ipv6: Arc<PacketSocket>,
    /// Every claim that came in: who says that it has which address.
    heard: Arc<std::sync::Mutex<Vec<(IpAddr, bool)>>>,
}

impl Station {
    fn start(rig: &mut Rig, holds: &[&str]) -> Station {
        let far = rig.index("far");
        let station = Station {
            mac: rig.mac("far"),
            holds: Default::default(),
            arp: Arc::new(PacketSocket::bind(far, EtherType::ARP).unwrap()),
            ipv6: Arc::new(PacketSocket::bind_neighbours(far).unwrap()),
            heard: Default::default(),
        };
        station.holds(holds);
        tokio::spawn(station.clone().run());
        station
    }

    fn holds(&self, holds: &[&str]) {
        *self.holds.lock().unwrap() = holds.iter().map(|ip| ip.parse().unwrap()).collect();
    }

    async fn run(self) {
        let (mut v4, mut v6) = ([0; 1600], [0; 1600]);
        loop {
            tokio::select! {
                got = self.arp.receive(&mut v4) => {
                    let Some(asked) = got.ok().and_then(|n| arp::parse(&v4[..n])) else { continue };
                    let target = asked.target_ip;
                    if asked.sender_ip == target {
                        self.heard.lock().unwrap().push((target.into(), asked.is_reply));
                    }
                    if !asked.is_reply && self.holds.lock().unwrap().contains(&target.into()) {
                        let _ = self.arp.try_send(&arp::announce_reply(self.mac, target));
                    }
                }
                got = self.ipv6.receive(&mut v6) => {
                    let Ok(length) = got else { continue };
                    if let Some((ip, _)) = neighbour::claim(&v6[..length]) {
                        self.heard.lock().unwrap().push((ip.into(), true));
                    }
                    // Behind the Ethernet and IPv6 headers: type, and the target 8 bytes on.
                    if v6[54] == 135
                        && let Some(target) = v6[62..length].first_chunk::<16>()
                        && self.holds.lock().unwrap().contains(&IpAddr::from(*target))
                    {
                        let answer = neighbour::announce(self.mac, (*target).into());
                        let _ = self.ipv6.try_send(&answer);
                    }
                }
            }
        }
    }
}

async fn next<T>(events: &mut Events, look: impl Fn(&PortEvent) -> Option<T>) -> T {
    loop {
        let event = events.recv().await.expect("the ports are open");
        if let Some(found) = look(&event) {
            return found;
        }
    }
}

#[test]
fn a_third_machine_keeps_a_service_address_and_is_named_until_it_is_gone() {
    on_cables(FIXED, |mut rig| async move {
        let station = Station::start(&mut rig, &["10.77.0.1"]);
        let (mut ports, mut events) = rig.open().await;
        ports.take(Side::A, false).await;
        let conflict = |event: &PortEvent| match event {
            PortEvent::Conflict { ip, holder } => Some((ip.to_string(), *holder)),
            _ => None,
        };
        let told = next(&mut events, conflict).await;
        assert_eq!(told, ("10.77.0.1".into(), Some(station.mac)));
        assert!(!rig.has("10.77.0.1") && !rig.has("fd00::1"));
        ports.announce(Side::A);
        let heard = |ip: &str| {
            let ip: IpAddr = ip.parse().unwrap();
            station.heard.lock().unwrap().iter().filter(|(heard, _)| *heard == ip).count()
        };
        station.holds(&[]);
        assert_eq!(next(&mut events, conflict).await, ("10.77.0.1".into(), None));
        rig.until_has("10.77.0.1").await;
        rig.until_has("fd00::1").await;
        while heard("10.77.0.1") < 2 || heard("fd00::1") < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(heard("10.77.0.1"), 2, "announced when it was taken and not before");
    });
}

#[test]
fn free_addresses_are_taken_and_given_in_both_families_and_announced() {
    on_cables(FIXED, |mut rig| async move {
        let station = Station::start(&mut rig, &[]);
        let (mut ports, _events) = rig.open().await;
        // The peer's is not asked for: it is there when `take` returns.
        ports.take(Side::B, false).await;
        assert!(rig.has("10.77.0.2") && rig.has("fd00::2"));
        let mut heard = Vec::new();
        while heard.len() < 3 {
            // A port that has just got its carrier may drop what it sends for a moment.
            ports.announce(Side::B);
            tokio::time::sleep(Duration::from_millis(20)).await;
            heard = station.heard.lock().unwrap().clone();
            heard.retain(|(ip, _)| {
                ["10.77.0.2", "fd00::2"].map(|t| t.parse().unwrap()).contains(ip)
            });
            heard.sort();
            heard.dedup();
        }
        let v4: IpAddr = "10.77.0.2".parse().unwrap();
        assert_eq!(heard, [(v4, false), (v4, true), ("fd00::2".parse().unwrap(), true)]);
        ports.take(Side::A, false).await;
        rig.until_has("10.77.0.1").await;
        for side in Side::BOTH {
            ports.give(side).await;
        }
        assert!(["10.77.0.1", "10.77.0.2", "fd00::1", "fd00::2"].iter().all(|ip| !rig.has(ip)));
        // Given back by the peer, it is not asked for a second time.
        ports.take(Side::A, false).await;
        assert!(rig.has("10.77.0.1") && rig.has("fd00::1"));
    });
}

/// The questions take a quarter of a second, and whoever could answer is the peer.
#[test]
fn an_address_that_the_peer_hands_back_is_there_at_once() {
    on_cables(FIXED, |mut rig| async move {
        let (mut ports, _events) = rig.open().await;
        ports.take(Side::A, true).await;
        assert!(rig.has("10.77.0.1") && rig.has("fd00::1"));
    });
}

#[test]
fn gateways_are_asked_by_arp_and_ndp_and_the_route_follows_the_one_that_answers() {
    on_cables(FIXED, |mut rig| async move {
        let station = Station::start(&mut rig, &[]);
        let (_ports, mut events) = rig.open().await;
        // On a busy machine an answer may come too late, and then there are more words than one.
        let says = |wanted: bool| {
            move |event: &PortEvent| match event {
                PortEvent::Gateway { reachable } => (*reachable == wanted).then_some(()),
                _ => None,
            }
        };
        next(&mut events, says(false)).await;
        for holds in ["10.77.0.253", "fd00::254"] {
            station.holds(&[holds]);
            next(&mut events, says(true)).await;
            let lan = rig.index("lan");
            let holds_route: IpAddr = holds.parse().unwrap();
            while !rig.netlink.default_gateways(lan).unwrap().contains(&holds_route) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            station.holds(&[]);
            next(&mut events, says(false)).await;
        }
    });
}

#[test]
fn an_own_address_in_use_is_an_alarm_and_everything_else_goes_on() {
    on_cables(FIXED, |mut rig| async move {
        let station = Station::start(&mut rig, &["10.77.0.11"]);
        let (ports, mut events) = rig.open().await;
        let conflict = |event: &PortEvent| match event {
            PortEvent::Conflict { ip, holder } => Some((ip.to_string(), *holder)),
            _ => None,
        };
        let told = next(&mut events, conflict).await;
        assert_eq!(told, ("10.77.0.11".into(), Some(station.mac)));
        assert!(!rig.has("10.77.0.11"));
        rig.until_has("fd00::11").await;
        let mut own = ports.own_addresses();
        let usable = own.wait_for(|own| own.of(true).is_some()).await.unwrap().clone();
        assert_eq!((usable.of(false), usable.usable.len()), (None, 1));
        assert_eq!(ports.peer_address(Path::Lan, None).unwrap().to_string(), "[fd00::12]:7402");
    });
}

#[test]
fn heartbeats_go_over_the_crossover_both_families_of_the_lan_and_the_serial_cable() {
    on_cables(FIXED, |mut rig| async move {
        let (mut cable, device, _kept) = linux::terminal::open_pair().unwrap();
        let device = device.display().to_string();
        rig.site.serial = Some(control::site::Serial { device });
        let peer_site = Site {
            side: control::Side::B,
            lan: control::site::Lan {
                mac: Some(control::site::Mac(rig.mac("far").0)),
                ipv4: Some(Own::Static("10.77.0.12/24".parse().unwrap())),
                ipv6: Some(Own::Static("fd00::12/64".parse().unwrap())),
                peers: vec!["10.77.0.11".parse().unwrap(), "fd00::11".parse().unwrap()],
                ..rig.site.lan.clone()
            },
            crossover: control::site::Crossover {
                mac: Some(control::site::Mac(rig.mac("farcross").0)),
            },
            serial: None,
            ..rig.site.clone()
        };
        let (ports, mut events) = rig.open().await;
        let (_peer, mut heard) =
            RealPorts::open(Arc::new(peer_site), rig.folder.clone(), 8).await.unwrap();
        let mut wanted: HashSet<(Path, Option<IpAddr>)> = [
            (Path::Crossover, None),
            (Path::Lan, Some("10.77.0.11".parse().unwrap())),
            (Path::Lan, Some("fd00::11".parse().unwrap())),
        ]
        .into();
        let mut again = tokio::time::interval(Duration::from_millis(50));
        while !wanted.is_empty() {
            tokio::select! {
                _ = again.tick() => {
                    Path::ALL.iter().for_each(|path| ports.send_beat(*path, b"beat"));
                }
                Some(event) = heard.recv() => {
                    if let PortEvent::Beat { path, bytes, from } = event {
                        assert_eq!(bytes, b"beat");
                        wanted.remove(&(path, from));
                    }
                }
            }
        }
        let mut sent = [0; 7];
        std::io::Read::read_exact(&mut cable, &mut sent).unwrap();
        assert_eq!(&sent, b"\0\x05beat\0");
        std::io::Write::write_all(&mut cable, b"noise\0\x05back\0").unwrap();
        let serial = |event: &PortEvent| match event {
            PortEvent::Beat { path: Path::Serial, bytes, .. } => Some(bytes.clone()),
            _ => None,
        };
        assert_eq!(next(&mut events, serial).await, b"back");
    });
}

#[test]
fn dhcp_gives_an_address_that_outlives_a_restart_and_the_peer_is_found_by_its_heartbeats() {
    on_cables(r#"address = "dhcp""#, |mut rig| async move {
        let station = Station::start(&mut rig, &["10.77.0.254"]);
        let (far, lan) = (rig.index("far"), rig.index("lan"));
        let server = tokio::spawn(serve(PacketSocket::bind(far, EtherType::IPV4).unwrap()));
        let (ports, _events) = rig.open().await;
        let mut own = ports.own_addresses();
        let known = own.wait_for(|own| own.ipv4().is_some()).await.unwrap().clone();
        assert_eq!(known.ipv4(), Some(Ipv4Addr::new(10, 77, 0, 42)));
        let gateway: IpAddr = "10.77.0.254".parse().unwrap();
        assert_eq!((known.gateways, known.time_servers), (vec![gateway], vec![gateway]));
        while rig.netlink.default_gateways(lan).unwrap() != [gateway] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }

        let all = PacketSocket::bind(far, EtherType::IPV4).unwrap();
        let mut frame = [0; 1600];
        let mut again = tokio::time::interval(Duration::from_millis(50));
        let is_to_group = |frame: &[u8]| frame[26..34] == [10, 77, 0, 42, 224, 0, 0, 254];
        loop {
            tokio::select! {
                _ = again.tick() => ports.send_beat(Path::Lan, b"beat"),
                got = all.receive(&mut frame) => {
                    if got.is_ok_and(|length| length > 34) && is_to_group(&frame) {
                        break;
                    }
                }
            }
        }
        assert_eq!(ports.peer_address(Path::Lan, None), None);
        ports.peer_is_at("10.77.0.43".parse().unwrap());
        let found = ports.peer_address(Path::Lan, None).unwrap();
        assert_eq!(found.to_string(), "10.77.0.43:7402");

        while !rig.folder.join("lan-lease").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Another start, and no server: the lease is still good.
        drop((ports, _events));
        server.abort();
        station.holds(&[]);
        let leased = Address { ip: "10.77.0.42".parse().unwrap(), prefix_length: 24 };
        rig.netlink.remove_address(lan, leased).unwrap();
        let (again, _events) = rig.open().await;
        rig.until_has("10.77.0.42").await;
        drop(again);
    });
}

/// The kernel makes the address from what a router says; here the test puts one there that ends likewise.
#[test]
fn an_address_of_the_routers_prefix_is_found_and_a_service_address_is_not_taken_for_one() {
    on_cables("address = \"slaac\"", |mut rig| async move {
        let lan = rig.index("lan");
        let (mut ports, _events) = rig.open().await;
        ports.take(Side::B, false).await;
        assert!(rig.has("fd00::2"));
        let made = Address { ip: "fd00::5054:ff:fe77:10a".parse().unwrap(), prefix_length: 64 };
        rig.netlink.put_address(lan, made, linux::net::Use::Leased(3600)).unwrap();
        let mut own = ports.own_addresses();
        let known = own.wait_for(|own| own.of(true).is_some()).await.unwrap().clone();
        assert_eq!(known.usable, [made]);
        rig.netlink.remove_address(lan, made).unwrap();
        own.wait_for(|own| own.usable.is_empty()).await.unwrap();
    });
}

/// A DHCP server of 10.77.0.42 only, byte by byte.
async fn serve(socket: PacketSocket) {
    let mut buffer = [0; 1600];
    loop {
        let Ok(length) = socket.receive(&mut buffer).await else { continue };
        // Ethernet 14, IPv4 20, UDP 8; then op, ..., xid at 4, chaddr at 28, options at 240.
        let Some(question) = buffer[..length].get(42..).filter(|q| q.len() > 243) else { continue };
        if buffer[23] != 17 || buffer[36..38] != [0, 67] || question[240..242] != [53, 1] {
            continue;
        }
        let kind = if question[242] == 1 { 2 } else { 5 };
        let mut answer = vec![0; 240];
        answer[..4].copy_from_slice(&[2, 1, 6, 0]);
        answer[4..8].copy_from_slice(&question[4..8]);
        answer[16..20].copy_from_slice(&[10, 77, 0, 42]);
        answer[28..34].copy_from_slice(&question[28..34]);
        answer[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        answer.extend([53, 1, kind, 54, 4, 10, 77, 0, 254, 51, 4, 0, 0, 14, 16]);
        answer.extend([1, 4, 255, 255, 255, 0, 3, 4, 10, 77, 0, 254, 42, 4, 10, 77, 0, 254, 255]);
        let udp = (answer.len() + 8) as u16;
        let mut packet = vec![0x45, 0];
        packet.extend((udp + 20).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, 254, 255, 255, 255, 255]);
        packet.extend([0, 67, 0, 68]);
        packet.extend(udp.to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(answer);
        let to = Mac(buffer[6..12].try_into().unwrap());
        let frame = ethernet::build(to, Mac([2, 0, 0, 0, 0, 1]), EtherType::IPV4, &packet);
        let _ = socket.send(&frame).await;
    }
}

#[test]
fn padding_is_cut_off() {
    let mut payload = sized(b"beat");
    payload.extend([0; 40]);
    assert_eq!(payload_of(&payload), Some(b"beat".as_slice()));
    assert_eq!(payload_of(&[0]), None);
    assert_eq!(payload_of(&[0, 9, 1]), None);
}
