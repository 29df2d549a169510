//! Ethernet frames: header and payload. Pure.

use smoltcp::wire::{EthernetFrame, EthernetProtocol, EthernetRepr};

use super::Mac;
use crate::limits::FRAME_BYTES_MIN;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    pub const IPV4: EtherType = EtherType(0x0800);
    pub const ARP: EtherType = EtherType(0x0806);
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// Our heartbeats: the first of the two types set aside for local experiments (IEEE 802).
    pub const HEARTBEAT: EtherType = EtherType(0x88b5);
}

/// A frame's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    pub destination: Mac,
    pub source: Mac,
    pub kind: EtherType,
    /// May have padding at its end: the payload has to say itself how long it is.
    pub payload: &'a [u8],
}

/// A frame, padded to the shortest length that a wire takes.
#[must_use]
pub fn build(destination: Mac, source: Mac, kind: EtherType, payload: &[u8]) -> Vec<u8> {
    let header = EthernetRepr {
        src_addr: source.wire(),
        dst_addr: destination.wire(),
        ethertype: EthernetProtocol::from(kind.0),
    };
    let length = header.buffer_len() + payload.len();
    let mut bytes = vec![0; length.max(FRAME_BYTES_MIN)];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    frame.payload_mut()[..payload.len()].copy_from_slice(payload);
    bytes
}

/// Reads a frame; `None` when it is too short to be one.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Parts<'_>> {
    let frame = EthernetFrame::new_checked(bytes).ok()?;
    Some(Parts {
        destination: Mac(frame.dst_addr().0),
        source: Mac(frame.src_addr().0),
        kind: EtherType(frame.ethertype().into()),
        payload: frame.payload(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_frames_are_padded() {
        let (to, from) = (Mac::BROADCAST, Mac([2, 0, 0, 0, 0, 1]));
        let bytes = build(to, from, EtherType::HEARTBEAT, b"beat");
        assert_eq!(bytes.len(), 60);
        assert_eq!(&bytes[..18], b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x88\xb5beat");
        let parts = parse(&bytes).unwrap();
        assert_eq!((parts.destination, parts.source, parts.kind), (to, from, EtherType::HEARTBEAT));
        assert!(parts.payload.starts_with(b"beat\0"));
        assert_eq!(build(to, from, EtherType::HEARTBEAT, &[7; 100]).len(), 114);
        assert_eq!(parse(&bytes[..13]), None);
    }
}
