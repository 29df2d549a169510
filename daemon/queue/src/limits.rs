//! Every limit of the queue.

use std::time::Duration;

/// A box that does not hear its peer leaves the peer's messages alone for so long: the peer may be alive and
/// sending them.
pub const QUEUE_TAKEOVER: Duration = Duration::from_secs(15 * 60);

/// An attempt whose outcome nobody heard is taken for over after this: the time that a client waits for the
/// answer to the end of the data (RFC 5321 §4.5.3.2.6).
pub const ATTEMPT: Duration = Duration::from_secs(10 * 60);

/// An attempt connects within this time, or not at all.
pub const CONNECT: Duration = Duration::from_secs(60);

/// Before the second attempt, the third, and so on; the last for all further. RFC 5321 §4.5.4.1 wants at
/// least 30 minutes on the whole, and allows two attempts in the first hour.
pub const RETRIES: [Duration; 5] = [
    Duration::from_secs(5 * 60),
    Duration::from_secs(25 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(4 * 60 * 60),
];
