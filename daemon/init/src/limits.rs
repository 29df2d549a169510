//! Every limit of PID 1, and how patient it is.

use std::time::Duration;

/// How long the start waits for the disk with our partitions.
pub const DISK_WAIT: Duration = Duration::from_secs(30);
/// After this long without our partitions, disks with a damaged partition table are looked at.
pub const DISK_MEND_AFTER: Duration = Duration::from_secs(5);
/// How long the start waits for both ports.
pub const PORTS_WAIT: Duration = Duration::from_secs(10);
/// How long it then waits for the LAN's carrier, to ask whether its address is free: what a gigabit
/// port takes to agree with its switch.
pub const CARRIER_WAIT: Duration = Duration::from_secs(3);
/// How often it looks for each of them.
pub const DEVICE_LOOK_EVERY: Duration = Duration::from_millis(25);

/// The first wait before a program that ended is started again; it doubles each time.
pub const RESTART_AFTER_MIN: Duration = Duration::from_millis(200);
/// The longest such wait.
pub const RESTART_AFTER_MAX: Duration = Duration::from_secs(15);
/// A program that ran this long has not failed at once: its next wait is the first one again.
pub const STEADY_AFTER: Duration = Duration::from_secs(60);

/// Maild's loop is hung when it has not ticked for this long. Far above what failover takes: the
/// peer has the addresses long before.
pub const TICK_SILENCE_MAX: Duration = Duration::from_secs(10);
/// Maild must tick, or say that it is rebuilding, within this time of its start.
pub const STARTING_MAX: Duration = Duration::from_secs(600);
/// Maild must say again that it is rebuilding within this time.
pub const REBUILDING_SILENCE_MAX: Duration = Duration::from_secs(120);
/// Maild must end within this time once it has said that it stops.
pub const STOPPING_MAX: Duration = Duration::from_secs(30);

/// Waking this much later than asked means that the box stood still.
pub const PAUSE_MIN: Duration = Duration::from_secs(2);

/// How long the hardware watchdog waits while the box runs.
pub const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it waits while the box starts: disk, journal replay and growing the file system
/// included.
pub const WATCHDOG_START_TIMEOUT: Duration = Duration::from_secs(180);
/// How often it is fed.
pub const WATCHDOG_FEED_EVERY: Duration = Duration::from_secs(5);

/// How long maild may take to hand over and stop.
pub const MAILD_STOP_MAX: Duration = Duration::from_secs(15);
/// How long everything else may take to end.
pub const OTHERS_STOP_MAX: Duration = Duration::from_secs(2);
/// How long what is killed may take to be gone.
pub const KILLED_GONE_MAX: Duration = Duration::from_secs(2);
/// The whole orderly end; after it the box restarts or switches off as it is.
pub const END_MAX: Duration = Duration::from_secs(60);
/// How often a busy file system is tried again.
pub const UNMOUNT_TRIES: u32 = 20;
/// The wait between two tries.
pub const UNMOUNT_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long a PID 1 that has lost its mind keeps its last words on the screen.
pub const EMERGENCY_WAIT: Duration = Duration::from_secs(10);

/// How often a clock that is known to be right is kept on the disk and in the battery-backed one.
pub const CLOCK_KEEP_EVERY: Duration = Duration::from_secs(3600);
/// How far behind the image's build time a box may still be running: thirty years.
pub const CLOCK_LEAD_MAX: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The log in memory, in bytes of text.
pub const LOG_BYTES_MAX: usize = 256 * 1024;
/// Lines on their way to a slow console; more are dropped there and counted.
pub const CONSOLE_QUEUE_LINES: usize = 512;
/// How much of a program's output is read before others get their turn.
pub const OUTPUT_READ_BYTES: usize = 16 * 1024;

/// Connections to init's socket at one time.
pub const CONNECTIONS_MAX: usize = 16;
/// Reads of one connection before others get their turn.
pub const READS_A_TURN_MAX: usize = 16;
/// Text of the log in one answer: it must fit the socket's buffer.
pub const LOG_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Problems of the start that are kept for the report.
pub const PROBLEMS_MAX: usize = 32;

/// Maild's open files: connections, and the log's segments.
pub const MAILD_OPEN_FILES: u64 = 65_536;
/// The real-time priority that maild's address guard may take.
pub const MAILD_REALTIME_PRIORITY: u64 = 50;
/// Memory that maild may lock.
pub const MAILD_LOCKED_BYTES: u64 = 64 * 1024 * 1024;
