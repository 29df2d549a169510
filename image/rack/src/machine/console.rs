//! A box's serial console: what it says, and typing at it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// A connection to the console. QEMU takes one at a time.
#[derive(Debug)]
pub struct Console {
    stream: UnixStream,
    path: PathBuf,
    seen: Vec<u8>,
}

impl Console {
    /// Connects; what the box said before is in its log only.
    pub(super) fn connect(path: &Path) -> Result<Console> {
        let stream =
            UnixStream::connect(path).map_err(|error| Error::io("connect to", path, error))?;
        Ok(Console { stream, path: path.to_owned(), seen: Vec::new() })
    }

    /// Types something.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.stream
            .write_all(text.as_bytes())
            .map_err(|error| Error::io("write to", &self.path, error))
    }

    /// Waits until the box has said `text`; gives all it said up to there, and forgets it.
    pub fn expect(&mut self, text: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(start) = find(&self.seen, text.as_bytes()) {
                let said: Vec<u8> = self.seen.drain(..start + text.len()).collect();
                return Ok(String::from_utf8_lossy(&said).into_owned());
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                let what = format!("{text:?} at {}", self.path.display());
                return Err(Error::Late { what, waited: limit });
            }
            self.read_some(rest)?;
        }
    }

    fn read_some(&mut self, limit: Duration) -> Result<()> {
        let failed = |error| Error::io("read from", &self.path, error);
        self.stream.set_read_timeout(Some(limit)).map_err(failed)?;
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(failed(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(length) => {
                self.seen.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(error) if is_timeout(&error) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}
