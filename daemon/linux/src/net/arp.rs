//! IPv4 and hardware addresses on one LAN (RFC 826): announcing ours, asking, and reading what
//! others say. Pure: bytes in and out.
//!
//! | frame | for |
//! |---|---|
//! | [`announce_request`] | takeover; most switches and hosts learn from it (RFC 5227 §2.3) |
//! | [`announce_reply`] | takeover; some old hosts learn only from replies |
//! | [`request`] | is the gateway there? |
//! | [`probe`] | does anybody hold this address? Teaches nobody anything (RFC 5227 §2.1.1) |

use std::net::Ipv4Addr;

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr};

use super::Mac;
use super::ethernet::{self, EtherType};

/// A whole frame to everybody: "`ip` is at `mac`", in the form of a request.
#[must_use]
pub fn announce_request(mac: Mac, ip: Ipv4Addr) -> Vec<u8> {
    frame(Mac::BROADCAST, ArpOperation::Request, (mac, ip), (Mac::ZERO, ip))
}

/// A whole frame to everybody: "`ip` is at `mac`", in the form of a reply that nobody asked for.
#[must_use]
pub fn announce_reply(mac: Mac, ip: Ipv4Addr) -> Vec<u8> {
    frame(Mac::BROADCAST, ArpOperation::Reply, (mac, ip), (mac, ip))
}

/// A whole frame to everybody: "who has `target`? Tell `ip` at `mac`."
#[must_use]
pub fn request(mac: Mac, ip: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    frame(Mac::BROADCAST, ArpOperation::Request, (mac, ip), (Mac::ZERO, target))
}

/// A whole frame to everybody: "who has `target`?", from somebody without an address.
#[must_use]
pub fn probe(mac: Mac, target: Ipv4Addr) -> Vec<u8> {
    request(mac, Ipv4Addr::UNSPECIFIED, target)
}

/// What an ARP frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    pub is_reply: bool,
    pub sender_mac: Mac,
    /// 0.0.0.0 in a probe.
    pub sender_ip: Ipv4Addr,
    pub target_mac: Mac,
    pub target_ip: Ipv4Addr,
}

/// Reads a frame; `None` when it is no ARP frame for IPv4 on Ethernet.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Arp> {
    let parts = ethernet::parse(bytes).filter(|parts| parts.kind == EtherType::ARP)?;
    let packet = ArpPacket::new_checked(parts.payload).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_hardware_addr,
        target_protocol_addr,
    } = ArpRepr::parse(&packet).ok()?
    else {
        return None;
    };
    let is_reply = match operation {
        ArpOperation::Request => false,
        ArpOperation::Reply => true,
        ArpOperation::Unknown(_) => return None,
    };
    Some(Arp {
        is_reply,
        sender_mac: Mac(source_hardware_addr.0),
        sender_ip: source_protocol_addr,
        target_mac: Mac(target_hardware_addr.0),
        target_ip: target_protocol_addr,
    })
}

impl Arp {
    /// Where the sender says that `ip` is. Any frame with a sender says so, asked or not.
    #[must_use]
    pub fn holder_of(&self, ip: Ipv4Addr) -> Option<Mac> {
        (self.sender_ip == ip && !ip.is_unspecified()).then_some(self.sender_mac)
    }

    /// Whether somebody other than the port `own` says that it holds `ip`: a second holder.
    #[must_use]
    pub fn contests(&self, own: Mac, ip: Ipv4Addr) -> Option<Mac> {
        self.holder_of(ip).filter(|&mac| mac != own)
    }
}

fn frame(
    destination: Mac,
    operation: ArpOperation,
    (sender_mac, sender_ip): (Mac, Ipv4Addr),
    (target_mac, target_ip): (Mac, Ipv4Addr),
) -> Vec<u8> {
    let message = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: sender_mac.wire(),
        source_protocol_addr: sender_ip,
        target_hardware_addr: target_mac.wire(),
        target_protocol_addr: target_ip,
    };
    let mut payload = vec![0; message.buffer_len()];
    message.emit(&mut ArpPacket::new_unchecked(&mut payload[..]));
    ethernet::build(destination, sender_mac, EtherType::ARP, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = Mac([0x52, 0x54, 0, 0x77, 1, 0x0a]);
    const OTHER: Mac = Mac([0x52, 0x54, 0, 0x77, 1, 0x0b]);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

    /// Header, hardware and protocol types, and what differs; 18 bytes of padding follow.
    fn expected(
        operation: u8,
        sender_ip: [u8; 4],
        target_mac: [u8; 6],
        target_ip: [u8; 4],
    ) -> Vec<u8> {
        let mut bytes = b"\xff\xff\xff\xff\xff\xff\x52\x54\x00\x77\x01\x0a\x08\x06".to_vec();
        bytes.extend(b"\x00\x01\x08\x00\x06\x04\x00");
        bytes.push(operation);
        bytes.extend(OWN.0);
        bytes.extend(sender_ip);
        bytes.extend(target_mac);
        bytes.extend(target_ip);
        bytes.resize(60, 0);
        bytes
    }

    #[test]
    fn frames_byte_for_byte() {
        let ip = IP.octets();
        assert_eq!(announce_request(OWN, IP), expected(1, ip, [0; 6], ip));
        assert_eq!(announce_reply(OWN, IP), expected(2, ip, OWN.0, ip));
        assert_eq!(request(OWN, IP, GATEWAY), expected(1, ip, [0; 6], GATEWAY.octets()));
        assert_eq!(probe(OWN, IP), expected(1, [0; 4], [0; 6], ip));
    }

    #[test]
    fn a_second_holder_is_seen_in_any_form() {
        for frame in
            [announce_request(OTHER, IP), announce_reply(OTHER, IP), request(OTHER, IP, GATEWAY)]
        {
            assert_eq!(parse(&frame).unwrap().contests(OWN, IP), Some(OTHER));
            assert_eq!(parse(&frame).unwrap().contests(OTHER, IP), None, "our own frame");
            assert_eq!(parse(&frame).unwrap().contests(OWN, GATEWAY), None, "another address");
        }
        let probe = parse(&probe(OTHER, IP)).unwrap();
        assert_eq!(probe.contests(OWN, IP), None, "a probe claims nothing");
        assert_eq!(probe.holder_of(Ipv4Addr::UNSPECIFIED), None);
    }

    #[test]
    fn a_gateway_answers() {
        let reply = frame(OWN, ArpOperation::Reply, (OTHER, GATEWAY), (OWN, IP));
        let reply = parse(&reply).unwrap();
        assert!(reply.is_reply);
        assert_eq!(reply.holder_of(GATEWAY), Some(OTHER));
    }

    #[test]
    fn other_bytes_are_no_arp() {
        let good = announce_request(OWN, IP);
        for length in 0..42 {
            assert_eq!(parse(&good[..length]), None, "{length} bytes");
        }
        for (position, value) in [(12, 0x86), (14, 9), (17, 9), (18, 9), (19, 16), (21, 9)] {
            let mut bad = good.clone();
            bad[position] = value;
            assert_eq!(parse(&bad), None, "byte {position}");
        }
    }
}
