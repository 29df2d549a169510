//! The messages on the two local sockets.
//!
//! ```text
//! maild, console, panel ──ToInit──▶ init     FromInit ──▶ back on the same connection
//! console, tests        ──ToMaild─▶ maild    FromMaild ─▶ one answer for each question
//! ```

use serde::{Deserialize, Serialize};

use crate::status::{Digest, Status};

/// To PID 1, on [`crate::paths::INIT_SOCKET`].
///
/// Only root and maild's user may send; [`ToInit::Tick`], [`ToInit::Rebuilding`] and
/// [`ToInit::Stopping`] count only on a connection that said [`ToInit::Hello`] as maild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToInit {
    /// First on each connection. Not answered.
    Hello { program: Program, version: String },
    /// Maild's event loop turned: sent several times a second, the number grows by one. The
    /// hardware watchdog is fed while these come.
    Tick { sequence: u64 },
    /// Maild is alive but not serving yet: stores are being rebuilt from the log (0 to 100).
    Rebuilding { percent: u8 },
    /// Maild ends on purpose; its silence from now on is no fault.
    Stopping,
    /// Orderly restart of the box. Answered with [`FromInit::Accepted`] or [`FromInit::Refused`].
    Reboot,
    /// Orderly power off. Answered likewise.
    PowerOff,
    /// How the box itself is. Answered with [`FromInit::Report`].
    Report,
    /// The newest lines of the log. Answered with [`FromInit::Log`].
    Log { lines: u16 },
    /// From maild only: the clock is wrong. Answered with [`FromInit::ClockChanged`] or
    /// [`FromInit::ClockStays`].
    Clock(ClockChange),
}

/// What is to be done to the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockChange {
    /// To be added, in microseconds.
    pub offset_us: i64,
    /// In one jump; else little by little.
    pub at_once: bool,
}

/// From PID 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromInit {
    /// To maild: give the addresses to the peer, finish what is under way, exit.
    Shutdown {
        reason: String,
    },
    /// The request is being carried out.
    Accepted,
    /// The request is not carried out.
    Refused {
        reason: String,
    },
    Report(Report),
    /// Oldest first, as many as there are and fit.
    Log {
        lines: Vec<String>,
    },
    /// The clock is set, or runs towards where it should be.
    ClockChanged,
    ClockStays {
        reason: String,
    },
}

/// The box as PID 1 sees it: what can be shown when maild cannot be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub hostname: String,
    /// The firmware's version.
    pub version: String,
    /// What went wrong while starting, for the owner, in the order it happened.
    pub problems: Vec<String>,
    /// One sentence: "running since 12 s", "ended by SIGKILL, starts again in 2 s".
    pub maild: String,
    /// Seconds since the kernel started.
    pub uptime_s: u64,
}

/// Who is speaking to init.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    Maild,
    Console,
}

/// To maild, on [`crate::paths::MAILD_SOCKET`]. Each question gets one answer, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToMaild {
    Status,
    Digest,
    /// Let the other box serve this box's address. Answered with [`FromMaild::Done`] when the wish was
    /// taken, or with [`FromMaild::Failed`]; so for the next two.
    Handover,
    /// Each box takes its own address back.
    GiveBack,
    /// Begin or end maintenance: this box keeps a copy of everything and holds no address.
    Maintenance {
        on: bool,
    },
    /// The newest events. Answered with [`FromMaild::Events`].
    Events {
        newest: u16,
    },
    /// Everything that is counted or measured, as OpenMetrics text. Answered with
    /// [`FromMaild::Metrics`].
    Metrics,
    /// A copy of everything: answered with [`FromMaild::BackupPart`]s and [`FromMaild::BackupDone`].
    Backup,
    /// Serve without the other box, whatever this disk lacks: it is gone for good. Answered with
    /// [`FromMaild::Done`].
    ServeAlone,
    /// Go on writing record formats that the release before reads, or stop minding that. Answered
    /// likewise.
    HoldFormat {
        on: bool,
    },
}

/// From maild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromMaild {
    Status(Box<Status>),
    Digest(Digest),
    /// The question could not be answered now, or not to the end.
    Failed {
        reason: String,
    },
    /// The next bytes of a backup, at most [`crate::limits::BACKUP_PART_BYTES`].
    BackupPart {
        bytes: Vec<u8>,
    },
    /// That was all of it.
    BackupDone {
        records: u64,
        bytes: u64,
    },
    /// The wish is being carried out.
    Done,
    /// Oldest first, as many as there are and fit.
    Events {
        events: Vec<Event>,
    },
    Metrics {
        text: String,
    },
}

/// Something that was decided about views and addresses, or that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unix time, s, by this box's clock.
    pub at_unix_s: u64,
    /// One word: "take", "alone", "alarm".
    pub kind: String,
    /// For the owner: what happened,
    pub what: String,
    /// and why.
    pub why: String,
}
