//! What goes wrong below us.

use std::io;

use nix::errno::Errno;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel said no.
    #[error("{what}: {source}")]
    Kernel { what: String, source: io::Error },
    /// The kernel answered something that we do not understand.
    #[error("{what}: expected {expected}, got {got}")]
    Unexpected { what: String, expected: &'static str, got: String },
}

impl Error {
    /// Whether this is the kernel's way of saying that the thing is not there (any more).
    #[must_use]
    pub fn is_absent(&self) -> bool {
        const ABSENT: [Errno; 6] = [
            Errno::ENOENT,
            Errno::ENODEV,
            Errno::ENXIO,
            Errno::ESRCH,
            Errno::EADDRNOTAVAIL,
            Errno::ENETDOWN,
        ];
        self.errno().is_some_and(|errno| ABSENT.contains(&errno))
    }

    /// Whether the thing was there already.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.errno() == Some(Errno::EEXIST)
    }

    /// Whether we may not.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self.errno(), Some(Errno::EPERM | Errno::EACCES))
    }

    /// An address that cannot be used because another machine has it; `what` names both.
    #[must_use]
    pub fn in_use(what: String) -> Error {
        Error::Kernel { what, source: Errno::EADDRINUSE.into() }
    }

    pub(crate) fn kernel(what: impl Into<String>, source: impl Into<io::Error>) -> Error {
        Error::Kernel { what: what.into(), source: source.into() }
    }

    pub(crate) fn last(what: impl Into<String>) -> Error {
        Error::kernel(what, io::Error::last_os_error())
    }

    fn errno(&self) -> Option<Errno> {
        match self {
            Error::Kernel { source, .. } => source.raw_os_error().map(Errno::from_raw),
            Error::Unexpected { .. } => None,
        }
    }
}
