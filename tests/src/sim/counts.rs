//! What a run did, and the faults by kind.

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    PowerCut,
    /// The power goes in the middle of a sync.
    TornSync,
    /// Both boxes lose power at once.
    BothCut,
    /// The program dies, the power stays.
    Killed,
    /// The disk is gone: a blank one in its place.
    NewDisk,
    /// The box comes back with an earlier copy of its disk.
    OldDisk,
    DiskError,
    /// The disk loses its power while it is written; the box goes on for a moment.
    EndsLate,
    /// A sync does not come to an end for some time, or never.
    SyncHangs,
    /// The disk says that it writes, and loses all of it.
    LyingDisk,
    /// No room for some time.
    DiskFull,
    Cut,
    OneWayCut,
    CutInCatchUp,
    /// Several joins, one after the other, each of which breaks just before it is done.
    Flapping,
    /// All cables cut, and both sides go on alone.
    Split,
    /// A living, connected peer is declared dead.
    FalseAlarm,
    /// Failover ends the session, or takes the box out of `alone`.
    Withdrawn,
    /// The box stands still for some time.
    Pause,
    ClockJump,
    /// Bytes of a record change on the disk of one box.
    Rot,
}

impl Fault {
    pub const ALL: [Fault; 21] = [
        Fault::PowerCut,
        Fault::TornSync,
        Fault::BothCut,
        Fault::Killed,
        Fault::NewDisk,
        Fault::OldDisk,
        Fault::DiskError,
        Fault::EndsLate,
        Fault::SyncHangs,
        Fault::LyingDisk,
        Fault::DiskFull,
        Fault::Cut,
        Fault::OneWayCut,
        Fault::CutInCatchUp,
        Fault::Flapping,
        Fault::Split,
        Fault::FalseAlarm,
        Fault::Withdrawn,
        Fault::Pause,
        Fault::ClockJump,
        Fault::Rot,
    ];
}

#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    pub runs: u64,
    pub steps: u64,
    pub virtual_ms: u64,
    pub deliveries: u64,
    /// Messages that a recipient at another host got.
    pub sent: u64,
    pub changes: u64,
    pub acknowledged: u64,
    /// By a box whose disk had failed.
    pub acknowledged_late: u64,
    pub takeovers: u64,
    pub joins: u64,
    pub late_messages: u64,
    /// Joins that waited at the end, because episodes had come fast.
    pub waits: u64,
    /// Damaged records that were mended.
    pub mended: u64,
    /// Segments that were rewritten without their dead records.
    pub reclaimed: u64,
    /// Wishes that came too late.
    pub refused: u64,
    /// Records that say that a newer format is written.
    pub raised_formats: u64,
    /// Boxes whose release could not read the peer's log.
    pub refused_releases: u64,
    faults: [u64; Fault::ALL.len()],
}

impl Counts {
    pub(super) fn of_one_run() -> Counts {
        Counts { runs: 1, ..Counts::default() }
    }

    pub fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    /// Every kind of fault with its number.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u64)> {
        Fault::ALL.into_iter().map(|fault| (fault, self.faults[fault as usize]))
    }

    #[must_use]
    pub fn virtual_hours(&self) -> f64 {
        self.virtual_ms as f64 / 3_600_000.0
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.virtual_ms += other.virtual_ms;
        self.deliveries += other.deliveries;
        self.sent += other.sent;
        self.changes += other.changes;
        self.acknowledged += other.acknowledged;
        self.acknowledged_late += other.acknowledged_late;
        self.takeovers += other.takeovers;
        self.joins += other.joins;
        self.late_messages += other.late_messages;
        self.waits += other.waits;
        self.mended += other.mended;
        self.reclaimed += other.reclaimed;
        self.refused += other.refused;
        self.raised_formats += other.raised_formats;
        self.refused_releases += other.refused_releases;
        for (mine, more) in self.faults.iter_mut().zip(other.faults) {
            *mine += more;
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} runs, {} steps, {:.1} simulated hours",
            self.runs,
            self.steps,
            self.virtual_hours()
        )?;
        writeln!(
            f,
            "{} deliveries, {} sent elsewhere, {} other changes; {} acknowledged, {} of them after the disk had failed",
            self.deliveries, self.sent, self.changes, self.acknowledged, self.acknowledged_late
        )?;
        writeln!(
            f,
            "{} joins, {} of them late, {} takeovers, {} messages of sessions long over",
            self.joins, self.waits, self.takeovers, self.late_messages
        )?;
        writeln!(
            f,
            "{} damaged records mended, {} segments reclaimed, {} wishes too late, {} newer formats, \
             {} releases too old",
            self.mended, self.reclaimed, self.refused, self.raised_formats, self.refused_releases
        )?;
        let total: u64 = self.faults.iter().sum();
        write!(f, "{total} faults:")?;
        for (fault, count) in self.faults() {
            write!(f, " {fault:?} {count}")?;
        }
        Ok(())
    }
}
