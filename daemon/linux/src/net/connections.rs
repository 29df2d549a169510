//! Ending the TCP connections of an address that is about to leave: their far ends hear it at once,
//! and not when their patience is over.

use std::net::IpAddr;

use nix::libc;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use crate::limits::{NETLINK_DATAGRAM_BYTES, NETLINK_DATAGRAMS_MAX};
use crate::{Error, Result};

/// Resets every TCP connection of this machine whose own end is at `address`, accepted or not. To be
/// called while the address is still on its port: a reset needs it. How many there were.
///
/// # Errors
/// [`Error::is_forbidden`] without CAP_NET_ADMIN; otherwise what the kernel says, which may be built
/// without this (`INET_DIAG_DESTROY`).
pub fn reset_connections(address: IpAddr) -> Result<usize> {
    let socket = open()?;
    let mut count = 0;
    for family in [libc::AF_INET, libc::AF_INET6] {
        let all = Request { kind: BY_FAMILY, flags: DUMP, family, id: [0; ID_BYTES] };
        for id in connections(&socket, &all)? {
            if own_end(family, &id) != Some(address) {
                continue;
            }
            let one = Request { kind: DESTROY, flags: ACK, family, id };
            match ask(&socket, &one) {
                Ok(_) => count += 1,
                // It ended by itself.
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(count)
}

const WHAT: &str = "reset the connections of an address";

/// `linux/sock_diag.h`
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
/// `NLM_F_REQUEST` with `NLM_F_DUMP`, and with `NLM_F_ACK`.
const DUMP: u16 = 0x301;
const ACK: u16 = 0x5;
/// `NLMSG_ERROR`, `NLMSG_DONE`
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// All states but LISTEN (10) and TIME-WAIT (6), which has nobody at this end any more.
const STATES: u32 = 0xfff & !(1 << 10) & !(1 << 6);

/// `struct nlmsghdr`, `struct inet_diag_sockid`, and where the latter stands in a request and in an
/// answer, from the message's beginning.
const HEADER_BYTES: usize = 16;
const ID_BYTES: usize = 48;
const ID_IN_REQUEST: usize = HEADER_BYTES + 8;
const ID_IN_ANSWER: usize = HEADER_BYTES + 4;

/// Ports, addresses, interface and cookie, as the kernel gave them.
type Id = [u8; ID_BYTES];

struct Request {
    kind: u16,
    flags: u16,
    family: i32,
    id: Id,
}

impl Request {
    /// `struct inet_diag_req_v2` in its envelope.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ID_IN_REQUEST + ID_BYTES);
        bytes.extend(((ID_IN_REQUEST + ID_BYTES) as u32).to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend([self.family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
        bytes.extend(STATES.to_ne_bytes());
        bytes.extend(self.id);
        bytes
    }
}

fn open() -> Result<Socket> {
    let failed = |error| Error::kernel(WHAT, error);
    let mut socket = Socket::new(NETLINK_SOCK_DIAG).map_err(failed)?;
    socket.bind_auto().map_err(failed)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
    Ok(socket)
}

fn connections(socket: &Socket, request: &Request) -> Result<Vec<Id>> {
    let answers = ask(socket, request)?;
    let id = |answer: &Vec<u8>| answer.get(ID_IN_ANSWER..)?.first_chunk().copied();
    Ok(answers.iter().filter_map(id).collect())
}

/// Sends a request and reads the messages of its answer. The kernel answers while it takes it.
fn ask(socket: &Socket, request: &Request) -> Result<Vec<Vec<u8>>> {
    let failed = |error| Error::kernel(WHAT, error);
    socket.send(&request.bytes(), 0).map_err(failed)?;
    let mut found = Vec::new();
    for _ in 0..NETLINK_DATAGRAMS_MAX {
        let mut datagram = Vec::with_capacity(NETLINK_DATAGRAM_BYTES);
        socket.recv_from(&mut datagram, 0).map_err(failed)?;
        let mut rest = &datagram[..];
        while let Some((message, kind, after)) = next(rest) {
            rest = after;
            match kind {
                DONE => return Ok(found),
                ERROR => return outcome(message).map(|()| found),
                _ => found.push(message.to_vec()),
            }
        }
    }
    Err(unexpected("more datagrams than any answer has"))
}

/// The first message of a datagram, its kind, and what follows it.
fn next(datagram: &[u8]) -> Option<(&[u8], u16, &[u8])> {
    let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
    let message = datagram.get(..length).filter(|message| message.len() >= HEADER_BYTES)?;
    let after = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((message, kind, after))
}

/// `struct nlmsgerr`: 0, or an error with a minus before it.
fn outcome(message: &[u8]) -> Result<()> {
    let code = message.get(HEADER_BYTES..).and_then(<[u8]>::first_chunk);
    match code.map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => {
            Err(Error::kernel(WHAT, std::io::Error::from_raw_os_error(code.wrapping_neg())))
        }
        None => Err(unexpected("an error without a number")),
    }
}

/// The address of this machine's end, IPv4 also where it is written as IPv6.
fn own_end(family: i32, id: &Id) -> Option<IpAddr> {
    let bytes: [u8; 16] = *id.get(4..)?.first_chunk()?;
    let ip = match family {
        libc::AF_INET => IpAddr::from(*bytes.first_chunk::<4>()?),
        _ => IpAddr::from(bytes).to_canonical(),
    };
    Some(ip)
}

fn unexpected(got: &str) -> Error {
    Error::Unexpected { what: WHAT.into(), expected: "a netlink answer", got: got.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_datagrams_end() {
        for bytes in [&[][..], &[0; 3], &[0; 16], &[15, 0, 0, 0, 0, 0], &[255, 255, 0, 0, 1, 1]] {
            assert!(next(bytes).is_none());
        }
        assert!(outcome(&[0; 18]).is_err());
        assert!(outcome(&[0; 20]).is_ok());
    }
}
