//! Who is joined to whom: the path of a frame from where it enters to where it leaves.
//!
//! ```text
//!  box a ══ lan-a ══ switch ══ lan-b ══ box b        hosts of the rack sit at the switch
//!    ╚══════════════ crossover ═══════════╝          without a cable: they are never cut off
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::cable::{Fault, Way, WayStats};
use crate::framing::Frame;
use crate::limits::{INBOX_FRAMES_MAX, OUTBOX_BYTES_MAX};
use crate::names::{Nic, WayName};
use crate::switch::{Port, Switch};

/// Frames that wait to be taken by one box or one host.
#[derive(Debug)]
pub struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
    bytes_max: usize,
    frames_max: usize,
    attached: bool,
    dropped: u64,
    filled: Rc<Notify>,
}

impl Outbox {
    fn new(bytes_max: usize, frames_max: usize, attached: bool) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            bytes_max,
            frames_max,
            attached,
            dropped: 0,
            filled: Rc::default(),
        }
    }

    fn push(&mut self, frame: Frame) {
        let full =
            self.bytes + frame.len() > self.bytes_max || self.frames.len() == self.frames_max;
        if !self.attached || full {
            self.dropped += 1;
            return;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        self.filled.notify_one();
    }

    /// Takes the frame that has waited longest.
    pub fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

/// What one network port has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Frames that the box or host sent.
    pub frames_in: u64,
    /// Frames that were handed to it.
    pub frames_out: u64,
    /// Frames for it that nobody took: no QEMU is attached, or it reads too slowly.
    pub dropped: u64,
    /// Whether a QEMU process is attached now.
    pub attached: bool,
}

/// Switch, cables and the boxes' and hosts' queues.
#[derive(Debug)]
pub struct Wiring {
    switch: Switch,
    ways: [Way; 6],
    nics: [Outbox; 4],
    nics_in: [u64; 4],
    nics_out: [u64; 4],
    hosts: Vec<Rc<RefCell<Outbox>>>,
    /// Woken when a cable's next deadline may have become earlier.
    rearm: Rc<Notify>,
}

const LAN_PORT_A: Port = 0;
const LAN_PORT_B: Port = 1;
const FIRST_HOST_PORT: Port = 2;

impl Wiring {
    /// A rack with nothing attached; `seed` decides which frames lossy cables lose.
    pub fn new(seed: u64) -> Self {
        let mut switch = Switch::default();
        let ports = [switch.add_port(), switch.add_port()];
        debug_assert_eq!(ports, [LAN_PORT_A, LAN_PORT_B]);
        Self {
            switch,
            ways: WayName::ALL.map(|way| Way::new(seed.wrapping_add(way as u64))),
            nics: Nic::ALL.map(|_| Outbox::new(OUTBOX_BYTES_MAX, usize::MAX, false)),
            nics_in: [0; 4],
            nics_out: [0; 4],
            hosts: Vec::new(),
            rearm: Rc::default(),
        }
    }

    /// Adds a host at the switch; gives its number and where its frames will be.
    pub fn add_host(&mut self) -> (usize, Rc<RefCell<Outbox>>, Rc<Notify>) {
        let port = self.switch.add_port();
        let outbox = Outbox::new(usize::MAX, INBOX_FRAMES_MAX, true);
        let filled = outbox.filled.clone();
        let outbox = Rc::new(RefCell::new(outbox));
        self.hosts.push(outbox.clone());
        (port - FIRST_HOST_PORT, outbox, filled)
    }

    /// Keeps the two boxes' ports at the switch apart, or no more.
    pub fn keep_apart(&mut self, apart: bool) {
        self.switch.set_apart(apart.then_some([LAN_PORT_A, LAN_PORT_B]));
    }

    /// A QEMU process took this port, or left it.
    pub fn set_attached(&mut self, nic: Nic, attached: bool) {
        let outbox = &mut self.nics[nic as usize];
        outbox.attached = attached;
        outbox.frames.clear();
        outbox.bytes = 0;
        match nic {
            Nic::LanA => self.switch.forget_port(LAN_PORT_A),
            Nic::LanB => self.switch.forget_port(LAN_PORT_B),
            Nic::CrossoverA | Nic::CrossoverB => {}
        }
    }

    /// A box sent a frame.
    pub fn sent_by_box(&mut self, now: Instant, nic: Nic, frame: Frame) {
        self.nics_in[nic as usize] += 1;
        let way = match nic {
            Nic::LanA => WayName::LanFromA,
            Nic::LanB => WayName::LanFromB,
            Nic::CrossoverA => WayName::CrossoverAToB,
            Nic::CrossoverB => WayName::CrossoverBToA,
        };
        self.enter(now, way, frame);
        self.settle(now);
    }

    /// A host of the rack sent a frame.
    pub fn sent_by_host(&mut self, now: Instant, host: usize, frame: Frame) {
        self.through_switch(now, FIRST_HOST_PORT + host, frame);
        self.settle(now);
    }

    /// Moves every frame that has arrived by now one step on, until none is left to move.
    pub fn settle(&mut self, now: Instant) {
        let mut moved = true;
        while moved {
            moved = false;
            for way in WayName::ALL {
                while let Some(frame) = self.ways[way as usize].poll(now) {
                    moved = true;
                    self.leave(now, way, frame);
                }
            }
        }
    }

    /// When `settle` has something to do again.
    pub fn deadline(&self) -> Option<Instant> {
        self.ways.iter().filter_map(Way::deadline).min()
    }

    /// Woken when `deadline` may have become earlier.
    pub fn rearm(&self) -> Rc<Notify> {
        self.rearm.clone()
    }

    /// The oldest frame that waits for a box.
    pub fn pop(&mut self, nic: Nic) -> Option<Frame> {
        let frame = self.nics[nic as usize].pop()?;
        self.nics_out[nic as usize] += 1;
        Some(frame)
    }

    /// Woken when a frame waits for a box.
    pub fn filled(&self, nic: Nic) -> Rc<Notify> {
        self.nics[nic as usize].filled.clone()
    }

    /// Changes what a way does from now on.
    pub fn set_fault(&mut self, way: WayName, fault: Fault) {
        self.ways[way as usize].set_fault(fault);
    }

    /// What a way does now, and what went through it.
    pub fn way(&self, way: WayName) -> (Fault, WayStats) {
        let way = &self.ways[way as usize];
        (way.fault(), way.stats())
    }

    /// What a port has seen.
    pub fn port_stats(&self, nic: Nic) -> PortStats {
        let n = nic as usize;
        PortStats {
            frames_in: self.nics_in[n],
            frames_out: self.nics_out[n],
            dropped: self.nics[n].dropped,
            attached: self.nics[n].attached,
        }
    }

    fn enter(&mut self, now: Instant, way: WayName, frame: Frame) {
        let delayed = !self.ways[way as usize].fault().delay.is_zero();
        self.ways[way as usize].handle(now, frame);
        if delayed {
            self.rearm.notify_one();
        }
    }

    fn leave(&mut self, now: Instant, way: WayName, frame: Frame) {
        match way {
            WayName::LanFromA => self.through_switch(now, LAN_PORT_A, frame),
            WayName::LanFromB => self.through_switch(now, LAN_PORT_B, frame),
            WayName::LanToA => self.nics[Nic::LanA as usize].push(frame),
            WayName::LanToB => self.nics[Nic::LanB as usize].push(frame),
            WayName::CrossoverAToB => self.nics[Nic::CrossoverB as usize].push(frame),
            WayName::CrossoverBToA => self.nics[Nic::CrossoverA as usize].push(frame),
        }
    }

    fn through_switch(&mut self, now: Instant, from: Port, frame: Frame) {
        for port in self.switch.route(from, &frame) {
            match port {
                LAN_PORT_A => self.enter(now, WayName::LanToA, frame.clone()),
                LAN_PORT_B => self.enter(now, WayName::LanToB, frame.clone()),
                host => self.hosts[host - FIRST_HOST_PORT].borrow_mut().push(frame.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::names::Cable;

    fn broadcast(from: u8) -> Frame {
        let mut frame = vec![0xff; 60];
        frame[6..12].copy_from_slice(&[0x52, 0x54, 0, 0, 0, from]);
        Frame::from(frame)
    }

    fn rack() -> (Wiring, Rc<RefCell<Outbox>>) {
        let mut wiring = Wiring::new(1);
        let (_, inbox, _) = wiring.add_host();
        Nic::ALL.into_iter().for_each(|nic| wiring.set_attached(nic, true));
        (wiring, inbox)
    }

    fn waiting(wiring: &mut Wiring, nic: Nic) -> usize {
        std::iter::from_fn(|| wiring.pop(nic)).count()
    }

    #[test]
    fn the_lan_reaches_the_peer_and_the_host_but_not_the_crossover() {
        let (mut wiring, inbox) = rack();
        wiring.sent_by_box(Instant::now(), Nic::LanA, broadcast(1));
        assert_eq!(Nic::ALL.map(|nic| waiting(&mut wiring, nic)), [0, 1, 0, 0]);
        assert!(inbox.borrow_mut().pop().is_some());
    }

    #[test]
    fn the_crossover_joins_the_boxes_and_nobody_else() {
        let (mut wiring, inbox) = rack();
        wiring.sent_by_box(Instant::now(), Nic::CrossoverB, broadcast(1));
        assert_eq!(Nic::ALL.map(|nic| waiting(&mut wiring, nic)), [0, 0, 1, 0]);
        assert!(inbox.borrow_mut().pop().is_none());
    }

    #[test]
    fn a_cut_one_way_leaves_the_other_way() {
        let (mut wiring, _) = rack();
        let now = Instant::now();
        wiring.set_fault(WayName::LanToA, Fault::CUT);
        wiring.sent_by_box(now, Nic::LanA, broadcast(1));
        wiring.sent_by_box(now, Nic::LanB, broadcast(2));
        assert_eq!(waiting(&mut wiring, Nic::LanA), 0);
        assert_eq!(waiting(&mut wiring, Nic::LanB), 1);
        assert_eq!(wiring.way(WayName::LanToA).1.lost, 1);
    }

    #[test]
    fn a_cut_crossover_leaves_the_lan() {
        let (mut wiring, _) = rack();
        let now = Instant::now();
        Cable::Crossover.ways().into_iter().for_each(|way| wiring.set_fault(way, Fault::CUT));
        Nic::ALL.into_iter().for_each(|nic| wiring.sent_by_box(now, nic, broadcast(nic as u8)));
        assert_eq!(Nic::ALL.map(|nic| waiting(&mut wiring, nic)), [1, 1, 0, 0]);
    }

    #[test]
    fn delays_add_up_on_the_way_through_the_switch() {
        let (mut wiring, _) = rack();
        let (now, delay) = (Instant::now(), Duration::from_millis(20));
        for way in [WayName::LanFromA, WayName::LanToB] {
            wiring.set_fault(way, Fault::delay(delay));
        }
        wiring.sent_by_box(now, Nic::LanA, broadcast(1));
        let mut time = now;
        while let Some(deadline) = wiring.deadline() {
            time = deadline;
            wiring.settle(time);
        }
        assert_eq!(time, now + 2 * delay);
        assert_eq!(waiting(&mut wiring, Nic::LanB), 1);
    }

    #[test]
    fn nothing_waits_for_a_port_without_a_box() {
        let (mut wiring, _) = rack();
        wiring.set_attached(Nic::LanB, false);
        wiring.sent_by_box(Instant::now(), Nic::LanA, broadcast(1));
        wiring.set_attached(Nic::LanB, true);
        assert_eq!(waiting(&mut wiring, Nic::LanB), 0);
        assert_eq!(wiring.port_stats(Nic::LanB).dropped, 1);
    }
}
