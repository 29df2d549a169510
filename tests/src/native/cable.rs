//! The way between the two boxes, so that it can be cut while both live.
//!
//! It carries the link's TCP and the heartbeats of both paths. While it is cut nothing passes and nobody is told: what
//! was under way in a TCP connection stays where it is and arrives once the cable is whole again, as with a real cable.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::slot::Slot;

/// How soon a carrier notices that the cable was cut, mended or taken away.
const LOOK: Duration = Duration::from_millis(20);
/// Longer than any heartbeat.
const DATAGRAM_BYTES: usize = 2048;

/// Whole when new. Its threads end when it goes.
pub struct Cable {
    state: Arc<State>,
    /// Where box a, and box b, believes its peer to be.
    pub(super) ends: [SocketAddr; 2],
    _slots: [Slot; 2],
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    gone: AtomicBool,
    /// Of the heartbeats' two paths, one at a time.
    path_cut: [AtomicBool; 2],
    loss_percent: AtomicU64,
    delay_ms: AtomicU64,
    /// How often the connections were broken.
    breaks: AtomicU64,
    /// Of the link, from a to b and from b to a.
    carried_bytes: [AtomicU64; 2],
}

impl Cable {
    /// Between the links of a and b.
    pub(super) fn lay(link_a: SocketAddr, link_b: SocketAddr) -> Result<Cable> {
        let slots = [Slot::claim()?, Slot::claim()?];
        let ends = [slots[0].link(), slots[1].link()];
        let state = Arc::new(State::default());
        for (way, (end, target)) in ends.into_iter().zip([link_b, link_a]).enumerate() {
            for path in [1, 2] {
                let socket = UdpSocket::bind(shifted(end, path)).context("a cable's end")?;
                socket.set_read_timeout(Some(LOOK))?;
                let (state, target) = (state.clone(), shifted(target, path));
                thread::spawn(move || state.carry_datagrams(&socket, target, path));
            }
            let listener = TcpListener::bind(end).context("a cable's end")?;
            listener.set_nonblocking(true)?;
            let state = state.clone();
            thread::spawn(move || carry_connections(&state, &listener, target, way));
        }
        Ok(Cable { state, ends, _slots: slots })
    }

    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
    }

    /// Also of loss, delay and cuts of one path.
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
        for path in 0..2 {
            self.cut_heartbeats(path, false);
        }
        self.set_quality(0, 0);
    }

    /// Cuts or mends one path of the heartbeats; the link goes on.
    pub fn cut_heartbeats(&self, path: usize, cut: bool) {
        self.state.path_cut[path].store(cut, Ordering::SeqCst);
    }

    /// So many heartbeats are lost, and all bytes come late; up to 16 KiB of the link wait together.
    pub fn set_quality(&self, loss_percent: u64, delay_ms: u64) {
        self.state.loss_percent.store(loss_percent, Ordering::SeqCst);
        self.state.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Ends the link's connections; new ones may come about at once.
    pub fn break_connections(&self) {
        self.state.breaks.fetch_add(1, Ordering::SeqCst);
    }

    /// Bytes of the link, TLS and all, from a to b and from b to a.
    #[must_use]
    pub fn carried_bytes(&self) -> [u64; 2] {
        [0, 1].map(|way| self.state.carried_bytes[way].load(Ordering::SeqCst))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.state.gone.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    fn delay(&self) {
        let ms = self.delay_ms.load(Ordering::SeqCst);
        if ms > 0 {
            thread::sleep(Duration::from_millis(ms));
        }
    }

    /// Datagrams that meet a cut are lost.
    fn carry_datagrams(&self, socket: &UdpSocket, target: SocketAddr, path: u16) {
        let mut buffer = [0; DATAGRAM_BYTES];
        // Evenly spread is all that loss has to be here: the boxes do not know the sequence.
        let mut dice = u64::from(path);
        while !self.is_gone() {
            if let Ok(length) = socket.recv(&mut buffer)
                && !self.is_cut()
                && !self.path_cut[usize::from(path) - 1].load(Ordering::SeqCst)
            {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if (dice >> 33) % 100 < self.loss_percent.load(Ordering::SeqCst) {
                    continue;
                }
                self.delay();
                // Nobody may listen there: the box is dead.
                let _ = socket.send_to(&buffer[..length], target);
            }
        }
    }

    /// Copies one way of a connection; bytes that meet a cut wait.
    fn carry_bytes(&self, mut from: TcpStream, mut to: TcpStream, way: usize) {
        let mut buffer = [0; 16 * 1024];
        let breaks = self.breaks.load(Ordering::SeqCst);
        while !self.is_gone() && self.breaks.load(Ordering::SeqCst) == breaks {
            let length = match from.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if is_silence(error.kind()) => continue,
                Err(_) => 0,
            };
            while self.is_cut() && !self.is_gone() {
                thread::sleep(LOOK);
            }
            self.delay();
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                break;
            }
            self.carried_bytes[way].fetch_add(length as u64, Ordering::Relaxed);
        }
        // Either may be closed already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

fn carry_connections(state: &Arc<State>, listener: &TcpListener, target: SocketAddr, way: usize) {
    while !state.is_gone() {
        match listener.accept() {
            // Over a cut cable no connection comes about; over a whole one a dead peer refuses.
            Ok((stream, _)) if !state.is_cut() => {
                if let Ok(peer) = TcpStream::connect_timeout(&target, Duration::from_secs(5)) {
                    // A connection that fails here is closed by being dropped; the boxes try again.
                    let _ = join(state, stream, peer, way);
                }
            }
            Ok(_) => {}
            Err(_) => thread::sleep(LOOK),
        }
    }
}

/// `way` is the direction from `one` to `other`.
fn join(state: &Arc<State>, one: TcpStream, other: TcpStream, way: usize) -> std::io::Result<()> {
    for stream in [&one, &other] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
    }
    let there = (one.try_clone()?, other.try_clone()?, way);
    for (from, to, way) in [there, (other, one, 1 - way)] {
        let state = state.clone();
        thread::spawn(move || state.carry_bytes(from, to, way));
    }
    Ok(())
}

fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn shifted(address: SocketAddr, by: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, address.port() + by).into()
}
