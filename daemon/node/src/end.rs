//! The end of a box that cannot go on: its disk failed, or a store did.

/// Ends the program here and now; PID 1 takes its addresses off, and the peer takes over.
///
/// Not in order: while such a box still said goodbye, clients got success for messages that neither disk has
/// (`cargo torture power --seed 7`). Until that is understood, nothing may be said any more.
pub(crate) fn end_here(reason: &str) -> ! {
    tracing::error!(reason, "this box cannot go on; it stops and its peer takes over");
    std::process::abort()
}

/// A store that cannot take a committed record stops this box: the restart rebuilds what is damaged.
pub(crate) fn or_end_here<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| end_here(&format!("a store failed: {error}")))
}
