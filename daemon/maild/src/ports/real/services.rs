//! The service addresses on the LAN port.
//!
//! Before this box uses its own for the first time since its start, the LAN is asked who has it
//! (RFC 5227, RFC 4862 §5.4). A third machine that answers keeps it: two machines on one address are
//! worse for clients than the peer's address alone, of which they know too. The box asks again every few
//! seconds and says so all the while.
//!
//! The peer's address is taken without asking. Whoever could answer for it is the peer, which
//! `failover` knows to be dead or to have let go; a quarter of a second is a quarter of what a
//! takeover may last; and who is seen with it later is dealt with then (`Input::SecondHolder`). The own
//! one, given back by the peer, is not asked for either, not even the first time: it was in use until now.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use failover::Side;
use linux::Mac;
use linux::net::{Address, Network};
use tokio::sync::mpsc;

use super::neighbours::Neighbours;
use crate::ports::PortEvent;

/// How often an address that a third machine has is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A handle that may be cloned.
#[derive(Clone)]
pub struct Services {
    network: Network,
    lan_index: u32,
    own: Side,
    addresses: [Vec<Address>; 2],
    neighbours: Neighbours,
    send: mpsc::Sender<PortEvent>,
    state: Arc<Mutex<State>>,
    asked: tokio::sync::watch::Receiver<bool>,
}

#[derive(Default)]
struct State {
    /// What failover wants on the port now.
    wanted: [bool; 2],
    /// On the port, as far as is known.
    held: [bool; 2],
    /// The own ones were on the port since the start.
    used: bool,
}

impl Services {
    /// Begins to ask for this side's addresses, so that the answer is there when they are to be taken.
    pub fn start(
        own: Side,
        addresses: [Vec<Address>; 2],
        network: Network,
        lan_index: u32,
        neighbours: Neighbours,
        send: mpsc::Sender<PortEvent>,
    ) -> Services {
        let (done, asked) = tokio::sync::watch::channel(false);
        let services = Services {
            network,
            lan_index,
            own,
            addresses,
            neighbours,
            send,
            state: Default::default(),
            asked,
        };
        let first = services.clone();
        tokio::spawn(async move {
            first.strangers().await;
            done.send_replace(true);
        });
        services
    }

    pub fn of(&self, side: Side) -> &[Address] {
        &self.addresses[side as usize]
    }

    pub fn all(&self) -> Vec<Address> {
        self.addresses.concat()
    }

    pub async fn take(&self, side: Side, handed: bool) {
        let first_use = {
            let mut state = self.state.lock().expect("no holder panics");
            state.wanted[side as usize] = true;
            side == self.own && !state.used
        };
        let free =
            !first_use || handed || (*self.asked.borrow() && self.known_strangers().is_empty());
        if free {
            self.put(side).await;
        } else {
            tokio::spawn(self.clone().take_when_free());
        }
    }

    pub async fn give(&self, side: Side) {
        {
            let mut state = self.state.lock().expect("no holder panics");
            state.wanted[side as usize] = false;
            state.held[side as usize] = false;
        }
        for address in self.of(side) {
            if let Err(error) = self.network.remove_address(self.lan_index, *address).await {
                tracing::error!(%address, %error, "giving a service address");
            }
        }
    }

    /// Only what is on the port.
    pub fn announce(&self, side: Side) {
        if self.state.lock().expect("no holder panics").held[side as usize] {
            self.of(side).iter().for_each(|address| self.neighbours.announce(address.ip));
        }
    }

    pub fn probe(&self, side: Side) {
        self.of(side).iter().for_each(|address| self.neighbours.probe(address.ip));
    }

    async fn put(&self, side: Side) {
        {
            let mut state = self.state.lock().expect("no holder panics");
            state.held[side as usize] = true;
            state.used |= side == self.own;
        }
        for address in self.of(side) {
            if let Err(error) = self.network.add_address(self.lan_index, *address).await {
                tracing::error!(%address, %error, "taking a service address");
            }
        }
    }

    async fn take_when_free(mut self) {
        let _ = self.asked.wait_for(|asked| *asked).await;
        let mut told = Vec::new();
        let mut strangers = self.known_strangers();
        while !strangers.is_empty() {
            for (address, mac) in &strangers {
                tracing::warn!(%address, %mac, "another machine has this service address");
                let event = PortEvent::Conflict { ip: address.ip, holder: Some(*mac) };
                let _ = self.send.try_send(event);
            }
            told = strangers;
            tokio::time::sleep(TRY_AGAIN).await;
            if !self.is_wanted() {
                break;
            }
            strangers = self.strangers().await;
        }
        for (address, _) in told {
            let _ = self.send.try_send(PortEvent::Conflict { ip: address.ip, holder: None });
        }
        if self.is_wanted() {
            self.put(self.own).await;
            // It may have been given while it was being put there.
            if !self.is_wanted() {
                return self.give(self.own).await;
            }
            self.announce(self.own);
        }
    }

    fn is_wanted(&self) -> bool {
        self.state.lock().expect("no holder panics").wanted[self.own as usize]
    }

    /// Asks for all at once.
    async fn strangers(&self) -> Vec<(Address, Mac)> {
        let questions = self.of(self.own).iter().map(|address| {
            let (neighbours, ip) = (self.neighbours.clone(), address.ip);
            tokio::spawn(async move { neighbours.holder(ip).await })
        });
        for question in questions.collect::<Vec<_>>() {
            let _ = question.await;
        }
        self.known_strangers()
    }

    /// The answers; whether one is the peer's may have become clear since.
    fn known_strangers(&self) -> Vec<(Address, Mac)> {
        let holder = |address: &Address| Some((*address, self.neighbours.stranger(address.ip)?));
        self.of(self.own).iter().filter_map(holder).collect()
    }
}
