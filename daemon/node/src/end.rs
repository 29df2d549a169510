//! The end of a box that cannot go on: its disk failed, or a store did.

use std::time::Duration;

use tokio::sync::watch;

/// The program says goodbye to the peer and ends within this time, or at once after it.
pub const LAST_WORDS_WAIT: Duration = Duration::from_secs(2);

/// Where the node's threads say that they cannot go on.
pub(crate) struct End {
    reason: watch::Sender<Option<String>>,
}

impl End {
    pub fn new() -> End {
        End { reason: watch::channel(None).0 }
    }

    pub fn subscribe(&self) -> watch::Receiver<Option<String>> {
        self.reason.subscribe()
    }

    /// Whoever comes here does nothing any more. Nobody is answered either: what waits was perhaps carried
    /// out, at the peer or on the disk, and only a connection that breaks says so.
    pub fn here(&self, reason: &str) -> ! {
        tracing::error!(reason, "this box cannot go on; it stops and its peer takes over");
        self.reason.send_replace(Some(reason.to_owned()));
        std::thread::sleep(LAST_WORDS_WAIT);
        std::process::abort()
    }

    /// A store that cannot take a committed record stops this box: the restart rebuilds what is damaged.
    pub fn or_here<T, E: std::fmt::Display>(&self, result: Result<T, E>) -> T {
        result.unwrap_or_else(|error| self.here(&format!("a store failed: {error}")))
    }
}
