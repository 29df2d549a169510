//! A cable and what can go wrong with it: cut, slow, lossy; each way by itself.
//!
//! A pure state machine: frames and the time come in, frames that have arrived come out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::framing::Frame;
use crate::limits::CABLE_FRAMES_MAX;

/// What one way of a cable does to frames. The default is a good cable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fault {
    /// Nothing arrives, and what was under way is lost.
    pub cut: bool,
    /// How long each frame is under way.
    pub delay: Duration,
    /// How many of a million frames are lost.
    pub loss_ppm: u32,
    /// A filter that somebody has set: UDP to this port over IPv4 is lost, all else passes.
    pub lost_udp_port: Option<u16>,
}

impl Fault {
    /// A good cable.
    pub const NONE: Fault =
        Fault { cut: false, delay: Duration::ZERO, loss_ppm: 0, lost_udp_port: None };
    /// A cut cable.
    pub const CUT: Fault = Fault { cut: true, ..Fault::NONE };

    /// A cable on which each frame takes this long.
    pub fn delay(delay: Duration) -> Self {
        Self { delay, ..Self::NONE }
    }

    /// A cable on which UDP to this port is lost.
    pub fn lost_udp(port: u16) -> Self {
        Self { lost_udp_port: Some(port), ..Self::NONE }
    }

    /// A cable that loses this many of a million frames.
    pub fn loss_ppm(loss_ppm: u32) -> Self {
        Self { loss_ppm, ..Self::NONE }
    }
}

/// What went through one way of a cable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WayStats {
    /// Frames that arrived.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames lost by a fault or for want of room.
    pub lost: u64,
}

/// One way of a cable.
#[derive(Debug)]
pub struct Way {
    fault: Fault,
    under_way: VecDeque<(Instant, Frame)>,
    dice: Dice,
    stats: WayStats,
}

impl Way {
    /// A good way; `seed` decides which frames a lossy cable loses.
    pub fn new(seed: u64) -> Self {
        Self {
            fault: Fault::NONE,
            under_way: VecDeque::new(),
            dice: Dice(seed),
            stats: WayStats::default(),
        }
    }

    /// Changes what this way does, from now on.
    pub fn set_fault(&mut self, fault: Fault) {
        if fault.cut {
            self.stats.lost += self.under_way.len() as u64;
            self.under_way.clear();
        }
        self.fault = fault;
    }

    /// What this way does now.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// What went through so far.
    pub fn stats(&self) -> WayStats {
        self.stats
    }

    /// A frame enters.
    pub fn handle(&mut self, now: Instant, frame: Frame) {
        let unlucky = self.fault.loss_ppm > 0 && self.dice.below(1_000_000) < self.fault.loss_ppm;
        let filtered = self.fault.lost_udp_port.is_some_and(|port| is_udp_to(&frame, port));
        if self.fault.cut || unlucky || filtered || self.under_way.len() >= CABLE_FRAMES_MAX {
            self.stats.lost += 1;
            return;
        }
        // A shorter delay must not let a frame overtake those that entered before it.
        let earliest = self.under_way.back().map_or(now, |(due, _)| *due);
        self.under_way.push_back((earliest.max(now + self.fault.delay), frame));
    }

    /// The next frame that has arrived by now.
    pub fn poll(&mut self, now: Instant) -> Option<Frame> {
        if self.deadline()? > now {
            return None;
        }
        let (_, frame) = self.under_way.pop_front()?;
        self.stats.frames += 1;
        self.stats.bytes += frame.len() as u64;
        Some(frame)
    }

    /// When the next frame arrives.
    pub fn deadline(&self) -> Option<Instant> {
        self.under_way.front().map(|(due, _)| *due)
    }
}

/// An Ethernet frame with UDP over IPv4 (RFC 791, RFC 768) to this port.
fn is_udp_to(frame: &[u8], port: u16) -> bool {
    let Some((ethernet, packet)) = frame.split_at_checked(14) else { return false };
    let (Some(first), Some(protocol)) = (packet.first(), packet.get(9)) else { return false };
    let header_length = usize::from(first & 0x0f) * 4;
    let to = packet.get(header_length + 2..header_length + 4);
    ethernet[12..] == [0x08, 0x00] && *protocol == 17 && to == Some(&port.to_be_bytes()[..])
}

/// splitmix64: enough to choose which frames to lose, the same each time for the same seed.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = (z ^ (z >> 31)) >> 32;
        ((high * u64::from(limit)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: u32) -> Frame {
        Frame::from([&n.to_be_bytes()[..], &[0; 56]].concat())
    }

    fn arrived(way: &mut Way, now: Instant) -> usize {
        std::iter::from_fn(|| way.poll(now)).count()
    }

    #[test]
    fn a_good_cable_passes_all_at_once_and_in_order() {
        let (mut way, now) = (Way::new(1), Instant::now());
        (0..100).for_each(|n| way.handle(now, frame(n)));
        let got: Vec<Frame> = std::iter::from_fn(|| way.poll(now)).collect();
        assert_eq!(got, (0..100).map(frame).collect::<Vec<_>>());
        assert_eq!(way.stats(), WayStats { frames: 100, bytes: 6000, lost: 0 });
    }

    #[test]
    fn a_filter_loses_what_goes_to_its_port_and_nothing_else() {
        let (mut way, now) = (Way::new(1), Instant::now());
        way.set_fault(Fault::lost_udp(7401));
        for (protocol, port) in [(17, 7401), (17, 7402), (6, 7401)] {
            let mut bytes = vec![0; 60];
            bytes[12..14].copy_from_slice(&[8, 0]);
            (bytes[14], bytes[23]) = (0x45, protocol);
            bytes[36..38].copy_from_slice(&u16::to_be_bytes(port));
            way.handle(now, Frame::from(bytes));
        }
        way.handle(now, frame(1));
        assert_eq!((arrived(&mut way, now), way.stats().lost), (3, 1));
    }

    #[test]
    fn a_cut_loses_what_is_under_way_and_what_comes_after() {
        let (mut way, now) = (Way::new(1), Instant::now());
        way.set_fault(Fault::delay(Duration::from_millis(5)));
        way.handle(now, frame(1));
        way.set_fault(Fault::CUT);
        way.handle(now, frame(2));
        assert_eq!(arrived(&mut way, now + Duration::from_secs(1)), 0);
        assert_eq!(way.stats().lost, 2);
        way.set_fault(Fault::NONE);
        way.handle(now, frame(3));
        assert_eq!(arrived(&mut way, now), 1);
    }

    #[test]
    fn a_slow_cable_keeps_order_also_when_it_becomes_faster() {
        let (mut way, now) = (Way::new(1), Instant::now());
        let delay = Duration::from_millis(30);
        way.set_fault(Fault::delay(delay));
        way.handle(now, frame(1));
        way.set_fault(Fault::NONE);
        way.handle(now, frame(2));
        assert_eq!(arrived(&mut way, now + delay - Duration::from_nanos(1)), 0);
        assert_eq!(way.deadline(), Some(now + delay));
        assert_eq!(way.poll(now + delay), Some(frame(1)));
        assert_eq!(way.poll(now + delay), Some(frame(2)));
    }

    #[test]
    fn a_lossy_cable_loses_about_as_many_as_it_was_told_and_the_same_ones_each_time() {
        let run = |seed| {
            let (mut way, now) = (Way::new(seed), Instant::now());
            way.set_fault(Fault::loss_ppm(100_000));
            (0..10_000).for_each(|n| way.handle(now, frame(n)));
            std::iter::from_fn(|| way.poll(now)).collect::<Vec<_>>()
        };
        let got = run(7);
        assert!((8_700..9_300).contains(&got.len()), "{} of 10 000 arrived", got.len());
        assert_eq!(got, run(7));
        assert_ne!(got, run(8));
    }
}
