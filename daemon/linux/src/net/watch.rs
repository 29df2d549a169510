//! Being told when a cable is pulled or a port comes and goes.
//!
//! The kernel tells by itself, but of lost carriers at most once a second (`net/core/link_watch.c`): the second
//! plug that is pulled within a second, or a port that was switched on just before, is told of late. When asked
//! it knows at once, so it is asked, too.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;

use nix::errno::Errno;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::{Link, Netlink, Network, netlink};
use crate::limits::{CARRIER_LOOK, LINK_WATCH_BUFFER_BYTES, NETLINK_DATAGRAM_BYTES};
use crate::{Error, Result};

/// What happened to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// Its state now. Told again and again while nothing changes is possible.
    Now(Link),
    /// It is gone.
    Gone { index: u32 },
}

/// A stream of changes of all ports.
#[derive(Debug)]
pub struct LinkWatch {
    socket: AsyncFd<Socket>,
    waiting: VecDeque<LinkChange>,
    asked: Network,
    next_look: Instant,
    /// What was told last of each port's carrier.
    carriers: HashMap<u32, bool>,
}

impl LinkWatch {
    /// Starts watching. The first changes told are the state of every port now.
    ///
    /// # Errors
    /// What the kernel says. Must be called inside a tokio runtime.
    pub fn open() -> Result<LinkWatch> {
        let failed = |error: std::io::Error| Error::kernel("watch the ports", error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.set_non_blocking(true).map_err(failed)?;
        // Without it a busy moment overruns sooner; the overrun is handled below.
        let size = i32::try_from(LINK_WATCH_BUFFER_BYTES).unwrap_or(i32::MAX);
        let _ = socket.set_rx_buf_sz(size);
        let groups = 1 << (MulticastGroup::Link as u32 - 1);
        socket.bind(&SocketAddr::new(0, groups)).map_err(failed)?;
        // SAFETY: the socket keeps its descriptor, open, as long as the `AsyncFd` owns it.
        let socket = unsafe { AsyncFd::register(socket) }.map_err(|error| failed(error.into()))?;
        let mut watch = LinkWatch {
            socket,
            waiting: VecDeque::new(),
            asked: Network::open()?,
            next_look: Instant::now() + CARRIER_LOOK,
            carriers: HashMap::new(),
        };
        watch.start_over()?;
        Ok(watch)
    }

    /// Waits for the next change. May be dropped and called again without losing one.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn next(&mut self) -> Result<LinkChange> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                self.remember(&change);
                return Ok(change);
            }
            let failed = |error: std::io::Error| Error::kernel("watch the ports", error);
            let ready = tokio::time::timeout_at(self.next_look, self.socket.readable()).await;
            let Ok(ready) = ready else {
                self.look().await?;
                continue;
            };
            let mut ready = ready.map_err(failed)?;
            let mut datagram = Vec::with_capacity(NETLINK_DATAGRAM_BYTES);
            let received = ready.try_io(|socket| socket.get_ref().recv_from(&mut datagram, 0));
            match received {
                Err(_not_ready) => {}
                Ok(Ok(_)) => self.waiting.extend(netlink::messages(&datagram).filter_map(change)),
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    self.start_over()?;
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(failed(error)),
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        self.next_look = Instant::now() + CARRIER_LOOK;
        let links = self.asked.links().await?;
        let is_news = |link: &Link| self.carriers.get(&link.index) != Some(&link.carrier);
        self.waiting.extend(links.into_iter().filter(is_news).map(LinkChange::Now));
        Ok(())
    }

    fn remember(&mut self, told: &LinkChange) {
        match told {
            LinkChange::Now(link) => self.carriers.insert(link.index, link.carrier),
            LinkChange::Gone { index } => self.carriers.remove(index),
        };
    }

    /// Changes were lost, or not watched yet: the state of everything stands in for them.
    fn start_over(&mut self) -> Result<()> {
        self.waiting.clear();
        self.waiting.extend(Netlink::open()?.links()?.into_iter().map(LinkChange::Now));
        Ok(())
    }
}

/// A message that we cannot read is about something that we do not use.
fn change(
    message: std::result::Result<
        rtnetlink::packet_core::NetlinkMessage<RouteNetlinkMessage>,
        String,
    >,
) -> Option<LinkChange> {
    match message.ok()?.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
            // Bridges and wireless ports send partial messages without a name.
            let link = Link::from(link);
            (!link.name.is_empty()).then_some(LinkChange::Now(link))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => {
            Some(LinkChange::Gone { index: link.header.index })
        }
        _ => None,
    }
}
