//! Drives one client's session over its stream: bytes in, steps out, until either side ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use node::serve::{Event, Protocol, Step};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A client that takes none of what it asked for is dropped after this long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// A TLS handshake that takes longer is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read from a client at once.
const READ_BYTES: usize = 64 * 1024;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Serves until the end. `closing` becomes a reason when this box stops serving.
///
/// # Errors
/// What broke the connection; nobody but the log needs to know.
pub async fn drive<P: Protocol>(
    mut protocol: P,
    mut stream: Box<dyn Stream>,
    tls: Arc<ServerConfig>,
    mut closing: watch::Receiver<Option<String>>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut told_to_close = false;
    loop {
        while let Some(step) = protocol.step() {
            match step {
                Step::Send(bytes) => write(&mut stream, &bytes).await?,
                Step::Ask => {
                    stream.flush().await?;
                    protocol.answer().await;
                }
                Step::StartTls => {
                    stream.flush().await?;
                    stream = start_tls(stream, tls.clone()).await?;
                    protocol.handle(Instant::now(), Event::TlsStarted);
                }
                Step::Close => {
                    stream.flush().await?;
                    let _ = timeout(WRITE_TIMEOUT, stream.shutdown()).await;
                    return Ok(());
                }
            }
        }
        stream.flush().await?;
        let wants_input = protocol.wants_input();
        let deadline = protocol.deadline();
        tokio::select! {
            got = stream.read(&mut buffer), if wants_input => match got? {
                0 => return Ok(()),
                length => protocol.handle(Instant::now(), Event::Bytes(&buffer[..length])),
            },
            () = protocol.changed() => protocol.handle(Instant::now(), Event::Changed),
            () = until(deadline) => protocol.handle(Instant::now(), Event::Tick),
            reason = closing_reason(&mut closing), if !told_to_close => {
                told_to_close = true;
                protocol.handle(Instant::now(), Event::Closing(&reason));
            }
        }
    }
}

async fn write(stream: &mut Box<dyn Stream>, bytes: &[u8]) -> std::io::Result<()> {
    timeout(WRITE_TIMEOUT, stream.write_all(bytes)).await.map_err(|_| {
        std::io::Error::new(std::io::ErrorKind::TimedOut, "the client takes nothing")
    })?
}

/// The server's side of a TLS handshake.
///
/// # Errors
/// Whatever the client did wrong, or the time-out.
pub async fn start_tls(
    stream: Box<dyn Stream>,
    tls: Arc<ServerConfig>,
) -> std::io::Result<Box<dyn Stream>> {
    let stream = timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(tls).accept(stream))
        .await
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "TLS handshake"))??;
    Ok(Box::new(stream))
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn closing_reason(closing: &mut watch::Receiver<Option<String>>) -> String {
    match closing.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or_default(),
        Err(_) => "this server is stopping".into(),
    }
}
