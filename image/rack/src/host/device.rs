//! The network port of a host of the rack, as smoltcp sees it: two queues of frames.

use std::cell::RefCell;
use std::rc::Rc;

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, Ipv4Address};

use super::announce;
use crate::fabric::wiring::Outbox;
use crate::framing::Frame;

/// The longest frame that the host sends: 1500 bytes of payload and the Ethernet header.
const FRAME_BYTES: usize = 1514;

pub struct Device {
    inbox: Rc<RefCell<Outbox>>,
    sent: Vec<Frame>,
    mac: EthernetAddress,
    address: Ipv4Address,
}

impl Device {
    /// A port that takes its frames from `inbox`.
    pub fn new(inbox: Rc<RefCell<Outbox>>, mac: EthernetAddress, address: Ipv4Address) -> Self {
        Self { inbox, sent: Vec::new(), mac, address }
    }

    /// Takes what the host has sent since the last call.
    pub fn take_sent(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.sent)
    }
}

impl phy::Device for Device {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken, TxToken<'_>)> {
        let frame = self.inbox.borrow_mut().pop()?;
        let frame = announce::believe(frame, self.mac, self.address);
        Some((RxToken(frame), TxToken(&mut self.sent)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        Some(TxToken(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }
}

pub struct RxToken(Frame);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub struct TxToken<'a>(&'a mut Vec<Frame>);

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.push(Frame::from(frame));
        result
    }
}
