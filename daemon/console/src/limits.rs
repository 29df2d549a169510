//! Every limit of the console.

use std::time::Duration;

/// How often the box is asked how it is.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take before it counts as none.
pub const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// How many lines of the log are shown: what fits a screen.
pub const LOG_LINES_SHOWN: u16 = 20;

/// Columns of the smallest terminal.
pub const COLUMNS: usize = 80;
/// Rows of the smallest terminal.
#[cfg(test)]
pub const ROWS: usize = 24;
