//! Joins a local TCP connection to one on the LAN: bytes, half-closes and failures, both ways.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use smoltcp::socket::tcp::{RecvError, SendError, State};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::forward::Connection;
use crate::limits::{CLOSE_TIMEOUT, KEEP_ALIVE};

/// Why a connection ended other than by both ends closing it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The box refused it.
    #[error("the box refused it")]
    Refused,
    /// The box reset it, or did not answer for too long.
    #[error("the box reset it or fell silent")]
    Lost,
    /// Nobody answered at all.
    #[error("nobody answered")]
    Silent,
    /// The local program went away.
    #[error("the local program went away: {0}")]
    Local(io::Error),
    /// This host has no port left.
    #[error("no local port is left")]
    NoPorts,
}

/// Serves a joined pair until both have closed or either has failed.
pub async fn join(far: &Connection, local: TcpStream) {
    let patience = far.host.patience;
    // An idle connection to a dead box must fail too, and a time limit alone would also
    // break a connection that was merely quiet: so the far end is asked.
    far.host.with(far.handle, |socket| {
        socket.set_keep_alive(Some(KEEP_ALIVE.min(patience / 3).into()));
        socket.set_timeout(Some(patience.into()));
    });
    // Refusal leaves only latency to lose.
    _ = local.set_nodelay(true);
    let (mut reader, mut writer) = local.into_split();
    match tokio::try_join!(to_far(far, &mut reader), to_local(far, &mut writer)) {
        Ok(((), ())) => {
            let closing = far.leave_states(&[State::FinWait1, State::Closing, State::LastAck]);
            _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
        }
        Err(failure) => {
            fail(far, writer.as_ref(), failure);
            // Its drop would say goodbye first.
            writer.forget();
        }
    }
}

/// Resets both connections, so that nobody takes a failure for an orderly end.
pub fn fail(far: &Connection, local: &TcpStream, failure: Failure) {
    tracing::debug!(%failure, "connection failed");
    far.abort();
    // If even this is refused the local program sees an end of file: still an end.
    _ = local.set_zero_linger();
}

/// Local program → box.
async fn to_far(far: &Connection, local: &mut OwnedReadHalf) -> Result<(), Failure> {
    loop {
        poll_fn(|context| {
            far.host.look(far.handle, |socket| {
                if !socket.may_send() {
                    return Poll::Ready(Err(Failure::Lost));
                }
                if socket.can_send() {
                    return Poll::Ready(Ok(()));
                }
                socket.register_send_waker(context.waker());
                Poll::Pending
            })
        })
        .await?;
        local.readable().await.map_err(Failure::Local)?;
        let read = far.host.with(far.handle, |socket| {
            socket.send(|room| match local.try_read(room) {
                Ok(length) => (length, Ok(length)),
                Err(error) => (0, Err(error)),
            })
        });
        match read {
            Ok(Ok(0)) => {
                far.host.with(far.handle, |socket| socket.close());
                return Ok(());
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(Err(error)) => return Err(Failure::Local(error)),
            Err(SendError::InvalidState) => return Err(Failure::Lost),
        }
    }
}

/// Box → local program.
async fn to_local(far: &Connection, local: &mut OwnedWriteHalf) -> Result<(), Failure> {
    loop {
        let more = poll_fn(|context| {
            far.host.look(far.handle, |socket| {
                if socket.can_recv() {
                    return Poll::Ready(Ok(true));
                }
                if !socket.may_recv() {
                    // `peek` tells an orderly end from a reset.
                    return Poll::Ready(match socket.peek(1) {
                        Err(RecvError::Finished) => Ok(false),
                        _ => Err(Failure::Lost),
                    });
                }
                socket.register_recv_waker(context.waker());
                Poll::Pending
            })
        })
        .await?;
        if !more {
            // Refusal means that the local program is gone, which `to_far` notices too.
            _ = local.shutdown().await;
            return Ok(());
        }
        local.writable().await.map_err(Failure::Local)?;
        let written = far.host.with(far.handle, |socket| {
            socket.recv(|bytes| match local.try_write(bytes) {
                Ok(length) => (length, Ok(())),
                Err(error) => (0, Err(error)),
            })
        });
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(Err(error)) => return Err(Failure::Local(error)),
            Err(_) => return Err(Failure::Lost),
        }
    }
}
