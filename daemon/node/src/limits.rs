//! Every limit of the node.

use std::time::Duration;

/// Bytes of records on their way to the peer that it has not acknowledged as synced.
pub const LINK_WINDOW_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of records read from the log for the peer in one turn of the loop.
pub const LINK_TURN_BYTES: u64 = 2 * 1024 * 1024;

/// Records applied to the index in one transaction.
pub const APPLY_BATCH_RECORDS: usize = 512;

/// The index and the user store are made durable this often while anything changes.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Two boxes that are in `both` compare their state this often, besides after each join.
pub const COMPARE_INTERVAL: Duration = Duration::from_secs(3600);

/// Until the first comparison after a join found both boxes idle at the same place.
pub const COMPARE_RETRY: Duration = Duration::from_secs(10);

/// A client that looks into a mailbox waits this long at most for what is under way.
pub const READ_WAIT: Duration = Duration::from_millis(500);

/// And this long, while nothing at all is committed: the peer's word is a millisecond away, or does not come.
pub const COMMIT_WAIT: Duration = Duration::from_millis(60);

/// Entries that are placed again, moved into the mailbox of their name or stamped again in one go.
pub const WORK_BATCH: usize = 256;

/// Inputs of sessions and link that wait for the loop.
pub const LOOP_QUEUE: usize = 4096;

/// Changes of mailboxes that a slow listener may be behind before it is told "anything".
pub const CHANGES_QUEUE: usize = 1024;

/// While more than this waits for the disk, in bytes, no mail is taken, from clients or the peer: the log
/// refuses what is over its own limit, and the largest message must fit between the two.
pub const BEHIND_BYTES_MAX: usize = 64 * 1024 * 1024;

const _: () = assert!(
    BEHIND_BYTES_MAX + record::limits::MESSAGE_BYTES_MAX + 1024 * 1024
        < journal::limits::UNWRITTEN_BYTES_MAX
);

/// zstd level of message bodies: 306 MB/s on mail at a ratio of 2.4 (measured).
pub const ZSTD_LEVEL: i32 = 1;

/// A compressed chunk is kept only when it is at most this share of the plain one, in percent.
pub const ZSTD_KEEP_PERCENT: usize = 90;

/// Bodies kept uncompressed in memory for clients that fetch in pieces, in bytes.
pub const BODY_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Facts about messages that wait for the next batch; a client that lists a large mailbox finds them faster
/// than they are put.
pub const FACTS_WAITING_MAX: usize = 16_384;

/// Mailboxes of one account.
pub const MAILBOXES_MAX: usize = 1000;

/// Bytes of a mailbox name.
pub const MAILBOX_NAME_BYTES_MAX: usize = 1000;

/// The mailboxes that an account is born with (RFC 6154 names in brackets are given by `serve::imap`).
pub const FIRST_MAILBOXES: [&str; 6] = ["INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive"];

/// Below this much free space no new mail is taken (`452`); reading and deleting go on.
pub const DISK_FREE_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// Below this much free space no session with the peer is kept up, in bytes: what it sends would fill the disk
/// to the last byte, and index and user store need some of it. The peer goes on without this box until
/// there is twice as much.
pub const DISK_JOIN_BYTES_MIN: u64 = 8 * 1024 * 1024;

const _: () = assert!(DISK_JOIN_BYTES_MIN * 2 < DISK_FREE_BYTES_MIN);

/// Passwords found right, kept in memory so that the slow hash runs once for each.
pub const PASSWORD_CACHE_ENTRIES: usize = 1024;

/// A backup is read in pieces of this size when it is restored, in bytes.
pub const RESTORE_READ_BYTES: usize = 1024 * 1024;

/// Damaged records known at a time; the scrub waits while there are as many as this.
pub const MEND_KNOWN_MAX: usize = 4096;

/// Damaged records that the peer is asked for at a time.
pub const MEND_ASKED_MAX: usize = 16;

/// Frames in one answer for a damaged record, in bytes.
pub const MEND_ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the peer could not give is asked for again after this long.
pub const MEND_RETRY: Duration = Duration::from_secs(60);

/// Whoever needs a damaged record to go on looks this often whether it is mended.
pub const MEND_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A reader waits this long at most for a damaged record to be mended.
pub const MEND_WAIT: Duration = Duration::from_secs(2);

/// The scrub reads this much in one go, in bytes.
pub const SCRUB_STEP_BYTES: u64 = 1024 * 1024;

/// A step of the scrub comes at least this often, however short the log is.
pub const SCRUB_STEP_INTERVAL_MAX: Duration = Duration::from_secs(600);

/// How often the place that the scrub has come to is written down.
pub const SCRUB_KEPT_INTERVAL: Duration = Duration::from_secs(60);

/// The upkeep thread looks round this often.
pub const UPKEEP_TURN: Duration = Duration::from_secs(1);

/// Below this much free space dead bytes are looked for at once, and then every [`RECLAIM_RETRY`].
pub const RECLAIM_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// See [`RECLAIM_FREE_BYTES`].
pub const RECLAIM_RETRY: Duration = Duration::from_secs(60);

/// Records of one writer of which it is looked up at once whether they are dead.
pub const DEAD_LOOKED_UP: u64 = 4096;
