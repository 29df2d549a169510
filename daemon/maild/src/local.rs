//! The two local sockets: questions of the console (`maild.sock`), ticks and the clock for PID 1
//! (`init.sock`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use control::{Decoder, FromInit, FromMaild, Program, ToInit, ToMaild, encode};
use failover::Admin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

use crate::backup;
use crate::metrics;
use crate::status::Statuses;
use crate::time::ClockWish;

/// How often PID 1 hears that the loop turns.
const TICK: Duration = Duration::from_millis(200);
const RECONNECT: Duration = Duration::from_secs(1);

/// Answers questions on `maild.sock`.
///
/// # Errors
/// When the socket cannot be made.
pub async fn answer_for_ever(path: &Path, statuses: Arc<Statuses>) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("removing the old {path:?}")),
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listening on {path:?}"))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let statuses = statuses.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &statuses).await {
                tracing::debug!(%error, "a local question");
            }
        });
    }
}

async fn answer(mut stream: UnixStream, statuses: &Statuses) -> Result<()> {
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        decoder.push(&buffer[..length]);
        while let Some(question) = decoder.next::<ToMaild>()? {
            if question == ToMaild::Backup {
                backup::send(&mut stream, &statuses.node).await?;
                continue;
            }
            let answer = reply(question, statuses).await;
            stream.write_all(&encode(&answer)?).await?;
        }
    }
}

async fn reply(question: ToMaild, statuses: &Statuses) -> FromMaild {
    let wish = match question {
        ToMaild::Status => return FromMaild::Status(Box::new(statuses.status())),
        ToMaild::Digest => {
            return match statuses.digest().await {
                Ok(digest) => FromMaild::Digest(digest),
                Err(error) => FromMaild::Failed { reason: error.to_string() },
            };
        }
        ToMaild::Events { newest } => {
            return FromMaild::Events { events: statuses.events.newest(usize::from(newest)) };
        }
        ToMaild::Metrics => return FromMaild::Metrics { text: metrics::text(statuses) },
        ToMaild::Backup => {
            return FromMaild::Failed { reason: "a backup is not one answer".into() };
        }
        ToMaild::HoldFormat { on } => {
            return match statuses.blessing.hold(on).await {
                Ok(()) => FromMaild::Done,
                Err(error) => FromMaild::Failed { reason: format!("{error:#}") },
            };
        }
        ToMaild::ServeAlone => Admin::ServeAlone,
        ToMaild::Handover => Admin::Handover,
        ToMaild::GiveBack => Admin::GiveBack,
        ToMaild::Maintenance { on: true } => Admin::BeginMaintenance,
        ToMaild::Maintenance { on: false } => Admin::EndMaintenance,
    };
    match statuses.wishes.ask(wish).await {
        Ok(()) => FromMaild::Done,
        Err(reason) => FromMaild::Failed { reason },
    }
}

/// Tells PID 1 that this program's loop turns and what is wrong with the clock, and hears when to stop.
/// Without a PID 1 of ours it tries again quietly.
pub async fn tick_for_ever(
    path: &Path,
    node: node::Handle,
    stop: watch::Sender<Option<String>>,
    mut clock: mpsc::Receiver<ClockWish>,
) {
    loop {
        if let Ok(stream) = UnixStream::connect(path).await
            && let Err(error) = ticks(stream, &node, &stop, &mut clock).await
        {
            tracing::warn!(%error, "the connection to init");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn ticks(
    stream: UnixStream,
    node: &node::Handle,
    stop: &watch::Sender<Option<String>>,
    clock: &mut mpsc::Receiver<ClockWish>,
) -> Result<()> {
    let mut asked: Option<oneshot::Sender<Result<(), String>>> = None;
    let (mut reader, mut writer) = stream.into_split();
    let hello = ToInit::Hello { program: Program::Maild, version: crate::VERSION.into() };
    writer.write_all(&encode(&hello)?).await?;
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; 4096];
    let mut interval = tokio::time::interval(TICK);
    let mut sequence = 0;
    loop {
        tokio::select! {
            got = reader.read(&mut buffer) => {
                let length = got?;
                if length == 0 {
                    return Ok(());
                }
                decoder.push(&buffer[..length]);
                while let Some(message) = decoder.next::<FromInit>()? {
                    let clock = match message {
                        FromInit::Shutdown { reason } => {
                            writer.write_all(&encode(&ToInit::Stopping)?).await?;
                            stop.send_replace(Some(reason));
                            continue;
                        }
                        FromInit::ClockChanged => Ok(()),
                        FromInit::ClockStays { reason } => Err(reason),
                        _ => continue,
                    };
                    if let Some(asked) = asked.take() {
                        // Whoever asked may have lost patience.
                        let _ = asked.send(clock);
                    }
                }
            }
            Some(wish) = clock.recv(), if asked.is_none() => {
                writer.write_all(&encode(&ToInit::Clock(wish.change))?).await?;
                asked = Some(wish.answer);
            }
            _ = interval.tick() => {
                node.tick().await?;
                sequence += 1;
                writer.write_all(&encode(&ToInit::Tick { sequence })?).await?;
            }
        }
    }
}
