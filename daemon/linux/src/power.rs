//! Restarting and switching off.

use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};

use crate::{Error, Result};

/// How the box ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Reboot,
    PowerOff,
}

/// Ends the box now, without another word to disks or programs.
///
/// # Errors
/// What the kernel says. On success this does not return.
pub fn end(how: End) -> Result<std::convert::Infallible> {
    let mode = match how {
        End::Reboot => RebootMode::RB_AUTOBOOT,
        End::PowerOff => RebootMode::RB_POWER_OFF,
    };
    reboot(mode).map_err(|error| Error::kernel(format!("{how:?}"), error))
}

/// Makes Ctrl-Alt-Del a SIGINT to PID 1 instead of an instant restart.
///
/// # Errors
/// What the kernel says.
pub fn ctrl_alt_del_asks_init() -> Result<()> {
    set_cad_enabled(false).map_err(|error| Error::kernel("disable ctrl-alt-del", error))
}
