//! The programs that PID 1 starts, and as whom.

use control::paths;
use linux::child::{self, Capability, Identity, Limits, Output, Program, Running};

use crate::limits::{MAILD_LOCKED_BYTES, MAILD_OPEN_FILES, MAILD_REALTIME_PRIORITY};

/// Starts maild: its own user, three capabilities, its output into our log.
///
/// # Errors
/// That it cannot be executed, or that a right could not be set.
pub fn start_maild(log_filter: Option<&str>) -> linux::Result<Running> {
    const CAPABILITIES: [Capability; 3] =
        [Capability::NetBindService, Capability::NetAdmin, Capability::NetRaw];
    let mut environment = vec![("HOME", paths::DATA_MAIL), ("RUST_BACKTRACE", "1")];
    environment.extend(log_filter.map(|filter| ("RUST_LOG", filter)));
    child::spawn(Program {
        path: "/sbin/maild",
        arguments: &["--site", paths::SITE_FILE, "--data", paths::DATA],
        environment: &environment,
        identity: Some(Identity {
            uid: paths::MAILD_UID,
            gid: paths::MAILD_GID,
            capabilities: &CAPABILITIES,
        }),
        limits: Limits {
            open_files: Some(MAILD_OPEN_FILES),
            realtime_priority: Some(MAILD_REALTIME_PRIORITY),
            locked_bytes: Some(MAILD_LOCKED_BYTES),
        },
        output: Output::Pipe,
    })
}

/// Starts the menu on a terminal: `ttyS0`.
///
/// # Errors
/// [`linux::Error::is_absent`] or an I/O error when there is no such terminal on this board.
pub fn start_console(terminal: &str) -> linux::Result<Running> {
    let device = std::path::Path::new("/dev").join(terminal);
    let terminal = linux::terminal::open(&device)?;
    child::spawn(Program {
        path: "/sbin/console",
        arguments: &[],
        environment: &[("TERM", "vt100")],
        identity: None,
        limits: Limits::default(),
        output: Output::Terminal(terminal),
    })
}
