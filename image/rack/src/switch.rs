//! The LAN's switch: learns which hardware address lives at which port, floods what it does not
//! know.

use std::collections::HashMap;

use crate::limits::{FRAME_BYTES_MIN, SWITCH_ADDRESSES_MAX};

/// A port of the switch, counted from 0.
pub type Port = usize;

/// A hardware address.
pub type Mac = [u8; 6];

/// The forwarding table and nothing else: it moves no bytes.
#[derive(Debug, Default)]
pub struct Switch {
    ports: usize,
    known: HashMap<Mac, Port>,
    /// Nothing passes between these two.
    apart: Option<[Port; 2]>,
}

impl Switch {
    /// Adds a port and gives its number.
    pub fn add_port(&mut self) -> Port {
        self.ports += 1;
        self.ports - 1
    }

    /// Keeps two ports apart, though each reaches all others: as client isolation does, or a fault.
    pub fn set_apart(&mut self, ports: Option<[Port; 2]>) {
        self.apart = ports;
    }

    /// Learns from a frame that came in at `from` and says where it must go out.
    ///
    /// Frames for the port they came from, and frames too short to have addresses, go nowhere.
    pub fn route(&mut self, from: Port, frame: &[u8]) -> Vec<Port> {
        if frame.len() < FRAME_BYTES_MIN {
            return Vec::new();
        }
        let (destination, source) = (mac(&frame[0..6]), mac(&frame[6..12]));
        self.learn(source, from);
        match self.known.get(&destination) {
            Some(&port) if !is_group(&destination) => {
                if self.joins(from, port) {
                    vec![port]
                } else {
                    Vec::new()
                }
            }
            _ => (0..self.ports).filter(|&port| self.joins(from, port)).collect(),
        }
    }

    fn joins(&self, from: Port, to: Port) -> bool {
        from != to && !self.apart.is_some_and(|apart| apart.contains(&from) && apart.contains(&to))
    }

    /// The link at `port` went down: nothing lives there any more.
    pub fn forget_port(&mut self, port: Port) {
        self.known.retain(|_, &mut at| at != port);
    }

    fn learn(&mut self, source: Mac, port: Port) {
        if is_group(&source) {
            return;
        }
        if self.known.len() >= SWITCH_ADDRESSES_MAX && !self.known.contains_key(&source) {
            self.known.clear();
        }
        self.known.insert(source, port);
    }
}

/// The first six bytes of a slice that has at least six.
pub(crate) fn mac(bytes: &[u8]) -> Mac {
    let mut mac = Mac::default();
    mac.copy_from_slice(&bytes[..6]);
    mac
}

/// Broadcast and multicast addresses have the lowest bit of the first byte set.
fn is_group(mac: &Mac) -> bool {
    mac[0] & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROADCAST: Mac = [0xff; 6];

    fn station(n: u8) -> Mac {
        [0x52, 0x54, 0, 0, 0, n]
    }

    fn frame(destination: Mac, source: Mac) -> Vec<u8> {
        let mut frame = vec![0; 60];
        frame[0..6].copy_from_slice(&destination);
        frame[6..12].copy_from_slice(&source);
        frame
    }

    fn three_ports() -> Switch {
        let mut switch = Switch::default();
        (0..3).for_each(|_| _ = switch.add_port());
        switch
    }

    #[test]
    fn unknown_and_broadcast_are_flooded_known_is_not() {
        let mut switch = three_ports();
        assert_eq!(switch.route(0, &frame(station(2), station(1))), [1, 2]);
        assert_eq!(switch.route(1, &frame(station(1), station(2))), [0]);
        assert_eq!(switch.route(0, &frame(station(2), station(1))), [1]);
        assert_eq!(switch.route(1, &frame(BROADCAST, station(2))), [0, 2]);
        assert_eq!(switch.route(2, &frame([0x33, 0x33, 0, 0, 0, 1], station(3))), [0, 1]);
    }

    #[test]
    fn a_station_that_moved_is_found_at_its_new_port() {
        let mut switch = three_ports();
        switch.route(0, &frame(BROADCAST, station(1)));
        switch.route(2, &frame(BROADCAST, station(1)));
        assert_eq!(switch.route(1, &frame(station(1), station(2))), [2]);
    }

    #[test]
    fn a_port_that_went_down_is_forgotten() {
        let mut switch = three_ports();
        switch.route(0, &frame(BROADCAST, station(1)));
        switch.forget_port(0);
        assert_eq!(switch.route(1, &frame(station(1), station(2))), [0, 2]);
    }

    #[test]
    fn two_ports_that_are_kept_apart_reach_all_others() {
        let mut switch = three_ports();
        switch.set_apart(Some([0, 1]));
        assert_eq!(switch.route(0, &frame(BROADCAST, station(1))), [2]);
        assert_eq!(switch.route(1, &frame(station(1), station(2))), [] as [Port; 0]);
        assert_eq!(switch.route(2, &frame(station(1), station(3))), [0]);
        switch.set_apart(None);
        assert_eq!(switch.route(1, &frame(station(1), station(2))), [0]);
    }

    #[test]
    fn nothing_goes_back_where_it_came_from() {
        let mut switch = three_ports();
        switch.route(0, &frame(BROADCAST, station(1)));
        assert_eq!(switch.route(0, &frame(station(1), station(2))), [] as [Port; 0]);
        assert_eq!(switch.route(0, &[0; 13]), [] as [Port; 0]);
    }

    #[test]
    fn the_table_stays_bounded() {
        let mut switch = three_ports();
        for n in 0..u16::try_from(SWITCH_ADDRESSES_MAX).unwrap() * 2 {
            let [high, low] = n.to_be_bytes();
            switch.route(0, &frame(BROADCAST, [0x52, 0, 0, 0, high, low]));
            assert!(switch.known.len() <= SWITCH_ADDRESSES_MAX);
        }
    }
}
