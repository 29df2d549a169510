//! Which port is the LAN and which the crossover.

use std::fs;
use std::path::Path;

use super::{Link, Mac, Netlink};
use crate::Result;

/// An Ethernet port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub index: u32,
    pub name: String,
    pub mac: Mac,
    /// Where it is plugged in, sorting as the boards' makers count their ports.
    pub place: Place,
}

/// A device's place: the chain of PCI addresses down to it, bridges first. Ports that are not on
/// PCI come after all that are, by name, and those that are no hardware last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Pci(Vec<[u32; 4]>),
    Elsewhere(String),
    Software(String),
}

/// The two ports of a box, as far as they could be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub lan: Option<Port>,
    pub crossover: Option<Port>,
    /// For the owner: what is missing.
    pub complaints: Vec<String>,
}

/// All ports that are there now, in the order of their places.
///
/// # Errors
/// What the kernel says.
pub fn all(netlink: &mut Netlink) -> Result<Vec<Port>> {
    let mut ports: Vec<Port> = netlink.links()?.iter().filter_map(port).collect();
    ports.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(ports)
}

/// Chooses among `ports`, which are in the order of their places. A port that is named by its
/// hardware address is that one or none: to take another would put the wrong network on the cable
/// to the peer. What is not named is the first of hardware that is left.
#[must_use]
pub fn choose(ports: &[Port], lan: Option<Mac>, crossover: Option<Mac>) -> Choice {
    let mut choice = Choice::default();
    let named = |mac: Mac| ports.iter().find(|port| port.mac == mac).cloned();
    let mut left = ports.iter().filter(|port| {
        let named = Some(port.mac) == lan || Some(port.mac) == crossover;
        !named && !matches!(port.place, Place::Software(_))
    });
    let wishes = [("LAN", lan, &mut choice.lan), ("crossover", crossover, &mut choice.crossover)];
    for (name, mac, place) in wishes {
        *place = match mac {
            Some(mac) => named(mac),
            None => left.next().cloned(),
        };
        if place.is_none() {
            choice.complaints.push(match mac {
                Some(mac) => format!("the {name} port {mac} is not in this box"),
                None => format!("no port is left for the {name}"),
            });
        }
    }
    choice
}

fn port(link: &Link) -> Option<Port> {
    let device = fs::canonicalize(Path::new("/sys/class/net").join(&link.name).join("device"));
    let place = match device {
        Ok(device) if link.kind.is_none() => place(&device.to_string_lossy(), &link.name),
        _ => Place::Software(link.name.clone()),
    };
    Some(Port { index: link.index, name: link.name.clone(), mac: link.mac?, place })
}

fn place(device: &str, name: &str) -> Place {
    let chain: Vec<[u32; 4]> = device.split('/').filter_map(pci_address).collect();
    if chain.is_empty() { Place::Elsewhere(name.into()) } else { Place::Pci(chain) }
}

/// "0000:00:1c.2" as numbers.
fn pci_address(part: &str) -> Option<[u32; 4]> {
    let (domain, rest) = part.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    Some([number(domain)?, number(bus)?, number(device)?, number(function)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u32, device: &str) -> Port {
        let name = format!("eth{index}");
        let place = place(device, &name);
        Port { index, name, mac: Mac([2, 0, 0, 0, 0, index as u8]), place }
    }

    fn indexes(choice: &Choice) -> (Option<u32>, Option<u32>) {
        let index = |port: &Option<Port>| port.as_ref().map(|port| port.index);
        (index(&choice.lan), index(&choice.crossover))
    }

    #[test]
    fn ports_are_counted_along_the_bus() {
        let mut ports = [
            at(1, "/sys/devices/platform/soc/ethernet"),
            at(2, "/sys/devices/pci0000:00/0000:00:1c.1/0000:03:00.0"),
            at(3, "/sys/devices/pci0000:00/0000:00:1c.0/0000:12:00.0"),
            at(4, "/sys/devices/pci0000:00/0000:00:03.0/virtio1"),
            at(5, "/sys/devices/pci0000:00/0000:00:0a.0/virtio2"),
        ];
        ports.sort_by(|a, b| a.place.cmp(&b.place));
        assert_eq!(ports.map(|port| port.index), [4, 5, 3, 2, 1]);
    }

    #[test]
    fn named_or_next() {
        let ports = [1, 2, 3].map(|index| at(index, &format!("/0000:00:0{index}.0/virtio")));
        let mac = |index: usize| Some(ports[index - 1].mac);
        let absent = Some(Mac([2, 9, 9, 9, 9, 9]));
        let cases = [
            (None, None, (Some(1), Some(2))),
            (mac(2), None, (Some(2), Some(1))),
            (None, mac(1), (Some(2), Some(1))),
            (mac(3), mac(2), (Some(3), Some(2))),
            (absent, None, (None, Some(1))),
            (None, absent, (Some(1), None)),
        ];
        for (lan, crossover, expected) in cases {
            let choice = choose(&ports, lan, crossover);
            assert_eq!(indexes(&choice), expected, "{lan:?} {crossover:?}");
            let missing = usize::from(expected.0.is_none()) + usize::from(expected.1.is_none());
            assert_eq!(choice.complaints.len(), missing);
        }
        assert_eq!(indexes(&choose(&ports[..1], None, None)), (Some(1), None));
        assert_eq!(choose(&[], None, None).complaints.len(), 2);
    }

    #[test]
    fn what_is_no_hardware_must_be_named() {
        let mut software = at(2, "");
        software.place = Place::Software(software.name.clone());
        let ports = [at(1, "/0000:00:01.0/virtio"), software];
        assert_eq!(indexes(&choose(&ports, None, None)), (Some(1), None));
        assert_eq!(indexes(&choose(&ports, None, Some(ports[1].mac))), (Some(1), Some(2)));
    }
}
