//! The client host follows an address to the box that announces it.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test right there")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::net::UnixStream;

use rack::{Nic, Rack, RackConfig};

const SERVICE: [u8; 4] = [10, 77, 0, 1];
const CLIENT: [u8; 4] = [10, 77, 0, 100];
const CLIENT_MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x77, 0x01, 0x64];
const GATEWAY: [u8; 4] = [10, 77, 0, 254];
const ARP: [u8; 2] = [0x08, 0x06];
const IPV4: [u8; 2] = [0x08, 0x00];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// A box made of bytes.
struct FakeBox {
    stream: UnixStream,
    mac: [u8; 6],
}

impl FakeBox {
    fn plug(rack: &Rack, nic: Nic, last: u8) -> FakeBox {
        let stream = UnixStream::connect(rack.socket(nic)).unwrap();
        FakeBox { stream, mac: [0x52, 0x54, 0, 0, 0, last] }
    }

    fn send(&mut self, to: [u8; 6], kind: [u8; 2], payload: &[u8]) {
        let frame = [&to[..], &self.mac, &kind, payload].concat();
        self.stream.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    fn send_arp(&mut self, to: [u8; 6], operation: u8, source: [u8; 4], target: [u8; 4]) {
        let head = [0, 1, 8, 0, 6, 4, 0, operation];
        let payload = [&head[..], &self.mac, &source, &to, &target].concat();
        self.send(to, ARP, &payload);
    }

    /// The next frame of this kind that satisfies the test; others are passed over.
    fn wait_for(&mut self, kind: [u8; 2], wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        loop {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length).unwrap();
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut frame).unwrap();
            if frame[12..14] == kind && wanted(&frame[14..]) {
                return frame;
            }
        }
    }

    /// Waits for the first segment of a connection to the service address that comes to this box's
    /// address.
    fn wait_for_syn(&mut self) {
        let mac = self.mac;
        let frame = self.wait_for(IPV4, |packet| packet[16..20] == SERVICE && packet[33] & 2 != 0);
        assert_eq!(frame[0..6], mac);
        assert_eq!(frame[26..30], CLIENT);
    }
}

#[test]
fn new_connections_follow_an_announcement_in_either_form() {
    let rack = Rack::start(RackConfig::default()).unwrap();
    let target = SocketAddrV4::new(Ipv4Addr::from(SERVICE), 25);
    let smtp = rack.forward(0, target).unwrap();
    let mut a = FakeBox::plug(&rack, Nic::LanA, 1);
    let mut b = FakeBox::plug(&rack, Nic::LanB, 2);

    let _first = TcpStream::connect(smtp).unwrap();
    a.wait_for(ARP, |arp| arp[7] == REQUEST && arp[24..28] == SERVICE);
    a.send_arp(CLIENT_MAC, REPLY, SERVICE, CLIENT);
    a.wait_for_syn();

    b.send_arp([0xff; 6], REQUEST, SERVICE, SERVICE);
    let _second = TcpStream::connect(smtp).unwrap();
    b.wait_for_syn();

    a.send_arp([0xff; 6], REPLY, SERVICE, SERVICE);
    let _third = TcpStream::connect(smtp).unwrap();
    a.wait_for_syn();
}

#[test]
fn the_gateway_answers_arp_and_ping() {
    let rack = Rack::start(RackConfig::default()).unwrap();
    let mut a = FakeBox::plug(&rack, Nic::LanA, 1);
    a.send_arp([0xff; 6], REQUEST, [10, 77, 0, 11], GATEWAY);
    let reply = a.wait_for(ARP, |arp| arp[7] == REPLY);
    assert_eq!(reply[28..32], GATEWAY);
    assert_eq!(reply[22..28], CLIENT_MAC);

    let mut echo = vec![8, 0, 0, 0, 0, 7, 0, 1];
    let sum = checksum(&echo);
    echo[2..4].copy_from_slice(&sum);
    let mut header =
        [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0][..], &[10, 77, 0, 11], &GATEWAY].concat();
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    a.send(CLIENT_MAC, IPV4, &[header, echo].concat());
    let reply = a.wait_for(IPV4, |packet| packet[9] == 1);
    assert_eq!(reply[26..30], GATEWAY);
    assert_eq!(reply[34], 0, "an echo reply");
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
