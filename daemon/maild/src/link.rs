//! The replication link: TCP, mutual TLS, a proof of the pair's token, then messages.
//!
//! Side a connects, side b accepts, over the crossover or, when `failover` says so, over the LAN. On the
//! wire each message is a length (u32, little-endian) and its postcard bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use node::Handle;
use record::Formats;
use replica::{Hello, Message};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::events::Events;
use crate::identity::Identity;
use crate::tls::link_configs;
use crate::watch::Seen;

/// The longest message: a frame, or a wish with many entries.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Connecting, TLS and greeting each take no longer than this.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(200);
/// Label of the TLS exporter that the proof is bound to (RFC 8446 §7.5).
const EXPORTER: &[u8] = b"EXPORTER-twinpost-pairing";
const READ_BUFFER_BYTES: usize = 512 * 1024;

/// What the two sides tell each other before the first message of `replica`.
///
/// It begins with [`Formats`], as any release's does: when the two programs have nothing else in common, this much
/// can be read.
#[derive(Serialize, Deserialize)]
struct Greeting {
    hello: Hello,
    side: record::Side,
    /// HMAC over side and TLS exporter, with a key derived from the pair's token.
    proof: Vec<u8>,
}

/// What a session is made with.
pub struct Parts {
    pub handle: Handle,
    pub identity: Arc<Identity>,
    pub seen: Arc<Seen>,
    pub events: Arc<Events>,
}

pub struct Link {
    pub parts: Parts,
    /// Where the peer listens now; none while no path is known.
    pub peer: watch::Receiver<Option<SocketAddr>>,
}

impl Link {
    /// Side a: connects whenever there is no session and a place to connect to.
    pub async fn connect_for_ever(mut self) -> Result<()> {
        let (client, _) = link_configs(&self.parts.identity)?;
        let connector = TlsConnector::from(client);
        loop {
            let Some(address) = *self.peer.borrow_and_update() else {
                if self.peer.changed().await.is_err() {
                    return Ok(());
                }
                continue;
            };
            let session = async {
                let stream = timeout(STEP_TIMEOUT, TcpStream::connect(address)).await??;
                stream.set_nodelay(true)?;
                let name = ServerName::try_from("twinpost-box")?;
                let stream = timeout(STEP_TIMEOUT, connector.connect(name, stream)).await??;
                self.session(stream.into()).await
            };
            let mut moved = self.peer.clone();
            tokio::select! {
                ended = session => log_end(address, &ended),
                // The path changed: the session over the old one is dropped.
                _ = moved.wait_for(|now| *now != Some(address)) => {
                    tracing::info!(%address, "the link leaves this path");
                    continue;
                }
            }
            sleep(RETRY).await;
        }
    }

    /// Side b: one session at a time; a new one replaces the old.
    pub async fn accept_for_ever(self, listener: TcpListener) -> Result<()> {
        let (_, server) = link_configs(&self.parts.identity)?;
        let acceptor = TlsAcceptor::from(server);
        let this = Arc::new(self);
        loop {
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting the peer");
                    sleep(RETRY).await;
                    continue;
                }
            };
            let (this, acceptor) = (this.clone(), acceptor.clone());
            tokio::spawn(async move {
                let session = async {
                    stream.set_nodelay(true)?;
                    let stream = timeout(STEP_TIMEOUT, acceptor.accept(stream)).await??;
                    this.session(stream.into()).await
                };
                tokio::select! {
                    ended = session => log_end(address, &ended),
                    // Nobody says goodbye over a cable that is cut.
                    () = elsewhere(this.peer.clone(), address) => {
                        tracing::info!(%address, "the link leaves this path");
                    }
                }
            });
        }
    }

    async fn session(&self, mut stream: TlsStream<TcpStream>) -> Result<()> {
        let hello = timeout(STEP_TIMEOUT, self.greet(&mut stream)).await??;
        let (session, messages) = self.parts.handle.link_up(hello).await?;
        tracing::info!(session, "the link is up");
        let _up = Up { handle: self.parts.handle.clone(), session };
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            ended = self.receive(session, reader) => ended,
            ended = send(messages, writer) => ended,
        }
    }

    /// Both sides prove that they know the token, in this very TLS session, then pin each other.
    async fn greet(&self, stream: &mut TlsStream<TcpStream>) -> Result<Hello> {
        let exporter = match &*stream {
            TlsStream::Client(stream) => {
                stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None)?
            }
            TlsStream::Server(stream) => {
                stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None)?
            }
        };
        let (_, tls) = stream.get_ref();
        let certificate = tls
            .peer_certificates()
            .and_then(|chain| chain.first())
            .context("the peer showed no certificate")?
            .to_vec();
        let Parts { handle, identity, .. } = &self.parts;
        let side = handle.side();
        let proof = identity.proof(&side.to_string(), &exporter);
        let own = handle.link_hello().await?;
        write_message(stream, &Greeting { hello: own.clone(), side, proof }).await?;
        stream.flush().await?;
        let bytes = read_bytes(stream).await?;
        let (formats, _) = postcard::take_from_bytes::<Formats>(&bytes)
            .context("what the peer's program knows cannot be read")?;
        self.fit(&own, &formats, own.written)?;
        let greeting: Greeting =
            postcard::from_bytes(&bytes).context("the greeting of the peer cannot be read")?;
        self.fit(&own, &formats, own.written.max(greeting.hello.written))?;
        self.keep_refused(None);
        ensure!(greeting.side == side.other(), "the box at the other end is side {side}, too");
        let peer = greeting.side.to_string();
        identity.check_proof(&peer, &exporter, &greeting.proof)?;
        identity.pin(&certificate, greeting.hello.blank)?;
        if !greeting.hello.blank {
            identity.mark_copying()?;
        }
        Ok(greeting.hello)
    }

    /// Can the two programs share a log? If not, the owner has to know.
    fn fit(&self, own: &Hello, peer: &Formats, written: u16) -> Result<()> {
        let agreed = own.formats.agree(peer, written);
        if let Err(refused) = &agreed {
            self.keep_refused(Some(refused.to_string()));
        }
        agreed.map(drop).context("the two boxes cannot replicate")
    }

    fn keep_refused(&self, refused: Option<String>) {
        let mut kept = self.parts.seen.refused.lock().expect("no holder panics");
        if *kept == refused {
            return;
        }
        match &refused {
            Some(why) => {
                tracing::error!(why, "the two boxes cannot replicate");
                self.parts.events.report("alarm", "The two boxes cannot share their mail", why);
            }
            None => {
                let why = "Their programs know a record format in common again.";
                self.parts.events.report("alarm_over", "The two boxes can share their mail", why);
            }
        }
        *kept = refused;
    }

    async fn receive<R: AsyncRead + Unpin>(&self, session: u64, reader: R) -> Result<()> {
        let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
        loop {
            let message: Message = read_message(&mut reader).await?;
            self.parts.handle.link_message(session, message).await?;
        }
    }
}

/// A session that the node knows of. However its task ends, the node is told at once.
struct Up {
    handle: Handle,
    session: u64,
}

impl Drop for Up {
    fn drop(&mut self) {
        let (handle, session) = (self.handle.clone(), self.session);
        // A node that stops needs no word.
        tokio::spawn(async move { drop(handle.link_down(session).await) });
    }
}

/// Returns when the link is to run to another address than the one that this session came from. That a new
/// session comes in before `failover` here knows of the move is no reason to end it.
async fn elsewhere(mut peer: watch::Receiver<Option<SocketAddr>>, from: SocketAddr) {
    let is_other = |now: &Option<SocketAddr>| {
        now.is_some_and(|now| now.ip().to_canonical() != from.ip().to_canonical())
    };
    peer.mark_unchanged();
    while peer.changed().await.is_ok() {
        if is_other(&peer.borrow_and_update()) {
            return;
        }
    }
    std::future::pending().await
}

/// Writes what the node sends; ends when the node ends the session.
async fn send<W: AsyncWrite + Unpin>(
    mut messages: mpsc::UnboundedReceiver<Message>,
    mut writer: W,
) -> Result<()> {
    while let Some(message) = messages.recv().await {
        write_message(&mut writer, &message).await?;
        while let Ok(message) = messages.try_recv() {
            write_message(&mut writer, &message).await?;
        }
        writer.flush().await?;
    }
    bail!("this box ended the session")
}

async fn write_message<W: AsyncWrite + Unpin, T: Serialize>(
    writer: &mut W,
    message: &T,
) -> Result<()> {
    let bytes = postcard::to_extend(message, vec![0; 4])?;
    let length = bytes.len() - 4;
    ensure!(length <= MESSAGE_BYTES_MAX, "a message of {length} bytes");
    let mut bytes = bytes;
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    writer.write_all(&bytes).await?;
    Ok(())
}

async fn read_message<R: AsyncRead + Unpin, T: for<'de> Deserialize<'de>>(
    reader: &mut R,
) -> Result<T> {
    let bytes = read_bytes(reader).await?;
    postcard::from_bytes(&bytes).context("a message of the peer cannot be read")
}

async fn read_bytes<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Vec<u8>> {
    let length = reader.read_u32_le().await.context("the peer ended the session")? as usize;
    ensure!(length <= MESSAGE_BYTES_MAX, "the peer announced a message of {length} bytes");
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn log_end(address: SocketAddr, ended: &Result<()>) {
    if let Err(error) = ended {
        tracing::info!(%address, error = %format!("{error:#}"), "no session of the link");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_ends_when_its_path_is_left_and_not_when_it_came_before_the_word() {
        let crossover: SocketAddr = "[fe80::1]:7402".parse().unwrap();
        let lan: SocketAddr = "10.77.0.11:7402".parse().unwrap();
        let (send, peer) = watch::channel(None);
        send.send_replace(Some(crossover));
        let came_from = |text: &str| text.parse::<SocketAddr>().unwrap();
        let old = tokio::spawn(elsewhere(peer.clone(), came_from("[fe80::1]:40000")));
        let new = tokio::spawn(elsewhere(peer, came_from("[::ffff:10.77.0.11]:40001")));
        tokio::task::yield_now().await;
        send.send_replace(None);
        tokio::task::yield_now().await;
        assert!(!old.is_finished(), "where it is to run is not known");
        send.send_replace(Some(lan));
        old.await.unwrap();
        assert!(!new.is_finished());
        new.abort();
    }
}
