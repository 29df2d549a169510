//! A network of one's own, for tests.

use std::fs::File;

use nix::sched::{CloneFlags, setns, unshare};

use crate::{Error, Result};

/// Moves the calling thread, and those that it starts from now on, into a new network namespace
/// with only a loopback in it. The file names the namespace.
///
/// # Errors
/// [`Error::is_forbidden`] without CAP_SYS_ADMIN.
pub fn enter_new_network() -> Result<File> {
    let failed = |error: std::io::Error| Error::kernel("make a network namespace", error);
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| failed(error.into()))?;
    File::open("/proc/thread-self/ns/net").map_err(failed)
}

/// Moves the calling thread, and those that it starts from now on, into a network that exists.
///
/// # Errors
/// [`Error::is_forbidden`] without CAP_SYS_ADMIN.
pub fn enter_network(namespace: &File) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET)
        .map_err(|error| Error::kernel("enter a network namespace", error))
}
