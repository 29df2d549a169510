//! Ports: list them, switch them on and off.

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth, LinkVlan};

use super::{Mac, Netlink};
use crate::Result;

/// A network interface of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it, until it is removed.
    pub index: u32,
    pub name: String,
    /// Ethernet interfaces have one.
    pub mac: Option<Mac>,
    /// Switched on.
    pub up: bool,
    /// Switched on, somebody is at the other end of the cable, and frames can be sent: the kernel
    /// drops what is sent in the moment between the two.
    pub carrier: bool,
    /// "veth", "dummy" and the like; `None` for hardware and for the loopback.
    pub kind: Option<String>,
    pub loopback: bool,
    pub mtu: Option<u32>,
}

impl Netlink {
    /// All interfaces.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.list("list interfaces", request)?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(message) => Some(Link::from(message)),
                _ => None,
            })
            .collect())
    }

    /// The interface of that name, if there is one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn link(&mut self, name: &str) -> Result<Option<Link>> {
        Ok(self.links()?.into_iter().find(|link| link.name == name))
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_up(&mut self, index: u32) -> Result<()> {
        let message = LinkMessageBuilder::<LinkUnspec>::new().index(index).up().build();
        self.change(
            &format!("switch interface {index} on"),
            RouteNetlinkMessage::SetLink(message),
            0,
        )
    }

    /// Switches an interface off.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_down(&mut self, index: u32) -> Result<()> {
        let message = LinkMessageBuilder::<LinkUnspec>::new().index(index).down().build();
        self.change(
            &format!("switch interface {index} off"),
            RouteNetlinkMessage::SetLink(message),
            0,
        )
    }

    /// Sets the longest packet that an interface sends, in bytes without the Ethernet header.
    ///
    /// # Errors
    /// What the kernel says: not every driver takes every length.
    pub fn set_mtu(&mut self, index: u32, mtu: u16) -> Result<()> {
        let builder = LinkMessageBuilder::<LinkUnspec>::new().index(index).mtu(mtu.into());
        let message = RouteNetlinkMessage::SetLink(builder.build());
        self.change(&format!("set the MTU of interface {index} to {mtu}"), message, 0)
    }

    /// Makes the interface `name` for VLAN `id` on the port `parent` (IEEE 802.1Q).
    ///
    /// # Errors
    /// What the kernel says: without its module `8021q` it does not know VLANs;
    /// [`crate::Error::is_present`] when the interface is there.
    pub fn add_vlan(&mut self, parent: u32, name: &str, id: u16) -> Result<()> {
        let message = LinkVlan::new(name, parent, id).build();
        self.change(
            &format!("make the VLAN {id} on interface {parent}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Makes a pair of interfaces joined by a cable, for tests.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_cable(&mut self, name: &str, other: &str) -> Result<()> {
        let message = LinkVeth::new(name, other).build();
        self.change(
            &format!("make the cable {name} - {other}"),
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Link {
        let flags = message.header.flags;
        let is_ethernet = message.header.link_layer_type == LinkLayerType::Ether;
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            mac: None,
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running),
            kind: None,
            loopback: flags.contains(LinkFlags::Loopback),
            mtu: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(bytes) if is_ethernet => link.mac = Mac::from_slice(&bytes),
                LinkAttribute::Mtu(mtu) => link.mtu = Some(mtu),
                LinkAttribute::LinkInfo(infos) => {
                    link.kind = infos.iter().find_map(|info| match info {
                        LinkInfo::Kind(kind) => Some(kind.to_string()),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        link
    }
}
