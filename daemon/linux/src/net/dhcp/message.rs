//! DHCP messages inside whole frames (RFC 2131 §2, RFC 2132).

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DhcpMessageType, DhcpPacket, DhcpRepr, IpProtocol,
    Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
};

use super::{Lease, times};
use crate::limits::{DHCP_LIST_MAX, DHCP_MESSAGE_BYTES_MAX, LEASE_S_MIN};
use crate::net::ethernet::{self, EtherType};
use crate::net::{Address, Mac};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
}

/// A question of the client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query {
    pub kind: Kind,
    pub secs: u16,
    /// The address that it has and uses.
    pub own: Option<IpAddr>,
    /// The address that it would like.
    pub requested: Option<IpAddr>,
    pub server: Option<Ipv4Addr>,
    /// To one server instead of everybody.
    pub to: Option<(Ipv4Addr, Mac)>,
}

/// An answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub kind: Kind,
    /// Complete in an OFFER or ACK that can be used.
    pub lease: Option<Lease>,
    /// The server, or the router before it.
    pub from: Mac,
}

pub(super) fn write(mac: Mac, transaction: u32, query: &Query) -> Vec<u8> {
    const WANTED: [u8; 5] = [1, ROUTERS, TIME_SERVERS, 58, 59];
    let v4 = |ip: Option<IpAddr>| match ip {
        Some(IpAddr::V4(ip)) => Some(ip),
        _ => None,
    };
    let own = v4(query.own);
    let message = DhcpRepr {
        message_type: match query.kind {
            Kind::Discover => DhcpMessageType::Discover,
            Kind::Decline => DhcpMessageType::Decline,
            _ => DhcpMessageType::Request,
        },
        transaction_id: transaction,
        secs: query.secs,
        client_hardware_address: mac.wire(),
        client_ip: own.unwrap_or(Ipv4Addr::UNSPECIFIED),
        your_ip: Ipv4Addr::UNSPECIFIED,
        server_ip: Ipv4Addr::UNSPECIFIED,
        router: None,
        subnet_mask: None,
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        // The raw socket hears frames for this port before it has an address.
        broadcast: false,
        requested_ip: v4(query.requested),
        client_identifier: Some(mac.wire()),
        server_identifier: query.server,
        parameter_request_list: (query.kind != Kind::Decline).then_some(&WANTED),
        dns_servers: None,
        max_size: None,
        lease_duration: None,
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    };
    let (to, to_mac) = query.to.unwrap_or((Ipv4Addr::BROADCAST, Mac::BROADCAST));
    let from = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
    frame(mac, to_mac, (from, DHCP_CLIENT_PORT), (to, DHCP_SERVER_PORT), &message)
}

/// An answer to this client's last question, or nothing. Checksums are not looked at: a virtual
/// port delivers them unfinished, and the transaction and the hardware address have to fit anyway.
pub(super) fn read(frame: &[u8], mac: Mac, transaction: u32) -> Option<Message> {
    let parts = ethernet::parse(frame).filter(|parts| parts.kind == EtherType::IPV4)?;
    let packet = Ipv4Packet::new_checked(parts.payload).ok()?;
    if packet.next_header() != IpProtocol::Udp || packet.more_frags() || packet.frag_offset() != 0 {
        return None;
    }
    let udp = UdpPacket::new_checked(packet.payload()).ok()?;
    if (udp.src_port(), udp.dst_port()) != (DHCP_SERVER_PORT, DHCP_CLIENT_PORT) {
        return None;
    }
    let packet = DhcpPacket::new_checked(udp.payload()).ok()?;
    let answer = DhcpRepr::parse(&packet).ok()?;
    if answer.transaction_id != transaction || answer.client_hardware_address != mac.wire() {
        return None;
    }
    let kind = match answer.message_type {
        DhcpMessageType::Offer => Kind::Offer,
        DhcpMessageType::Ack => Kind::Ack,
        DhcpMessageType::Nak => Kind::Nak,
        _ => return None,
    };
    Some(Message { kind, lease: lease(&packet, &answer), from: parts.source })
}

fn lease(packet: &DhcpPacket<&[u8]>, answer: &DhcpRepr<'_>) -> Option<Lease> {
    let mask = answer.subnet_mask?.to_bits();
    let prefix_length = u8::try_from(mask.leading_ones()).ok()?;
    let ip = answer.your_ip;
    let usable =
        !(ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || ip.is_broadcast());
    if !usable || mask.checked_shl(prefix_length.into()).unwrap_or(0) != 0 || prefix_length == 0 {
        return None;
    }
    let granted = answer.lease_duration.filter(|seconds| *seconds >= LEASE_S_MIN)?;
    let (seconds, renew_seconds, rebind_seconds) =
        times(granted, answer.renew_duration, answer.rebind_duration);
    Some(Lease {
        address: Address { ip: ip.into(), prefix_length },
        gateways: list(packet, ROUTERS),
        time_servers: list(packet, TIME_SERVERS),
        server: answer.server_identifier?,
        seconds,
        renew_seconds,
        rebind_seconds,
    })
}

fn list(packet: &DhcpPacket<&[u8]>, kind: u8) -> Vec<Ipv4Addr> {
    packet
        .options()
        .filter(|option| option.kind == kind)
        .flat_map(|option| option.data.as_chunks::<4>().0)
        .map(|bytes| Ipv4Addr::from_octets(*bytes))
        .filter(|ip| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast())
        .take(DHCP_LIST_MAX)
        .collect()
}

pub(super) fn frame(
    mac: Mac,
    to_mac: Mac,
    (from, from_port): (Ipv4Addr, u16),
    (to, to_port): (Ipv4Addr, u16),
    message: &DhcpRepr<'_>,
) -> Vec<u8> {
    let udp = UdpRepr { src_port: from_port, dst_port: to_port };
    // Old relays drop what is shorter than a BOOTP message (RFC 1542 §2.1).
    let length = message.buffer_len().max(BOOTP_BYTES_MIN);
    debug_assert!(length <= DHCP_MESSAGE_BYTES_MAX);
    let header = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + length,
        hop_limit: 64,
    };
    let mut bytes = vec![0; header.buffer_len() + header.payload_len];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes[..]);
    header.emit(&mut packet, &ChecksumCapabilities::default());
    let emit = |payload: &mut [u8]| {
        let mut packet = DhcpPacket::new_unchecked(payload);
        message.emit(&mut packet).expect("the buffer is as long as the message says");
    };
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &from.into(),
        &to.into(),
        length,
        emit,
        &ChecksumCapabilities::default(),
    );
    ethernet::build(to_mac, mac, EtherType::IPV4, &bytes)
}

const ROUTERS: u8 = 3;
const TIME_SERVERS: u8 = 42;
const BOOTP_BYTES_MIN: usize = 300;
