//! The rack without boxes: hosts of two racks reach each other through cables that break.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test right there")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rack::{Cable, Fault, HostConfig, Nic, Rack, RackConfig, WayName};

const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Long enough for any machine; nothing here waits for it to pass.
const LONG: Duration = Duration::from_secs(120);

/// A client's rack whose LAN cable a leads to a server host in a rack of its own.
struct Pair {
    client: Rack,
    server: Rack,
}

impl Pair {
    fn start(patience: Duration) -> Pair {
        let client = HostConfig { patience, ..HostConfig::client() };
        let server = HostConfig {
            mac: [0x52, 0x54, 0, 0, 0, 1],
            addresses: vec![SERVICE],
            ..HostConfig::client()
        };
        let rack =
            |host| Rack::start(RackConfig { hosts: vec![host], ..RackConfig::default() }).unwrap();
        let pair = Pair { client: rack(client), server: rack(server) };
        let ends = [&pair.client, &pair.server]
            .map(|rack| UnixStream::connect(rack.socket(Nic::LanA)).unwrap());
        for (from, to) in [(0, 1), (1, 0)] {
            let (mut from, mut to) =
                (ends[from].try_clone().unwrap(), ends[to].try_clone().unwrap());
            // Ends with either rack.
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
        pair
    }

    /// A local port that leads through both racks to an echo server.
    fn echo(&self) -> SocketAddr {
        self.server.serve(25, echo_server()).unwrap();
        self.client.forward(0, SocketAddrV4::new(SERVICE, 25)).unwrap()
    }
}

fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut writer = stream.try_clone().unwrap();
                _ = std::io::copy(&mut stream, &mut writer);
                _ = writer.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Sends, closes that half, and reads to the end.
fn round_trip(address: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let mut stream = connect(address);
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    sender.join().unwrap();
    got
}

fn noise(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|n| ((n * 31 + seed * 7) ^ (n >> 8)) as u8).collect()
}

#[test]
fn bytes_pass_unchanged_and_half_closes_are_seen() {
    let pair = Pair::start(LONG);
    let echo = pair.echo();
    for length in [0, 1, 1460, 3_000_000] {
        let bytes = noise(length, length);
        assert!(round_trip(echo, bytes.clone()) == bytes, "{length} bytes");
    }
    let stats = pair.client.stats().unwrap();
    assert!(stats.port(Nic::LanA).attached);
    assert!(stats.way(WayName::LanToA).bytes > 3_000_000);
    assert_eq!(stats.way(WayName::CrossoverAToB).frames, 0);
}

#[test]
fn many_connections_at_once() {
    let pair = Pair::start(LONG);
    let echo = pair.echo();
    std::thread::scope(|scope| {
        for n in 0..100 {
            scope.spawn(move || {
                let bytes = noise(20_000 + n, n);
                assert!(round_trip(echo, bytes.clone()) == bytes, "connection {n}");
            });
        }
    });
}

#[test]
fn a_lossy_slow_cable_delays_bytes_but_does_not_change_them() {
    let pair = Pair::start(LONG);
    let echo = pair.echo();
    let bad = Fault { loss_ppm: 20_000, ..Fault::delay(Duration::from_millis(2)) };
    pair.client.set_fault(Cable::LanA, bad).unwrap();
    let bytes = noise(200_000, 1);
    assert!(round_trip(echo, bytes.clone()) == bytes);
    assert!(pair.client.stats().unwrap().way(WayName::LanFromA).lost > 0);
}

#[test]
fn a_refused_port_resets_the_local_client() {
    let pair = Pair::start(LONG);
    let nobody = pair.client.forward(0, SocketAddrV4::new(SERVICE, 110)).unwrap();
    let error = connect(nobody).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_cut_cable_ends_connections_in_bounded_time_also_idle_ones() {
    let pair = Pair::start(Duration::from_secs(1));
    let echo = pair.echo();
    let mut idle = connect(echo);
    idle.write_all(b"x").unwrap();
    idle.read_exact(&mut [0]).unwrap();
    pair.client.set_fault_one_way(WayName::LanFromA, Fault::CUT).unwrap();
    let start = Instant::now();
    let error = idle.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = connect(echo).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(start.elapsed() < LONG);
    pair.client.join(Cable::LanA).unwrap();
    assert_eq!(round_trip(echo, b"again".to_vec()), b"again");
}

#[test]
fn a_quiet_connection_to_a_living_box_stays() {
    let pair = Pair::start(Duration::from_millis(900));
    let echo = pair.echo();
    let mut quiet = connect(echo);
    // The time that passes is the point of this test.
    std::thread::sleep(Duration::from_secs(2));
    quiet.write_all(b"x").unwrap();
    quiet.read_exact(&mut [0]).unwrap();
}
