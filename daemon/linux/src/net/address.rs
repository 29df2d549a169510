//! Addresses of ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::AddressMessageBuilder;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
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

    /// Gives a port an address, usable at once: an IPv6 address is not first checked for a
    /// duplicate (RFC 4862 §5.4), because a takeover does not wait and `failover` watches for
    /// duplicates itself. True when the port did not have it yet.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_address(&mut self, index: u32, address: Address) -> Result<bool> {
        let mut message = build(index, address);
        if address.ip.is_ipv6() {
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let what = format!("add {address} to interface {index}");
        let message = RouteNetlinkMessage::NewAddress(message);
        match self.change(&what, message, NLM_F_CREATE | NLM_F_EXCL) {
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
    let mut tentative = message.header.flags.contains(AddressHeaderFlags::Tentative);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => any = Some(*ip),
            AddressAttribute::Flags(flags) => tentative |= flags.contains(AddressFlags::Tentative),
            _ => {}
        }
    }
    let address = Address { ip: local.or(any)?, prefix_length: message.header.prefix_len };
    Some(AddressOnPort { index: message.header.index, address, tentative })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_length)
    }
}
