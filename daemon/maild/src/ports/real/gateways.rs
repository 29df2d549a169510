//! The ways out of the LAN: which of them answer, and which one the default route of each family takes.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use linux::net::Network;
use tokio::sync::mpsc;

use super::own::OwnAddresses;
use crate::ports::PortEvent;

/// A gateway that did not answer for this long is lost, which moves an address after two seconds more
/// ([`failover::limits::GATEWAY_LOST_SETTLE`]). With questions 50 ms apart those are some 55 without an answer:
/// on a cable that loses half each way that happens once in eight million times.
const LOST: Duration = Duration::from_secs(1);
/// An answer that is owed is asked for more often until this long after the last word.
const ANXIOUS_FOR: Duration = Duration::from_secs(4);
/// That one answers is told at most this often.
const AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Gateways {
    network: Network,
    lan_index: u32,
    send: mpsc::Sender<PortEvent>,
    /// In the owner's order.
    known: Vec<(IpAddr, Option<Instant>)>,
    /// What the default routes say, IPv4 and IPv6.
    routes: [Option<IpAddr>; 2],
    said: Option<(bool, Instant)>,
}

impl Gateways {
    pub(super) fn new(network: Network, lan_index: u32, send: mpsc::Sender<PortEvent>) -> Gateways {
        Gateways { network, lan_index, send, known: Vec::new(), routes: [None; 2], said: None }
    }

    /// Call it regularly, with the gateways as they are known now.
    pub(super) async fn turn(&mut self, known: &[IpAddr], own: &OwnAddresses) {
        if !known.iter().eq(self.known.iter().map(|(ip, _)| ip)) {
            let heard = |ip: &IpAddr| self.known.iter().find(|(one, _)| one == ip)?.1;
            self.known = known.iter().map(|ip| (*ip, heard(ip))).collect();
        }
        // Nobody is asked: the carrier of the port has to do, and that is so all the time.
        self.say(self.known.is_empty());
        for ipv6 in [false, true] {
            // What the kernel learned from a router, it also forgets by itself.
            if !(ipv6 && own.ipv6_is_automatic) {
                self.choose_route(ipv6, own).await;
            }
        }
    }

    /// Somebody said that it has this address.
    pub(super) fn hear(&mut self, ip: IpAddr) {
        if let Some((_, heard)) = self.known.iter_mut().find(|(gateway, _)| *gateway == ip) {
            *heard = Some(Instant::now());
            self.say(true);
        }
    }

    /// None has answered since they were asked then, though one did a moment before.
    pub(super) fn owe_an_answer(&self, asked: Instant) -> bool {
        let heard = self.known.iter().filter_map(|(_, heard)| *heard).max();
        heard.is_some_and(|at| at < asked && at.elapsed() < ANXIOUS_FOR)
    }

    fn answers(heard: Option<Instant>) -> bool {
        heard.is_some_and(|at| at.elapsed() < LOST)
    }

    /// One that answers is enough: clients come in through it. `fresh`: somebody has just answered, which is
    /// told again and again, because a box takes an address over only when it was reached after its
    /// peer fell silent.
    fn say(&mut self, fresh: bool) {
        let reachable =
            self.known.is_empty() || self.known.iter().any(|(_, heard)| Self::answers(*heard));
        let news = match self.said {
            Some((said, at)) if said == reachable => fresh && reachable && at.elapsed() >= AGAIN,
            _ => true,
        };
        if news && self.send.try_send(PortEvent::Gateway { reachable }).is_ok() {
            self.said = Some((reachable, Instant::now()));
        }
    }

    /// The present one as long as it answers; then the first that does. A preferred gateway that comes
    /// back gets no traffic moved to it: each move may break what is under way.
    async fn choose_route(&mut self, ipv6: bool, own: &OwnAddresses) {
        if own.of(ipv6).is_none() {
            // Without an address on its network there is no way to a gateway, and with the last one
            // the kernel forgets the route.
            self.routes[usize::from(ipv6)] = None;
            return;
        }
        let family = || self.known.iter().filter(|(ip, _)| ip.is_ipv6() == ipv6);
        let present = self.routes[usize::from(ipv6)];
        let stays = family().any(|(ip, heard)| Some(*ip) == present && Self::answers(*heard));
        if stays {
            return;
        }
        let answering = family().find(|(_, heard)| Self::answers(*heard));
        let known = family().any(|(ip, _)| Some(*ip) == present);
        let next = match answering.or_else(|| family().next().filter(|_| !known)) {
            Some((next, _)) if Some(*next) != present => *next,
            _ => return,
        };
        let source = own.ipv4().map(IpAddr::V4);
        match self.network.set_default_route(self.lan_index, next, source).await {
            Ok(()) => {
                tracing::info!(gateway = %next, "the way out of the LAN");
                self.routes[usize::from(ipv6)] = Some(next);
            }
            // The port is off, say: the next turn tries again.
            Err(error) => tracing::debug!(gateway = %next, %error, "the way out of the LAN"),
        }
    }
}
