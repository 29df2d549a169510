//! What can go wrong in a rack.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Split by whose fault it is: this machine's, QEMU's, or a server's in a box.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The rack's thread has ended.
    #[error("the rack has stopped")]
    Stopped,
    /// A program or file that a box needs is not installed.
    #[error("{what} is missing: install the Debian package {package}")]
    Missing {
        /// What is missing.
        what: String,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// QEMU is too old, or did not say what was expected.
    #[error("QEMU: expected {expected}, got {got:?}")]
    Qemu {
        /// What was expected.
        expected: &'static str,
        /// What it said.
        got: String,
    },
    /// The box has no power.
    #[error("box {0} is off")]
    Off(crate::Side),
    /// The box has power already.
    #[error("box {0} is on already")]
    On(crate::Side),
    /// Something did not come in time.
    #[error("waited {waited:?} for {what}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
    },
    /// A server broke its protocol, or refused what a client must be able to rely on.
    #[error("{protocol}: expected {expected}, got {got:?}")]
    Server {
        /// Which protocol.
        protocol: &'static str,
        /// What was expected.
        expected: String,
        /// What it said.
        got: String,
    },
    /// The connection to a server failed.
    #[error("{protocol}: {source}")]
    Connection {
        /// Which protocol.
        protocol: &'static str,
        /// How.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Error::Io { doing, path: path.to_owned(), source }
    }
}
