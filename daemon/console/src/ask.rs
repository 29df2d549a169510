//! Asking maild and init over their sockets.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use control::{
    Decoder, FromInit, FromMaild, Program, Report, Status, ToInit, ToMaild, encode, paths,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::ANSWER_WAIT;

/// Everything that is known now.
#[derive(Debug)]
pub struct Picture {
    /// Maild's word, or why there is none.
    pub status: Result<Status, String>,
    /// Init's word; `None` when even PID 1 does not answer.
    pub report: Option<Report>,
}

pub fn picture() -> Picture {
    let report = match init(&ToInit::Report) {
        Ok(FromInit::Report(report)) => Some(report),
        _ => None,
    };
    let status = match maild(&ToMaild::Status) {
        Ok(FromMaild::Status(status)) => Ok(*status),
        Ok(FromMaild::Failed { reason }) => Err(reason),
        Ok(_) => Err("it answered another question".into()),
        Err(error) => Err(format!("{error:#}")),
    };
    Picture { status, report }
}

/// Asks maild.
///
/// # Errors
/// When it cannot be reached or does not answer in time.
pub fn maild(message: &ToMaild) -> Result<FromMaild> {
    question(paths::MAILD_SOCKET, &[], message)
}

/// Asks PID 1.
///
/// # Errors
/// When it cannot be reached or does not answer in time.
pub fn init(message: &ToInit) -> Result<FromInit> {
    let version = env!("CARGO_PKG_VERSION").into();
    let hello = encode(&ToInit::Hello { program: Program::Console, version })?;
    question(paths::INIT_SOCKET, &hello, message)
}

fn question<Q: Serialize, A: DeserializeOwned>(path: &str, before: &[u8], ask: &Q) -> Result<A> {
    let mut stream = UnixStream::connect(path).context("it is not there")?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    stream.write_all(before)?;
    stream.write_all(&encode(ask)?)?;
    let until = Instant::now() + ANSWER_WAIT;
    let mut decoder = Decoder::new();
    let mut bytes = [0; 4096];
    loop {
        if let Some(answer) = decoder.next()? {
            return Ok(answer);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("no answer in {} s", ANSWER_WAIT.as_secs());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes) {
            Ok(0) => bail!("it closed the connection"),
            Ok(length) => decoder.push(&bytes[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}
