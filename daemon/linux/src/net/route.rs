//! The way out of the LAN.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};

use super::Netlink;
use crate::Result;

impl Netlink {
    /// Sends everything that is for no local network to `gateway` through port `index`, with
    /// `source` as the sender where the program does not choose one: a service address may be gone
    /// tomorrow. Replaces an earlier default route.
    ///
    /// # Errors
    /// What the kernel says; the port must be up and the gateway on one of its networks.
    pub fn set_default_route(
        &mut self,
        index: u32,
        gateway: IpAddr,
        source: Option<IpAddr>,
    ) -> Result<()> {
        let message = match (gateway, source) {
            (IpAddr::V4(gateway), source) => {
                let route =
                    RouteMessageBuilder::<Ipv4Addr>::new().output_interface(index).gateway(gateway);
                match source {
                    Some(IpAddr::V4(source)) => route.pref_source(source).build(),
                    _ => route.build(),
                }
            }
            (IpAddr::V6(gateway), source) => {
                let route =
                    RouteMessageBuilder::<Ipv6Addr>::new().output_interface(index).gateway(gateway);
                match source {
                    Some(IpAddr::V6(source)) => route.pref_source(source).build(),
                    _ => route.build(),
                }
            }
        };
        self.change(
            &format!("set the default route to {gateway}"),
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// The gateways of the default routes of port `index`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn default_gateways(&mut self, index: u32) -> Result<Vec<IpAddr>> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.list("list routes", request)?;
        Ok(answers
            .iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(message) => gateway_of_default(message, index),
                _ => None,
            })
            .collect())
    }
}

fn gateway_of_default(message: &RouteMessage, index: u32) -> Option<IpAddr> {
    let is_default = message.header.destination_prefix_length == 0
        && message.header.kind == RouteType::Unicast
        && message.attributes.contains(&RouteAttribute::Oif(index));
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
            RouteAttribute::Gateway(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
            _ => None,
        })
        .filter(|_| is_default)
}
