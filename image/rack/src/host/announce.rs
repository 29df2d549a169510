//! Address announcements: what makes a client find the survivor.
//!
//! A box that takes an address over says so by gratuitous ARP, in request and in reply form: sender
//! and target are the address itself. smoltcp looks only at ARP that asks for, or is addressed to,
//! one of its own addresses, so a client host on it would go on talking to the dead box until its
//! cache expires. Each announcement is therefore turned into a reply to this host, which smoltcp
//! believes at once, as an ordinary client would believe the announcement (RFC 826; RFC 5227 §3).

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Ipv4Address,
};

use crate::framing::Frame;

/// Gives the frame that this host's stack shall see instead of `frame`.
pub fn believe(frame: Frame, own_mac: EthernetAddress, own_address: Ipv4Address) -> Frame {
    let Some(announced) = announcement(&frame) else { return frame };
    if announced.1 == own_address {
        return frame;
    }
    reply_to(own_mac, own_address, announced)
}

/// Who is announced, and at which hardware address.
fn announcement(frame: &[u8]) -> Option<(EthernetAddress, Ipv4Address)> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    if frame.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    match ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).ok()?).ok()? {
        ArpRepr::EthernetIpv4 {
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        } if source_protocol_addr == target_protocol_addr => {
            Some((source_hardware_addr, source_protocol_addr))
        }
        _ => None,
    }
}

fn reply_to(
    own_mac: EthernetAddress,
    own_address: Ipv4Address,
    (mac, address): (EthernetAddress, Ipv4Address),
) -> Frame {
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: mac,
        source_protocol_addr: address,
        target_hardware_addr: own_mac,
        target_protocol_addr: own_address,
    };
    let mut bytes = vec![0; EthernetFrame::<&[u8]>::buffer_len(repr.buffer_len())];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    frame.set_src_addr(mac);
    frame.set_dst_addr(own_mac);
    frame.set_ethertype(EthernetProtocol::Arp);
    repr.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    Frame::from(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const OWN: Ipv4Address = Ipv4Address::new(10, 77, 0, 100);
    const SERVICE: Ipv4Address = Ipv4Address::new(10, 77, 0, 1);

    /// A broadcast announcement of `address` at `mac`.
    pub(crate) fn gratuitous(
        operation: ArpOperation,
        mac: EthernetAddress,
        address: Ipv4Address,
    ) -> Frame {
        let repr = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: mac,
            source_protocol_addr: address,
            target_hardware_addr: EthernetAddress::BROADCAST,
            target_protocol_addr: address,
        };
        let mut bytes = vec![0; EthernetFrame::<&[u8]>::buffer_len(repr.buffer_len())];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        frame.set_src_addr(mac);
        frame.set_dst_addr(EthernetAddress::BROADCAST);
        frame.set_ethertype(EthernetProtocol::Arp);
        repr.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
        Frame::from(bytes)
    }

    #[test]
    fn both_forms_become_a_reply_to_this_host() {
        let (own_mac, mac) = (EthernetAddress([2; 6]), EthernetAddress([4; 6]));
        for operation in [ArpOperation::Request, ArpOperation::Reply] {
            let frame = believe(gratuitous(operation, mac, SERVICE), own_mac, OWN);
            let frame = EthernetFrame::new_checked(&frame[..]).unwrap();
            assert_eq!(frame.dst_addr(), own_mac);
            let arp = ArpPacket::new_checked(frame.payload()).unwrap();
            assert_eq!(arp.operation(), ArpOperation::Reply);
            assert_eq!(arp.source_hardware_addr(), mac.as_bytes());
            assert_eq!(arp.source_protocol_addr(), SERVICE.octets());
            assert_eq!(arp.target_protocol_addr(), OWN.octets());
        }
    }

    #[test]
    fn anything_else_passes_unchanged() {
        let own_mac = EthernetAddress([2; 6]);
        for frame in [
            Frame::from(vec![0xff; 60]),
            Frame::from(vec![0; 14]),
            Frame::from(vec![]),
            gratuitous(ArpOperation::Request, EthernetAddress([4; 6]), OWN),
        ] {
            assert_eq!(believe(frame.clone(), own_mac, OWN), frame);
        }
    }
}
