//! One conversation with the kernel about routing: a request, and its answer right away.

use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::limits::{NETLINK_DATAGRAM_BYTES, NETLINK_DATAGRAMS_MAX};
use crate::{Error, Result};

/// A blocking netlink socket. The kernel answers while the request is being sent, so nothing here
/// waits for anything but the kernel's own lock. For PID 1 and for the real-time thread, which must
/// not depend on an event loop; an async program uses [`crate::net::Network`].
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// # Errors
    /// What the kernel says.
    pub fn open() -> Result<Netlink> {
        let what = "open a netlink socket";
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(|error| Error::kernel(what, error))?;
        socket.bind_auto().map_err(|error| Error::kernel(what, error))?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(|error| Error::kernel(what, error))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Sends a change and waits for the kernel's word that it is done.
    pub(super) fn change(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<()> {
        self.ask(what, message, NLM_F_REQUEST | NLM_F_ACK | flags).map(drop)
    }

    /// Asks for a list.
    pub(super) fn list(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        self.ask(what, message, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn ask(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(|error| Error::kernel(what, error))?;

        let mut found = Vec::new();
        for _ in 0..NETLINK_DATAGRAMS_MAX {
            let datagram = self.receive(what)?;
            for answer in messages(&datagram) {
                let answer = answer.map_err(|problem| unexpected(what, problem))?;
                if answer.header.sequence_number != self.sequence {
                    continue; // left over from a request that failed half way
                }
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(found),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(found),
                    NetlinkPayload::Error(error) => return Err(Error::kernel(what, error.to_io())),
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    _ => {}
                }
            }
        }
        Err(unexpected(what, "more datagrams than any answer has".into()))
    }

    fn receive(&self, what: &str) -> Result<Vec<u8>> {
        let mut datagram = Vec::with_capacity(NETLINK_DATAGRAM_BYTES);
        self.socket.recv_from(&mut datagram, 0).map_err(|error| Error::kernel(what, error))?;
        Ok(datagram)
    }
}

/// The messages in one datagram. Each starts at a multiple of four bytes.
pub(super) fn messages(
    datagram: &[u8],
) -> impl Iterator<Item = std::result::Result<NetlinkMessage<RouteNetlinkMessage>, String>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let here = rest;
        let length = here
            .first_chunk()
            .map(|bytes| u32::from_ne_bytes(*bytes))
            .and_then(|length| usize::try_from(length).ok())
            .filter(|&length| length >= HEADER_BYTES && length <= here.len());
        let Some(length) = length else {
            rest = &[];
            return Some(Err(format!("{} bytes that are no message", here.len())));
        };
        rest = here.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(NetlinkMessage::deserialize(&here[..length]).map_err(|error| error.to_string()))
    })
}

fn unexpected(what: &str, got: String) -> Error {
    Error::Unexpected { what: what.into(), expected: "a netlink answer", got }
}

const HEADER_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_datagrams_end_in_an_error() {
        for bytes in [&[0_u8; 3][..], &[0; 16], &[15, 0, 0, 0], &[255, 255, 0, 0, 1, 1]] {
            let found: Vec<_> = messages(bytes).collect();
            assert_eq!(found.len(), 1);
            assert!(found[0].is_err());
        }
        assert_eq!(messages(&[]).count(), 0);
    }
}
