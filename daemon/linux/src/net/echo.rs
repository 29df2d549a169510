//! Does somebody answer an echo (RFC 792, RFC 4443 §4.1)?

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, socket,
};
use tokio::net::UdpSocket;

/// One echo: true when the answer came within `wait`. Must be called inside a tokio runtime.
///
/// # Errors
/// When it cannot be sent: no way to the address, no CAP_NET_RAW.
pub async fn answers(address: IpAddr, wait: Duration) -> io::Result<bool> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Raw, flags, protocol)?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, 0)))?;
    let mark = std::process::id() as u16;
    // Sends and receives as any other socket of datagrams does.
    let socket = UdpSocket::from_std(socket.into())?;
    socket.send(&request(address, mark)).await?;
    match tokio::time::timeout(wait, answer(&socket, address, mark)).await {
        Ok(heard) => heard.map(|()| true),
        Err(_) => Ok(false),
    }
}

async fn answer(socket: &UdpSocket, address: IpAddr, mark: u16) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if is_answer(address, &buffer[..length], mark) {
            return Ok(());
        }
    }
}

/// Type, code, sum, mark, number.
fn request(address: IpAddr, mark: u16) -> Vec<u8> {
    let kind = if address.is_ipv4() { 8 } else { 128 };
    let [high, low] = mark.to_be_bytes();
    let mut bytes = vec![kind, 0, 0, 0, high, low, 0, 1];
    if address.is_ipv4() {
        let sum: u32 =
            bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        bytes[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    }
    // The kernel does the sum of the other family itself.
    bytes
}

fn is_answer(address: IpAddr, bytes: &[u8], mark: u16) -> bool {
    let (kind, message) = match address {
        // The packet's own header stands before it.
        IpAddr::V4(_) => {
            let header = bytes.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
            (0, bytes.get(header..).unwrap_or_default())
        }
        IpAddr::V6(_) => (129, bytes),
    };
    message.first() == Some(&kind) && message.get(4..6) == Some(&mark.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers() {
        let four = "192.0.2.1".parse().unwrap();
        let six = "2001:db8::1".parse().unwrap();
        assert_eq!(request(four, 0x1234), [8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1]);
        assert_eq!(request(six, 0x1234), [128, 0, 0, 0, 0x12, 0x34, 0, 1]);
        let mut packet = vec![0x45; 20];
        packet.extend([0, 0, 0, 0, 0x12, 0x34, 0, 1]);
        assert!(is_answer(four, &packet, 0x1234));
        assert!(!is_answer(four, &packet, 0x1235), "of another program");
        assert!(is_answer(six, &[129, 0, 0, 0, 0x12, 0x34, 0, 1], 0x1234));
        assert!(!is_answer(six, &request(six, 0x1234), 0x1234), "the question");
        for length in 0..26 {
            assert!(!is_answer(four, &packet[..length], 0x1234), "{length} bytes");
        }
    }
}
