//! Turning clients away from an address that has just left a port.
//!
//! Between a client's greeting to the address and the last step of its connection the address may go:
//! then the client takes the connection for made, says nothing (in mail the server speaks first), and
//! waits for minutes. Its last step still arrives here, because it believes the address to be here; it is
//! answered with a reset (RFC 9293 §3.5.2), as a machine that has the address and no connection would.

use std::net::IpAddr;
use std::time::Duration;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet, TcpControl, TcpPacket, TcpRepr,
};

use super::ethernet::{self, EtherType};
use super::packet::PacketSocket;
use crate::Result;
use crate::limits::FRAME_BYTES_MAX;

/// Hears what comes for one address. Opened while the port has it still.
#[derive(Debug)]
pub struct Stragglers {
    socket: PacketSocket,
    address: IpAddr,
}

impl Stragglers {
    /// # Errors
    /// As [`PacketSocket::bind`].
    pub fn listen(port: u32, address: IpAddr) -> Result<Stragglers> {
        let kind = if address.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
        Ok(Stragglers { socket: PacketSocket::bind(port, kind)?, address })
    }

    /// Turns everybody away for this long. To be called once the port has the address no more.
    pub async fn turn_away(self, time: Duration) {
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        let turn_away = async {
            // A port that fails has no clients.
            while let Ok(length) = self.socket.receive(&mut buffer).await {
                if let Some(reset) = reset_for(&buffer[..length.min(FRAME_BYTES_MAX)], self.address)
                {
                    // The client tries again when it has to.
                    let _ = self.socket.try_send(&reset);
                }
            }
        };
        // That the time is over is what is wanted.
        let _ = tokio::time::timeout(time, turn_away).await;
    }
}

/// The frame that answers a TCP segment to `address`, when `frame` is one that a reset can answer.
#[must_use]
pub fn reset_for(frame: &[u8], address: IpAddr) -> Option<Vec<u8>> {
    let parts = ethernet::parse(frame)?;
    let (from, to, segment) = match parts.kind {
        EtherType::IPV4 => {
            let packet = Ipv4Packet::new_checked(parts.payload).ok()?;
            let first = packet.frag_offset() == 0 && !packet.more_frags();
            let ends = (IpAddress::from(packet.src_addr()), IpAddress::from(packet.dst_addr()));
            let is_tcp = first && packet.next_header() == IpProtocol::Tcp;
            (ends.0, ends.1, is_tcp.then(|| packet.payload().to_vec())?)
        }
        EtherType::IPV6 => {
            let packet = Ipv6Packet::new_checked(parts.payload).ok()?;
            let ends = (IpAddress::from(packet.src_addr()), IpAddress::from(packet.dst_addr()));
            let is_tcp = packet.next_header() == IpProtocol::Tcp;
            (ends.0, ends.1, is_tcp.then(|| packet.payload().to_vec())?)
        }
        _ => return None,
    };
    if IpAddr::from(to) != address {
        return None;
    }
    let segment = TcpPacket::new_checked(&segment[..]).ok()?;
    // A segment of a new connection finds its way to the box that has the address now.
    if segment.rst() || !segment.ack() {
        return None;
    }
    let reset = TcpRepr {
        src_port: segment.dst_port(),
        dst_port: segment.src_port(),
        control: TcpControl::Rst,
        seq_number: segment.ack_number(),
        ack_number: None,
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    Some(ethernet::build(parts.source, parts.destination, parts.kind, &packet(to, from, &reset)))
}

/// The IP packet that carries one segment.
fn packet(from: IpAddress, to: IpAddress, segment: &TcpRepr<'_>) -> Vec<u8> {
    let ip = IpRepr::new(from, to, IpProtocol::Tcp, segment.buffer_len(), HOPS);
    let mut bytes = vec![0; ip.header_len() + segment.buffer_len()];
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut bytes, &checksums);
    let mut packet = TcpPacket::new_unchecked(&mut bytes[ip.header_len()..]);
    segment.emit(&mut packet, &from, &to, &checksums);
    bytes
}

/// "Time to live", as most machines set it.
const HOPS: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mac;

    /// A segment from 10.77.0.100:40000 to 10.77.0.1:25.
    fn segment(control: TcpControl, ack: Option<i32>) -> Vec<u8> {
        let (from, to) = (IpAddress::v4(10, 77, 0, 100), IpAddress::v4(10, 77, 0, 1));
        let repr = TcpRepr {
            src_port: 40000,
            dst_port: 25,
            control,
            seq_number: smoltcp::wire::TcpSeqNumber(1000),
            ack_number: ack.map(smoltcp::wire::TcpSeqNumber),
            window_len: 100,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        ethernet::build(Mac([2; 6]), Mac([4; 6]), EtherType::IPV4, &packet(from, to, &repr))
    }

    #[test]
    fn the_last_step_of_a_connection_is_answered_by_a_reset() {
        let address = "10.77.0.1".parse().unwrap();
        let reset = reset_for(&segment(TcpControl::None, Some(7777)), address).unwrap();
        let parts = ethernet::parse(&reset).unwrap();
        assert_eq!((parts.source, parts.destination), (Mac([2; 6]), Mac([4; 6])));
        let packet = Ipv4Packet::new_checked(parts.payload).unwrap();
        assert!(packet.verify_checksum());
        let (from, to) = (packet.src_addr(), packet.dst_addr());
        let tcp = TcpPacket::new_checked(packet.payload()).unwrap();
        assert!(tcp.rst() && tcp.verify_checksum(&from.into(), &to.into()));
        assert_eq!((tcp.src_port(), tcp.dst_port()), (25, 40000));
        assert_eq!(tcp.seq_number().0, 7777);
    }

    #[test]
    fn nothing_else_is_answered() {
        let address: IpAddr = "10.77.0.1".parse().unwrap();
        let step = segment(TcpControl::None, Some(7777));
        assert_eq!(reset_for(&step, "10.77.0.2".parse().unwrap()), None);
        assert_eq!(reset_for(&segment(TcpControl::Syn, None), address), None);
        assert_eq!(reset_for(&segment(TcpControl::Rst, Some(7777)), address), None);
        for length in 0..step.len().min(54) {
            assert_eq!(reset_for(&step[..length], address), None, "{length} bytes");
        }
    }
}
