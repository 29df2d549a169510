//! The witness, from both ends: a box that asks it ([`Asking`]), and the third host itself
//! (`maild witness`).
//!
//! What a witness is depends on the site file: an address alone is asked for an echo; with a port it
//! is asked by `failover`'s signed ping, and, as long as nothing answers that, by opening a TCP
//! connection.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use failover::limits::{WITNESS_BYTES_MAX, WITNESS_INTERVAL, WITNESS_SILENT};
use failover::seal::Key;
use failover::witness::{Answer, Asker, Ping, Witness, WitnessWord};
use failover::{Holds, Input, Side};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::identity;
use crate::watch::Seen;

/// Of the key between a pair and its witness.
pub const PURPOSE: &str = "witness";
/// After a socket could not be had, and between two TCP connections or echoes.
const RETRY: Duration = Duration::from_millis(500);
/// Longer than any message.
const DATAGRAM_BYTES: usize = WITNESS_BYTES_MAX + 1;

/// What a box needs to ask.
pub struct Asking {
    pub witness: control::site::Witness,
    pub side: Side,
    pub key: Key,
    pub seen: Arc<Seen>,
}

impl Asking {
    /// Asks until nobody listens.
    pub async fn run(self, send: mpsc::Sender<Input>) {
        let known = |peer| Input::Witness(WitnessWord { peer });
        let Some(port) = self.witness.port else {
            while !send.is_closed() {
                match linux::net::echo::answers(self.witness.address, WITNESS_SILENT).await {
                    Ok(true) => drop(send.send(known(None)).await),
                    Ok(false) => {}
                    Err(error) => tracing::debug!(%error, "asking the witness"),
                }
                tokio::time::sleep(RETRY).await;
            }
            return;
        };
        let address = SocketAddr::new(self.witness.address, port);
        let mut asker = Asker::new(self.side, node::Handle::new_id() as u64);
        let mut answered = None;
        while !send.is_closed() {
            if let Err(error) = self.ping(address, &mut asker, &mut answered, &send).await {
                tracing::debug!(%address, %error, "the witness");
                tokio::time::sleep(RETRY).await;
            }
            // Nothing that knows twinpost: perhaps somebody who takes connections.
            let connected = timeout(WITNESS_SILENT, TcpStream::connect(address)).await;
            if matches!(connected, Ok(Ok(_))) {
                let _ = send.send(known(None)).await;
            }
        }
    }

    /// Pings as long as that is answered; returns when it was not for a while.
    async fn ping(
        &self,
        address: SocketAddr,
        asker: &mut Asker,
        answered: &mut Option<Instant>,
        send: &mpsc::Sender<Input>,
    ) -> std::io::Result<()> {
        let any: SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        let mut interval = tokio::time::interval(WITNESS_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut buffer = [0; DATAGRAM_BYTES];
        let began = Instant::now();
        loop {
            tokio::select! {
                _ = interval.tick() => {
                    let last = answered.map_or(began, |at| at.max(began));
                    if last.elapsed() >= WITNESS_SILENT || send.is_closed() {
                        return Ok(());
                    }
                    // Its silence, and a refusal by ICMP, come to the same.
                    let ping = asker.ask(Instant::now(), self.holds());
                    let _ = socket.try_send(&ping.seal(&self.key));
                }
                got = socket.recv(&mut buffer) => {
                    let Ok(length) = got else { continue };
                    let answer = Answer::open(&buffer[..length], &self.key);
                    if let Some(word) = answer.ok().and_then(|answer| asker.answered(&answer)) {
                        *answered = Some(Instant::now());
                        let _ = send.send(Input::Witness(word)).await;
                    }
                }
            }
        }
    }

    fn holds(&self) -> Holds {
        let report = self.seen.report.lock().expect("no holder panics");
        report.as_ref().map(|report| report.holds).unwrap_or_default()
    }
}

/// A third host for a twinpost pair: tells each box when it last heard the other one. It decides nothing,
/// keeps nothing, and is not needed.
#[derive(Parser)]
#[command(name = "maild witness", version)]
struct Args {
    /// Where to listen (UDP).
    #[arg(long, default_value = "[::]:7403")]
    listen: SocketAddr,
    /// A file with the pair's token.
    #[arg(long)]
    token_file: PathBuf,
}

/// `maild witness`: runs until it is killed. `args` begins with the program's name.
///
/// # Errors
/// When the token cannot be read or the port cannot be had.
pub fn main(args: impl Iterator<Item = String>) -> Result<()> {
    let args = Args::parse_from(args);
    let token = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("reading {:?}", args.token_file))?;
    let key = Key::new(identity::shared_key(token.trim(), PURPOSE));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = UdpSocket::bind(args.listen).await;
        let socket = socket.with_context(|| format!("listening on {}", args.listen))?;
        tracing::info!(listen = %socket.local_addr()?, "the witness is up");
        serve(&socket, &key).await
    })
}

async fn serve(socket: &UdpSocket, key: &Key) -> Result<()> {
    let mut witness = Witness::new(node::Handle::new_id() as u64);
    let mut buffer = [0; DATAGRAM_BYTES];
    loop {
        // An error is the refusal of an earlier answer.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        match Ping::open(&buffer[..length], key) {
            Ok(ping) => {
                let answer = witness.hear(Instant::now(), &ping);
                let _ = socket.try_send_to(&answer.seal(key), from);
            }
            Err(error) => tracing::debug!(%from, %error, "no ping of this pair"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(side: Side, address: SocketAddr, seen: Arc<Seen>) -> Asking {
        let witness = control::site::Witness { address: address.ip(), port: Some(address.port()) };
        Asking { witness, side, key: Key::new([3; 32]), seen }
    }

    #[tokio::test]
    async fn two_boxes_hear_of_each_other_by_their_witness() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let witness = tokio::spawn(async move { serve(&socket, &Key::new([3; 32])).await });
        let (a_send, mut a) = mpsc::channel(64);
        let (b_send, mut b) = mpsc::channel(64);
        tokio::spawn(asking(Side::A, address, Arc::default()).run(a_send));
        tokio::spawn(asking(Side::B, address, Arc::default()).run(b_send));
        for answers in [&mut a, &mut b] {
            loop {
                let Some(Input::Witness(word)) = answers.recv().await else { panic!("ended") };
                if word.peer.is_some() {
                    break;
                }
            }
        }
        witness.abort();
    }

    #[tokio::test]
    async fn a_port_that_takes_connections_is_a_witness_of_few_words() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, mut answers) = mpsc::channel(64);
        tokio::spawn(asking(Side::A, address, Arc::default()).run(send));
        let accepted = tokio::spawn(async move { listener.accept().await });
        let Some(Input::Witness(word)) = answers.recv().await else { panic!("ended") };
        assert_eq!(word, WitnessWord { peer: None });
        accepted.await.unwrap().unwrap();
    }
}
