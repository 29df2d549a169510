//! Addresses of ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::AddressMessageBuilder;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, CacheInfo,
};

use super::Netlink;
use crate::Result;

/// An address and the length of its network's prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub ip: IpAddr,
    pub prefix_length: u8,
}

/// An address that a port has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressOnPort {
    /// The port's number.
    pub index: u32,
    pub address: Address,
    /// IPv6: still being checked for a duplicate, so not usable yet.
    pub tentative: bool,
    /// IPv6: the check found another holder (RFC 4862 §5.4.5); the address is of no use.
    pub duplicate: bool,
    /// Made by the kernel from a router's advertisement, or leased: it ends by itself.
    pub dynamic: bool,
}

/// How an address is put on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The box's own. IPv6: the kernel first looks for another holder (RFC 4862 §5.4), if the
    /// port's `accept_dad` says so.
    Own,
    /// The box's own until the lease ends, in seconds; a later call with the same address renews.
    Leased(u32),
    /// The box's own on a cable that has no third end: usable at once, without a look for another holder.
    Cable,
    /// A service address. Usable at once: an IPv6 address is not first checked by the kernel,
    /// because a takeover does not wait and maild watches for other holders itself. And it is no
    /// choice for connections that this box opens (RFC 6724 §5 rule 3): tomorrow it may be gone.
    Service,
}

impl Netlink {
    /// The addresses of one port.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn addresses(&mut self, index: u32) -> Result<Vec<AddressOnPort>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.list("list addresses", request)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(message) => read(&message),
                _ => None,
            })
            .filter(|found| found.index == index)
            .collect())
    }

    /// Gives a port a service address, see [`Use::Service`]. True when the port did not have it yet.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_address(&mut self, index: u32, address: Address) -> Result<bool> {
        self.put_address(index, address, Use::Service)
    }

    /// Gives a port an address. True when the port did not have it yet, or a lease was renewed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn put_address(&mut self, index: u32, address: Address, purpose: Use) -> Result<bool> {
        let mut message = build(index, address);
        if address.ip.is_ipv6() && matches!(purpose, Use::Service | Use::Cable) {
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let lifetimes = match purpose {
            Use::Leased(seconds) => Some((seconds, seconds)),
            Use::Service if address.ip.is_ipv6() => Some((0, FOR_EVER)),
            Use::Service | Use::Own | Use::Cable => None,
        };
        if let Some((preferred, valid)) = lifetimes {
            let mut info = CacheInfo::default();
            info.ifa_preferred = preferred;
            info.ifa_valid = valid;
            message.attributes.push(AddressAttribute::CacheInfo(info));
        }
        let what = format!("add {address} to interface {index}");
        let message = RouteNetlinkMessage::NewAddress(message);
        let how = if matches!(purpose, Use::Leased(_)) { NLM_F_REPLACE } else { NLM_F_EXCL };
        match self.change(&what, message, NLM_F_CREATE | how) {
            Ok(()) => Ok(true),
            Err(error) if error.is_present() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes an address off a port. True when the port had it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove_address(&mut self, index: u32, address: Address) -> Result<bool> {
        let what = format!("remove {address} from interface {index}");
        let message = RouteNetlinkMessage::DelAddress(build(index, address));
        match self.change(&what, message, 0) {
            Ok(()) => Ok(true),
            Err(error) if error.is_absent() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn build(index: u32, address: Address) -> AddressMessage {
    match address.ip {
        IpAddr::V4(ip) => AddressMessageBuilder::<Ipv4Addr>::new()
            .index(index)
            .address(ip, address.prefix_length)
            .build(),
        IpAddr::V6(ip) => AddressMessageBuilder::<Ipv6Addr>::new()
            .index(index)
            .address(ip, address.prefix_length)
            .build(),
    }
}

/// IFA_LOCAL is the port's own address where there is one; on point-to-point links IFA_ADDRESS is
/// the other end's.
fn read(message: &AddressMessage) -> Option<AddressOnPort> {
    let mut local = None;
    let mut any = None;
    let header = message.header.flags;
    let mut tentative = header.contains(AddressHeaderFlags::Tentative);
    let mut duplicate = header.contains(AddressHeaderFlags::Dadfailed);
    let mut permanent = header.contains(AddressHeaderFlags::Permanent);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => any = Some(*ip),
            AddressAttribute::Flags(flags) => {
                tentative |= flags.contains(AddressFlags::Tentative);
                duplicate |= flags.contains(AddressFlags::Dadfailed);
                permanent |= flags.contains(AddressFlags::Permanent);
            }
            _ => {}
        }
    }
    let address = Address { ip: local.or(any)?, prefix_length: message.header.prefix_len };
    let index = message.header.index;
    Some(AddressOnPort { index, address, tentative, duplicate, dynamic: !permanent })
}

/// Of a lifetime in seconds (RFC 4861 §4.6.2).
const FOR_EVER: u32 = u32::MAX;

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_length)
    }
}
