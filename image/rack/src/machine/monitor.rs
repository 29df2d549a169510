//! QEMU's monitor (QMP): the few commands that a test needs. Each call is a connection of its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::limits::MONITOR_TIMEOUT;
use crate::{Error, Result};

/// A command, in the words of QEMU's own documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Pulls or plugs the cable at `nic`: the box sees its carrier go or come.
    SetLink { nic: &'static str, up: bool },
    /// Stops the processors; time goes on outside.
    Stop,
    /// Lets them go on.
    Continue,
    /// Presses the power button.
    PowerButton,
}

impl Request {
    fn json(self) -> String {
        match self {
            Request::SetLink { nic, up } => {
                format!(r#"{{"execute":"set_link","arguments":{{"name":"{nic}","up":{up}}}}}"#)
            }
            Request::Stop => r#"{"execute":"stop"}"#.into(),
            Request::Continue => r#"{"execute":"cont"}"#.into(),
            Request::PowerButton => r#"{"execute":"system_powerdown"}"#.into(),
        }
    }
}

/// Sends one command and waits until it is done.
pub fn execute(socket: &Path, request: Request) -> Result<()> {
    let failed = |error| Error::io("ask QEMU's monitor at", socket, error);
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(MONITOR_TIMEOUT)).map_err(failed)?;
    let mut lines = BufReader::new(stream.try_clone().map_err(failed)?);
    let mut greeting = String::new();
    lines.read_line(&mut greeting).map_err(failed)?;
    for command in [r#"{"execute":"qmp_capabilities"}"#.to_owned(), request.json()] {
        stream.write_all(format!("{command}\n").as_bytes()).map_err(failed)?;
        answer(&mut lines, socket)?;
    }
    Ok(())
}

/// Reads until the answer; events may come before it.
fn answer(lines: &mut impl BufRead, socket: &Path) -> Result<()> {
    loop {
        let mut line = String::new();
        let length = lines
            .read_line(&mut line)
            .map_err(|error| Error::io("ask QEMU's monitor at", socket, error))?;
        if line.contains(r#""return""#) {
            return Ok(());
        }
        if length == 0 || line.contains(r#""error""#) {
            return Err(Error::Qemu { expected: "the command to be done", got: line });
        }
    }
}
