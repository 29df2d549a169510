//! Hardware addresses.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use smoltcp::wire::EthernetAddress;

/// The hardware address of a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    pub const BROADCAST: Mac = Mac([0xff; 6]);
    pub const ZERO: Mac = Mac([0; 6]);

    pub(crate) fn wire(self) -> EthernetAddress {
        EthernetAddress(self.0)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Mac> {
        bytes.try_into().ok().map(Mac)
    }
}

/// The IPv6 link-local address that follows from a hardware address (RFC 4291 appendix A). Both
/// boxes can so know each other's address on the crossover from one received frame.
#[must_use]
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

impl FromStr for Mac {
    type Err = ();

    /// Six pairs of hexadecimal digits with colons, as the kernel writes them.
    fn from_str(text: &str) -> Result<Mac, ()> {
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or(())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        if pairs.next().is_some() { Err(()) } else { Ok(Mac(bytes)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_carry_the_hardware_address() {
        let cases = [
            ("52:54:00:77:02:0a", "fe80::5054:ff:fe77:20a"),
            ("00:0d:b9:12:34:56", "fe80::20d:b9ff:fe12:3456"),
        ];
        for (mac, address) in cases {
            let mac: Mac = mac.parse().unwrap();
            assert_eq!(link_local(mac).to_string(), address, "{mac}");
        }
    }
}
