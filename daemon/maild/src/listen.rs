//! The ports that clients use, and what answers on each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use node::Handle;
use node::serve::imap::Imap;
use node::serve::pop3::Pop3;
use node::serve::smtp::Smtp;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::ask::Target;
use crate::closing::Closings;
use crate::drive::{Stream, drive, start_tls};

/// Connections of clients at the same time, all ports together.
const CONNECTIONS_MAX: usize = 4096;
/// After a failure to accept (no file descriptors, say).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// One port: RFC 6335 names and numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    Smtp,
    Submission,
    Submissions,
    Imap,
    Imaps,
    Pop3,
    Pop3s,
}

impl Port {
    pub const ALL: [Port; 7] = [
        Port::Smtp,
        Port::Submission,
        Port::Submissions,
        Port::Imap,
        Port::Imaps,
        Port::Pop3,
        Port::Pop3s,
    ];

    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Port::Smtp => 25,
            Port::Submission => 587,
            Port::Submissions => 465,
            Port::Imap => 143,
            Port::Imaps => 993,
            Port::Pop3 => 110,
            Port::Pop3s => 995,
        }
    }

    /// For people.
    fn name(self) -> &'static str {
        match self {
            Port::Smtp => "SMTP",
            Port::Submission => "submission",
            Port::Submissions => "submission over TLS",
            Port::Imap => "IMAP",
            Port::Imaps => "IMAP over TLS",
            Port::Pop3 => "POP3",
            Port::Pop3s => "POP3 over TLS",
        }
    }

    fn tls_first(self) -> bool {
        matches!(self, Port::Submissions | Port::Imaps | Port::Pop3s)
    }
}

/// Where the ports are: everywhere at their own numbers, or on one address shifted by a base (for
/// trying a pair on one machine).
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub address: IpAddr,
    pub base: u16,
}

impl Place {
    #[must_use]
    pub fn of(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.base + port)
    }
}

impl Place {
    /// Where this box itself reaches a port.
    #[must_use]
    pub fn reached_at(self, port: u16) -> SocketAddr {
        let mut address = self.of(port);
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        address
    }
}

/// What is open, for whoever wants to know whether it answers.
#[derive(Clone, Debug)]
pub struct Listening {
    pub targets: Vec<Target>,
    /// Places for clients that are free.
    pub slots: Arc<Semaphore>,
}

#[derive(Clone)]
pub struct Listeners {
    pub handle: Handle,
    pub hostname: String,
    pub tls: Arc<ServerConfig>,
    pub closings: Closings,
}

impl Listeners {
    /// Binds every port, then serves in the background.
    ///
    /// # Errors
    /// Which port cannot be bound.
    pub async fn start(self, place: Place) -> Result<Listening> {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        for port in Port::ALL {
            let address = place.of(port.number());
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("listening on {address} for {port:?}"))?;
            tokio::spawn(self.clone().accept_for_ever(port, listener, slots.clone()));
        }
        let target = |port: Port| Target {
            name: port.name(),
            address: place.reached_at(port.number()),
            tls_first: port.tls_first(),
            speaks_first: true,
        };
        Ok(Listening { targets: Port::ALL.map(target).to_vec(), slots })
    }

    async fn accept_for_ever(self, port: Port, listener: TcpListener, slots: Arc<Semaphore>) {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, client)) => {
                    let this = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = this.serve(port, stream, client.ip()).await {
                            tracing::debug!(?port, %client, %error, "connection ended");
                        }
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(?port, %error, "accepting a client");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn serve(self, port: Port, stream: TcpStream, client: IpAddr) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let closing = self.closings.of(stream.local_addr()?.ip());
        let mut stream: Box<dyn Stream> = Box::new(stream);
        let tls_active = port.tls_first();
        if tls_active {
            stream = start_tls(stream, self.tls.clone()).await?;
        }
        let now = Instant::now();
        let client_ip = client.to_canonical();
        let Listeners { handle, hostname, tls, .. } = self;
        match port {
            Port::Smtp | Port::Submission | Port::Submissions => {
                let role = match port {
                    Port::Smtp => smtp::Role::Mx,
                    _ => smtp::Role::Submission,
                };
                let limits = smtp::Limits::default();
                let config = smtp::Config { hostname, role, tls_active, client_ip, limits };
                drive(Smtp::new(handle, config, now), stream, tls, closing).await
            }
            Port::Imap | Port::Imaps => {
                drive(Imap::new(handle, hostname, tls_active, now), stream, tls, closing).await
            }
            Port::Pop3 | Port::Pop3s => {
                drive(Pop3::new(handle, hostname, tls_active, now), stream, tls, closing).await
            }
        }
    }
}
