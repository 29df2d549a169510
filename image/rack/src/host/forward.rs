//! Ports: a local port that leads to an address on the LAN, and a port of the host that leads to a
//! local one.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;
use tokio::net::{TcpListener, TcpStream};

use super::Host;
use super::bridge::{self, Failure};
use crate::limits::TCP_BACKLOG;

/// Accepts local connections and joins each to one of its own to `target` on the LAN.
pub async fn forward(host: Rc<Host>, listener: TcpListener, target: SocketAddrV4) {
    loop {
        match listener.accept().await {
            Ok((local, _)) => {
                tokio::task::spawn_local(forward_one(host.clone(), local, target));
            }
            Err(error) => {
                tracing::warn!(%target, %error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn forward_one(host: Rc<Host>, local: TcpStream, target: SocketAddrV4) {
    let patience = host.patience;
    let socket = Connection::new(host);
    match tokio::time::timeout(patience, socket.connect(target)).await {
        Ok(Ok(())) => bridge::join(&socket, local).await,
        Ok(Err(failure)) => bridge::fail(&socket, &local, failure),
        Err(_) => bridge::fail(&socket, &local, Failure::Silent),
    }
}

/// Accepts connections from the LAN at `port` and joins each to a local one to `target`.
///
/// It listens when this returns.
pub fn serve(host: &Rc<Host>, port: u16, target: SocketAddr) {
    for _ in 0..TCP_BACKLOG {
        let host = host.clone();
        let mut socket = Connection::listen(host.clone(), port);
        tokio::task::spawn_local(async move {
            loop {
                socket.accepted().await;
                // The next caller must find somebody listening while this one is served.
                let caller = std::mem::replace(&mut socket, Connection::listen(host.clone(), port));
                tokio::task::spawn_local(serve_one(caller, target));
            }
        });
    }
}

async fn serve_one(caller: Connection, target: SocketAddr) {
    match TcpStream::connect(target).await {
        Ok(local) => bridge::join(&caller, local).await,
        Err(error) => {
            tracing::debug!(%target, %error, "nobody answers locally");
            caller.abort();
        }
    }
}

/// One TCP connection of the host; it and its port are given back on drop.
pub struct Connection {
    pub host: Rc<Host>,
    pub handle: SocketHandle,
    port: Cell<Option<u16>>,
}

impl Connection {
    fn new(host: Rc<Host>) -> Self {
        let handle = host.add_socket();
        Self { host, handle, port: Cell::new(None) }
    }

    async fn connect(&self, target: SocketAddrV4) -> Result<(), Failure> {
        {
            let mut stack = self.host.stack.borrow_mut();
            let port = stack.take_port().ok_or(Failure::NoPorts)?;
            self.port.set(Some(port));
            let stack = &mut *stack;
            stack
                .sockets
                .get_mut::<smoltcp::socket::tcp::Socket<'_>>(self.handle)
                .connect(stack.interface.context(), target, (self.host.address, port))
                .map_err(|_| Failure::Refused)?;
        }
        self.host.work.notify_one();
        match self.leave_states(&[State::SynSent]).await {
            State::Closed => Err(Failure::Refused),
            _ => Ok(()),
        }
    }

    fn listen(host: Rc<Host>, port: u16) -> Self {
        let socket = Self::new(host);
        socket.host.with(socket.handle, |tcp| tcp.listen(port).expect("a fresh socket, a port"));
        socket
    }

    async fn accepted(&self) {
        self.leave_states(&[State::Listen, State::SynReceived]).await;
    }

    /// Waits until the connection is in none of these states; gives the one it is in then.
    pub async fn leave_states(&self, states: &[State]) -> State {
        poll_fn(|context| {
            self.host.look(self.handle, |socket| {
                if !states.contains(&socket.state()) {
                    return Poll::Ready(socket.state());
                }
                socket.register_send_waker(context.waker());
                socket.register_recv_waker(context.waker());
                Poll::Pending
            })
        })
        .await
    }

    pub fn abort(&self) {
        self.host.with(self.handle, |socket| socket.abort());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.host.remove_socket(self.handle);
        if let Some(port) = self.port.get() {
            self.host.stack.borrow_mut().ports_in_use.remove(&port);
        }
    }
}
