//! The time: asks NTP servers as an SNTP client (RFC 4330), and asks PID 1 to put the clock right.
//!
//! [`packet`] has the bytes, [`judge`] the decisions; here are the sockets. Without a server in the site
//! file or from DHCP nobody is asked.

mod judge;
mod packet;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use control::{ClockChange, Site};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use self::judge::{Judge, Verdict};
use self::packet::{Refused, Sample};
use crate::watch::Seen;

const PORT: u16 = 123;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// Questions to one server in one round: the one with the shortest way counts (RFC 5905 §10).
const QUESTIONS: usize = 3;
/// Between two questions to one server.
const BETWEEN: Duration = Duration::from_millis(200);
/// Until there is an answer: from this,
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// doubled up to this. Also the pause while the clock looks wrong.
const SHORT_PAUSE: Duration = Duration::from_secs(64);
/// The pause while it is right.
const LONG_PAUSE: Duration = Duration::from_secs(1024);

/// A wish to PID 1, and where its answer goes: why it was refused.
pub struct ClockWish {
    pub change: ClockChange,
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// Wishes that wait for PID 1.
pub const WISHES_MAX: usize = 1;

pub struct TimeKeeper {
    pub site: Arc<Site>,
    pub seen: Arc<Seen>,
    pub wishes: mpsc::Sender<ClockWish>,
    /// Random numbers that nobody can guess.
    pub cookie: fn() -> u64,
}

impl TimeKeeper {
    /// Runs for ever.
    pub async fn run(self) {
        let mut judge = Judge::default();
        let mut pause = FIRST_PAUSE;
        let mut told = None;
        loop {
            let servers = self.servers();
            if servers.is_empty() {
                sleep(SHORT_PAUSE).await;
                continue;
            }
            let samples = self.ask_all(&servers, PORT).await;
            let verdict = judge.round(&samples);
            if told != Some(std::mem::discriminant(&verdict)) {
                told = Some(std::mem::discriminant(&verdict));
                say(verdict, &servers);
            }
            let change = match verdict {
                Verdict::Set(offset_us) => Some(ClockChange { offset_us, at_once: true }),
                Verdict::Slew(offset_us) => Some(ClockChange { offset_us, at_once: false }),
                _ => None,
            };
            if let Some(change) = change
                && !self.wish(change).await
            {
                judge.was_refused();
            }
            pause = match verdict {
                Verdict::Unknown => (pause * 2).min(SHORT_PAUSE),
                Verdict::Right | Verdict::Absurd(_) => LONG_PAUSE,
                Verdict::Slew(_) | Verdict::Set(_) | Verdict::Doubt(_) => SHORT_PAUSE,
            };
            sleep(pause).await;
        }
    }

    /// The owner's, else DHCP's.
    fn servers(&self) -> Vec<IpAddr> {
        if !self.site.time.servers.is_empty() {
            return self.site.time.servers.clone();
        }
        let own = self.seen.own.lock().expect("no holder panics");
        own.as_ref().map(|own| own.borrow().time_servers.clone()).unwrap_or_default()
    }

    async fn ask_all(&self, servers: &[IpAddr], port: u16) -> Vec<Sample> {
        let questions = servers.iter().map(|server| {
            let (address, cookie) = (SocketAddr::new(*server, port), self.cookie);
            tokio::spawn(async move { ask(address, cookie).await })
        });
        let mut samples = Vec::new();
        for (question, server) in questions.collect::<Vec<_>>().into_iter().zip(servers) {
            match question.await {
                Ok(Ok(sample)) => samples.push(sample),
                Ok(Err(error)) => tracing::debug!(%server, %error, "no time"),
                Err(error) => tracing::warn!(%server, %error, "asking for the time"),
            }
        }
        samples
    }

    /// False when PID 1 did not do it, or there is none.
    async fn wish(&self, change: ClockChange) -> bool {
        let (answer, answered) = oneshot::channel();
        if self.wishes.send(ClockWish { change, answer }).await.is_err() {
            return false;
        }
        match timeout(SHORT_PAUSE, answered).await {
            Ok(Ok(Ok(()))) => true,
            Ok(Ok(Err(reason))) => {
                tracing::warn!(%reason, "the clock stays as it is");
                false
            }
            _ => false,
        }
    }
}

/// The best of some answers of one server.
async fn ask(server: SocketAddr, cookie: fn() -> u64) -> Result<Sample, AskError> {
    let mut best: Option<Sample> = None;
    let mut failed = AskError::Silent;
    for number in 0..QUESTIONS {
        if number > 0 {
            sleep(BETWEEN).await;
        }
        match ask_once(server, cookie()).await {
            Ok(sample) if best.is_none_or(|best| sample.delay_us < best.delay_us) => {
                best = Some(sample);
            }
            Ok(_) => {}
            Err(error) => {
                let less = matches!(error, AskError::Refused(Refused::Kiss { .. }));
                failed = error;
                if less {
                    break;
                }
            }
        }
    }
    best.ok_or(failed)
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("no answer")]
    Silent,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Socket(#[from] std::io::Error),
}

async fn ask_once(server: SocketAddr, cookie: u64) -> Result<Sample, AskError> {
    // A port of its own for each question: one thing more that a liar has to guess.
    let any: IpAddr = match server.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let sent = linux::clock::since_epoch();
    socket.send(&packet::question(cookie)).await?;
    let mut buffer = [0; 2 * packet::BYTES];
    let answered = timeout(ANSWER, socket.recv(&mut buffer)).await;
    let received = linux::clock::since_epoch();
    let length = answered.map_err(|_| AskError::Silent)??;
    Ok(packet::read(&buffer[..length], cookie, sent, received)?)
}

/// Once for each change of mind.
fn say(verdict: Verdict, servers: &[IpAddr]) {
    let seconds = |us: i64| us as f64 / 1e6;
    match verdict {
        Verdict::Right => tracing::info!("the clock is right"),
        Verdict::Slew(us) => tracing::info!(seconds = seconds(us), "the clock is nearly right"),
        Verdict::Set(us) => tracing::info!(seconds = seconds(us), "the clock is put right"),
        Verdict::Doubt(us) => tracing::info!(seconds = seconds(us), "the clock looks wrong"),
        Verdict::Absurd(us) => tracing::warn!(
            seconds = seconds(us),
            "alarm: the time servers want a jump that is not believed; restart the box if they are right"
        ),
        Verdict::Unknown => {
            tracing::warn!(?servers, "the time servers do not answer, or do not agree");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server on loopback that is `ahead_us` before this machine's clock and first answers nonsense.
    async fn serve(ahead_us: i64) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 100];
            for number in 0.. {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                assert_eq!((length, buffer[0]), (packet::BYTES, 0x23));
                let mut cookie = u64::from_be_bytes(buffer[40..48].try_into().unwrap());
                cookie ^= u64::from(number == 0);
                let now = linux::clock::since_epoch() - Duration::from_millis(10);
                let answer = packet::tests::answer(cookie, now, ahead_us);
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn a_server_is_asked_until_one_answer_fits() {
        let server = serve(90_000_000).await;
        let sample = ask(server, || 42).await.unwrap();
        // However slow this machine is, half the delay bounds the error.
        let error = (sample.offset_us - 90_000_000).abs();
        assert!(error <= sample.delay_us / 2 + 11_000, "{sample:?}");
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_no_server() {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(ask(free, || 42).await.is_err());
    }
}
