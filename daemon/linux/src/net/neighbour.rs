//! The same as [`super::arp`] for IPv6: neighbour advertisements and solicitations (RFC 4861 §7.2).
//! Pure.

use std::net::Ipv6Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
    RawHardwareAddress,
};

use super::Mac;
use super::ethernet::{self, EtherType};

/// A whole frame to all hosts: "`ip` is at `mac`, whatever you knew before".
#[must_use]
pub fn announce(mac: Mac, ip: Ipv6Addr) -> Vec<u8> {
    let message = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::OVERRIDE,
        target_addr: ip,
        lladdr: Some(RawHardwareAddress::from_bytes(&mac.0)),
    };
    frame(mac, ALL_NODES_MAC, ip, ALL_NODES, message)
}

/// A whole frame to whoever holds `target`: "who has it? Tell `ip` at `mac`" (RFC 4861 §7.2.2).
#[must_use]
pub fn solicit(mac: Mac, ip: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let lladdr = Some(RawHardwareAddress::from_bytes(&mac.0));
    solicitation(mac, ip, NdiscRepr::NeighborSolicit { target_addr: target, lladdr }, target)
}

/// The same from somebody without an address: is `target` free? (RFC 4862 §5.4.2)
#[must_use]
pub fn probe(mac: Mac, target: Ipv6Addr) -> Vec<u8> {
    let message = NdiscRepr::NeighborSolicit { target_addr: target, lladdr: None };
    solicitation(mac, Ipv6Addr::UNSPECIFIED, message, target)
}

fn solicitation(mac: Mac, ip: Ipv6Addr, message: NdiscRepr<'_>, target: Ipv6Addr) -> Vec<u8> {
    // RFC 4291 §2.7.1: the group of all addresses that end like the target.
    let [.., x, y, z] = target.octets();
    let group = Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, x, y, z]);
    frame(mac, Mac([0x33, 0x33, 0xff, x, y, z]), ip, group, message)
}

fn frame(mac: Mac, to_mac: Mac, from: Ipv6Addr, to: Ipv6Addr, message: NdiscRepr<'_>) -> Vec<u8> {
    let message = Icmpv6Repr::Ndisc(message);
    let header = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.buffer_len(),
        hop_limit: HOP_LIMIT,
    };
    let mut payload = vec![0; header.buffer_len() + message.buffer_len()];
    let mut packet = Ipv6Packet::new_unchecked(&mut payload[..]);
    header.emit(&mut packet);
    message.emit(
        &from,
        &to,
        &mut Icmpv6Packet::new_unchecked(packet.payload_mut()),
        &ChecksumCapabilities::default(),
    );
    ethernet::build(to_mac, mac, EtherType::IPV6, &payload)
}

/// Who says that it holds which address: the target of a neighbour advertisement, or the sender of a
/// solicitation. `None` for every other frame.
#[must_use]
pub fn claim(bytes: &[u8]) -> Option<(Ipv6Addr, Mac)> {
    let parts = ethernet::parse(bytes).filter(|parts| parts.kind == EtherType::IPV6)?;
    let packet = Ipv6Packet::new_checked(parts.payload).ok()?;
    let header = Ipv6Repr::parse(&packet).ok()?;
    if header.next_header != IpProtocol::Icmpv6 || header.hop_limit != HOP_LIMIT {
        return None; // RFC 4861 §7.1.2: another hop limit means that it came from elsewhere
    }
    let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
    let message = Icmpv6Repr::parse(
        &header.src_addr,
        &header.dst_addr,
        &message,
        &ChecksumCapabilities::default(),
    );
    match message.ok()? {
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, lladdr, .. }) => {
            let mac = lladdr.map_or(Some(parts.source), |mac| Mac::from_slice(mac.as_bytes()))?;
            Some((target_addr, mac))
        }
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { lladdr: Some(mac), .. })
            if !header.src_addr.is_unspecified() =>
        {
            Some((header.src_addr, Mac::from_slice(mac.as_bytes())?))
        }
        _ => None,
    }
}

/// Who says that it holds `ip`, see [`claim`].
#[must_use]
pub fn holder_of(bytes: &[u8], ip: Ipv6Addr) -> Option<Mac> {
    claim(bytes).filter(|(claimed, _)| *claimed == ip).map(|(_, mac)| mac)
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// RFC 2464 §7.
const ALL_NODES_MAC: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
const HOP_LIMIT: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 1, 0x0a]);

    #[test]
    fn an_announcement_byte_for_byte() {
        let ip: Ipv6Addr = "fd00::1".parse().unwrap();
        let mut expected = Vec::new();
        expected.extend(b"\x33\x33\x00\x00\x00\x01\x52\x54\x00\x77\x01\x0a\x86\xdd");
        expected.extend(b"\x60\x00\x00\x00\x00\x20\x3a\xff");
        expected.extend(ip.octets());
        expected.extend(b"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
        // Type 136, code 0, checksum, override flag alone, target, option 2 (target's address).
        expected.extend(b"\x88\x00\x00\x00\x20\x00\x00\x00");
        expected.extend(ip.octets());
        expected.extend(b"\x02\x01\x52\x54\x00\x77\x01\x0a");
        let checksum = checksum(&expected[22..54], &expected[54..]);
        expected[56..58].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(announce(MAC, ip), expected);
    }

    #[test]
    fn a_question_goes_to_the_targets_group_and_names_who_asks() {
        let (ip, target): (Ipv6Addr, Ipv6Addr) =
            ("fe80::1".parse().unwrap(), "fd00::12:3456".parse().unwrap());
        let mut expected = Vec::new();
        expected.extend(b"\x33\x33\xff\x12\x34\x56\x52\x54\x00\x77\x01\x0a\x86\xdd");
        expected.extend(b"\x60\x00\x00\x00\x00\x20\x3a\xff");
        expected.extend(ip.octets());
        expected.extend(b"\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x12\x34\x56");
        expected.extend(b"\x87\x00\x00\x00\x00\x00\x00\x00");
        expected.extend(target.octets());
        expected.extend(b"\x01\x01\x52\x54\x00\x77\x01\x0a");
        let checksum = checksum(&expected[22..54], &expected[54..]);
        expected[56..58].copy_from_slice(&checksum.to_be_bytes());
        let question = solicit(MAC, ip, target);
        assert_eq!(question, expected);
        assert_eq!(holder_of(&question, ip), Some(MAC), "who asks from an address has it");
        assert_eq!(holder_of(&question, target), None);
        let probe = probe(MAC, target);
        assert_eq!(probe[22..38], [0; 16], "from nowhere");
        assert_eq!(holder_of(&probe, target), None, "a probe claims nothing");
        assert_eq!(holder_of(&probe, Ipv6Addr::UNSPECIFIED), None);
    }

    #[test]
    fn a_holder_is_read_back() {
        let ip: Ipv6Addr = "fd00::1".parse().unwrap();
        let frame = announce(MAC, ip);
        assert_eq!(holder_of(&frame, ip), Some(MAC));
        assert_eq!(holder_of(&frame, "fd00::2".parse().unwrap()), None);
        for length in 0..frame.len() {
            let _ = holder_of(&frame[..length], ip); // and never a panic
        }
        let mut far = frame.clone();
        far[21] = 64;
        assert_eq!(holder_of(&far, ip), None, "came through a router");
        let mut bent = frame;
        bent[70] ^= 1;
        assert_eq!(holder_of(&bent, ip), None, "checksum");
    }

    /// RFC 8200 §8.1, written down a second time so that the test does not trust what it tests.
    fn checksum(addresses: &[u8], message: &[u8]) -> u16 {
        let mut pseudo = addresses.to_vec();
        pseudo.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        pseudo.extend([0, 0, 0, 58]);
        pseudo.extend(message);
        let mut sum: u32 =
            pseudo.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }
}
