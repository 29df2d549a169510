//! Values that cannot be wrong.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An Ethernet hardware address of one port (not a group address, not zero).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// An address and the length of its network's prefix: `10.77.0.11/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    pub address: IpAddr,
    /// In bits: 1 to 32, or 1 to 128.
    pub prefix_length: u8,
}

/// Something that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Network {
    /// Whether `other` is on the same network.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        let length = u32::from(self.prefix_length);
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(32 - length).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(128 - length).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Mac {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Mac, &'static str> {
        const EXPECTED: &str = "expected six hexadecimal pairs like \"52:54:00:77:01:0a\"";
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or(EXPECTED)?;
            if !pair.bytes().all(|character| character.is_ascii_hexdigit()) {
                return Err(EXPECTED);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| EXPECTED)?;
        }
        match pairs.next() {
            Some(_) => Err(EXPECTED),
            None if bytes == [0; 6] => Err("is all zero, which no port has"),
            None if bytes[0] & 1 == 1 => Err("is a group address, which no port has"),
            None => Ok(Mac(bytes)),
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Network, &'static str> {
        let (address, length) = text
            .split_once('/')
            .ok_or("expected an address with its prefix, like \"10.0.0.5/24\"")?;
        let address = host_address(address)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let plain = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
        let prefix_length: u8 = length
            .parse()
            .ok()
            .filter(|length| plain && (1..=longest).contains(length))
            .ok_or("the prefix length is not from 1 to 32 (IPv6: 128)")?;
        let network = Network { address, prefix_length };
        match (address, prefix_length) {
            // RFC 3021: in a /31 both addresses are hosts.
            (IpAddr::V4(host), ..=30) => {
                let host_bits = u32::MAX >> prefix_length;
                match host.to_bits() & host_bits {
                    0 => Err("is the network's own address, not a host's"),
                    bits if bits == host_bits => Err("is the network's broadcast address"),
                    _ => Ok(network),
                }
            }
            _ => Ok(network),
        }
    }
}

/// An address that a host can have.
pub(super) fn host_address(text: &str) -> Result<IpAddr, &'static str> {
    let address: IpAddr = text.parse().map_err(|_| "expected an IP address like \"10.0.0.5\"")?;
    let unusable = match address {
        IpAddr::V4(v4) => v4 == Ipv4Addr::BROADCAST || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6 == Ipv6Addr::UNSPECIFIED,
    };
    if unusable || address.is_multicast() || address.is_loopback() {
        return Err("is no address that a host on a LAN can have");
    }
    Ok(address)
}

/// RFC 3927, RFC 4291 §2.5.6.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
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

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_length)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for text in ["10.77.0.11/24", "10.0.0.0/31", "10.0.0.1/32", "fd00::1/64", "fd00::/64"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in [
            "10.77.0.11",
            "10.77.0.11/",
            "10.77.0.11/+4",
            "10.77.0.11/33",
            "10.77.0.11/0",
            "10.77.0.0/24",
            "10.77.0.255/24",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "10.77.0/24",
            "fd00::1/129",
            "::/64",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn containment() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.77.0.11/24", "10.77.0.254"));
        assert!(!holds("10.77.0.11/24", "10.77.1.1"));
        assert!(!holds("10.77.0.11/24", "fd00::1"));
        assert!(holds("10.77.0.11/32", "10.77.0.11"));
        assert!(!holds("10.77.0.11/32", "10.77.0.12"));
        assert!(holds("fd00::1/64", "fd00::ffff"));
        assert!(!holds("fd00::1/128", "fd00::2"));
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!("52:54:00:77:01:0A".parse::<Mac>().unwrap().to_string(), "52:54:00:77:01:0a");
        for text in [
            "",
            "52:54:00:77:01",
            "52:54:00:77:01:0a:00",
            "52-54-00-77-01-0a",
            "5254:00:77:01:0a",
            "+2:54:00:77:01:0a",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "33:33:00:00:00:01",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "(secret)");
    }
}
