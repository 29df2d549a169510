//! The running rack: one thread that moves every frame, and the handle by which others talk to it.
//!
//! All of it is one single-threaded runtime, so that the wiring needs no locks and a frame takes no
//! detour.

mod nic;
mod tap;
pub mod wiring;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc as sync;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

pub use self::wiring::PortStats;
use self::wiring::Wiring;
use crate::cable::{Fault, WayStats};
use crate::host::{self, Host, HostConfig};
use crate::names::{Nic, WayName};
use crate::{Error, Result};

/// What went through the rack so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Each network port of the boxes.
    pub ports: Vec<(Nic, PortStats)>,
    /// Each way of each cable, and what it does now.
    pub ways: Vec<(WayName, Fault, WayStats)>,
}

impl Stats {
    /// One port's numbers.
    pub fn port(&self, nic: Nic) -> PortStats {
        self.ports[nic as usize].1
    }

    /// One way's numbers.
    pub fn way(&self, way: WayName) -> WayStats {
        self.ways[way as usize].2
    }
}

/// The handle of the running thread; dropping it ends the thread.
#[derive(Debug)]
pub struct Fabric {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    SetFault(WayName, Fault, sync::Sender<()>),
    Stats(sync::Sender<Stats>),
    Forward {
        host: usize,
        listener: std::net::TcpListener,
        target: SocketAddrV4,
    },
    Serve {
        host: usize,
        port: u16,
        target: SocketAddr,
        done: sync::Sender<()>,
    },
    /// At a box's place, or, without one, at a port of the switch of its own.
    Plug {
        tap: OwnedFd,
        nic: Option<Nic>,
        done: sync::Sender<io::Result<()>>,
    },
    KeepApart {
        apart: bool,
        done: sync::Sender<()>,
    },
}

impl Fabric {
    /// Listens on the sockets in `folder` and starts the hosts.
    pub fn start(folder: &Path, seed: u64, hosts: Vec<HostConfig>) -> Result<Fabric> {
        let listeners = Nic::ALL
            .iter()
            .map(|nic| {
                let path = folder.join(nic.socket_name());
                let listener = std::os::unix::net::UnixListener::bind(&path)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
                listener.map_err(|error| Error::io("listen at", &path, error))
            })
            .collect::<Result<Vec<_>>>()?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("rack".into())
            .spawn(move || run(listeners, seed, &hosts, inbox))
            .map_err(|error| Error::io("start a thread for", folder, error))?;
        Ok(Fabric { commands: Some(commands), thread: Some(thread) })
    }

    /// Changes what a way does; it holds when this returns.
    pub fn set_fault(&self, way: WayName, fault: Fault) -> Result<()> {
        self.ask(|answer| Command::SetFault(way, fault, answer))
    }

    /// What went through so far.
    pub fn stats(&self) -> Result<Stats> {
        self.ask(Command::Stats)
    }

    /// Leads local connections to an address on the LAN.
    pub fn forward(
        &self,
        host: usize,
        listener: std::net::TcpListener,
        target: SocketAddrV4,
    ) -> Result<()> {
        self.send(Command::Forward { host, listener, target })
    }

    /// Leads connections from the LAN to a local address.
    pub fn serve(&self, host: usize, port: u16, target: SocketAddr) -> Result<()> {
        self.ask(|done| Command::Serve { host, port, target, done })
    }

    /// Joins a kernel's software port to a box's place, or to the switch.
    pub fn plug(&self, tap: OwnedFd, nic: Option<Nic>) -> Result<()> {
        let plugged = self.ask(|done| Command::Plug { tap, nic, done })?;
        plugged.map_err(|error| Error::io("move frames of", Path::new("a software port"), error))
    }

    /// Keeps the two boxes' ports at the switch apart, or no more.
    pub fn keep_apart(&self, apart: bool) -> Result<()> {
        self.ask(|done| Command::KeepApart { apart, done })
    }

    fn ask<T>(&self, command: impl FnOnce(sync::Sender<T>) -> Command) -> Result<T> {
        let (sender, receiver) = sync::channel();
        self.send(command(sender))?;
        receiver.recv().map_err(|_| Error::Stopped)
    }

    fn send(&self, command: Command) -> Result<()> {
        let commands = self.commands.as_ref().ok_or(Error::Stopped)?;
        commands.send(command).map_err(|_| Error::Stopped)
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            _ = thread.join();
        }
    }
}

fn run(
    listeners: Vec<std::os::unix::net::UnixListener>,
    seed: u64,
    hosts: &[HostConfig],
    commands: mpsc::UnboundedReceiver<Command>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs a few file descriptors");
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let wiring = Rc::new(RefCell::new(Wiring::new(seed)));
        for (nic, listener) in Nic::ALL.into_iter().zip(listeners) {
            let listener = UnixListener::from_std(listener).expect("inside the runtime");
            spawn_local(nic::serve(listener, nic, wiring.clone()));
        }
        let hosts: Vec<Rc<Host>> =
            hosts.iter().map(|config| Host::attach(config, &wiring)).collect();
        for host in &hosts {
            spawn_local(host.clone().drive(wiring.clone()));
        }
        spawn_local(move_delayed(wiring.clone()));
        obey(commands, &wiring, &hosts).await;
    });
}

/// Moves frames that were under way on slow cables.
async fn move_delayed(wiring: Rc<RefCell<Wiring>>) {
    let rearm = wiring.borrow().rearm();
    loop {
        let deadline = wiring.borrow().deadline();
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => wiring.borrow_mut().settle(Instant::now()),
            () = rearm.notified() => {}
        }
    }
}

/// Does what the handle asks, until it is dropped.
async fn obey(
    mut commands: mpsc::UnboundedReceiver<Command>,
    wiring: &Rc<RefCell<Wiring>>,
    hosts: &[Rc<Host>],
) {
    // An answer that nobody waits for any more is no fault.
    while let Some(command) = commands.recv().await {
        match command {
            Command::SetFault(way, fault, answer) => {
                wiring.borrow_mut().set_fault(way, fault);
                _ = answer.send(());
            }
            Command::Stats(answer) => _ = answer.send(stats(&wiring.borrow())),
            Command::Forward { host, listener, target } => match TcpListener::from_std(listener) {
                Ok(listener) => detach(host::forward(hosts[host].clone(), listener, target)),
                Err(error) => tracing::warn!(%target, %error, "cannot forward"),
            },
            Command::Serve { host, port, target, done } => {
                host::serve(&hosts[host], port, target);
                _ = done.send(());
            }
            Command::Plug { tap, nic, done } => _ = done.send(tap::plug(tap, nic, wiring)),
            Command::KeepApart { apart, done } => {
                wiring.borrow_mut().keep_apart(apart);
                _ = done.send(());
            }
        }
    }
}

fn detach(task: impl Future<Output = ()> + 'static) {
    spawn_local(task);
}

fn stats(wiring: &Wiring) -> Stats {
    Stats {
        ports: Nic::ALL.map(|nic| (nic, wiring.port_stats(nic))).to_vec(),
        ways: WayName::ALL
            .map(|way| {
                let (fault, stats) = wiring.way(way);
                (way, fault, stats)
            })
            .to_vec(),
    }
}
