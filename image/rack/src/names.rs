//! What the parts of a rack are called.

use std::fmt;

/// One of the two boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Side a.
    A,
    /// Side b.
    B,
}

impl Side {
    /// Both, a first.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// The peer's side.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::A => "a",
            Side::B => "b",
        })
    }
}

/// A network port of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nic {
    /// Box a's port to the switch.
    LanA,
    /// Box b's port to the switch.
    LanB,
    /// Box a's end of the crossover.
    CrossoverA,
    /// Box b's end of the crossover.
    CrossoverB,
}

impl Nic {
    /// All, in the order of their numbers.
    pub const ALL: [Nic; 4] = [Nic::LanA, Nic::LanB, Nic::CrossoverA, Nic::CrossoverB];

    /// The LAN port of a side.
    pub fn lan(side: Side) -> Nic {
        match side {
            Side::A => Nic::LanA,
            Side::B => Nic::LanB,
        }
    }

    /// The crossover port of a side.
    pub fn crossover(side: Side) -> Nic {
        match side {
            Side::A => Nic::CrossoverA,
            Side::B => Nic::CrossoverB,
        }
    }

    /// The hardware address that QEMU gives this port; site files name the same.
    pub fn mac(self) -> &'static str {
        match self {
            Nic::LanA => "52:54:00:77:01:0a",
            Nic::LanB => "52:54:00:77:01:0b",
            Nic::CrossoverA => "52:54:00:77:02:0a",
            Nic::CrossoverB => "52:54:00:77:02:0b",
        }
    }

    /// The name of this port's socket in the rack's folder.
    pub(crate) fn socket_name(self) -> &'static str {
        match self {
            Nic::LanA => "lan-a.sock",
            Nic::LanB => "lan-b.sock",
            Nic::CrossoverA => "crossover-a.sock",
            Nic::CrossoverB => "crossover-b.sock",
        }
    }
}

/// A cable that can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cable {
    /// From box a to the switch.
    LanA,
    /// From box b to the switch.
    LanB,
    /// From box to box.
    Crossover,
}

impl Cable {
    /// All three.
    pub const ALL: [Cable; 3] = [Cable::LanA, Cable::LanB, Cable::Crossover];

    /// The LAN cable of a side.
    pub fn lan(side: Side) -> Cable {
        match side {
            Side::A => Cable::LanA,
            Side::B => Cable::LanB,
        }
    }

    /// Its two ways.
    pub fn ways(self) -> [WayName; 2] {
        match self {
            Cable::LanA => [WayName::LanFromA, WayName::LanToA],
            Cable::LanB => [WayName::LanFromB, WayName::LanToB],
            Cable::Crossover => [WayName::CrossoverAToB, WayName::CrossoverBToA],
        }
    }
}

impl fmt::Display for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cable::LanA => "lan-a",
            Cable::LanB => "lan-b",
            Cable::Crossover => "crossover",
        })
    }
}

impl std::str::FromStr for Cable {
    type Err = UnknownCable;

    fn from_str(name: &str) -> Result<Self, UnknownCable> {
        Cable::ALL
            .into_iter()
            .find(|cable| cable.to_string() == name)
            .ok_or_else(|| UnknownCable(name.to_owned()))
    }
}

/// No cable is called so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no cable {0:?}: the cables are lan-a, lan-b and crossover")]
pub struct UnknownCable(pub String);

/// One way of a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WayName {
    /// From box a to the switch.
    LanFromA,
    /// From the switch to box a.
    LanToA,
    /// From box b to the switch.
    LanFromB,
    /// From the switch to box b.
    LanToB,
    /// From box a to box b, directly.
    CrossoverAToB,
    /// From box b to box a, directly.
    CrossoverBToA,
}

impl WayName {
    /// All, in the order of their numbers.
    pub const ALL: [WayName; 6] = [
        WayName::LanFromA,
        WayName::LanToA,
        WayName::LanFromB,
        WayName::LanToB,
        WayName::CrossoverAToB,
        WayName::CrossoverBToA,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_lists() {
        assert!(Nic::ALL.iter().enumerate().all(|(n, &nic)| nic as usize == n));
        assert!(WayName::ALL.iter().enumerate().all(|(n, &way)| way as usize == n));
    }

    #[test]
    fn cables_are_found_by_the_name_they_print() {
        for cable in Cable::ALL {
            assert_eq!(cable.to_string().parse(), Ok(cable));
        }
        assert_eq!("lan".parse::<Cable>(), Err(UnknownCable("lan".into())));
    }
}
