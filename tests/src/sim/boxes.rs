//! One box of the simulation: a disk that outlives crashes, and a core while it is up.

use std::sync::Arc;
use std::time::Instant;

use journal::{Config, Log, Position, SimDisk};
use mailbox::Index;
use node::core::{Core, Input, Output, Start};
use record::Side;
use replica::Mode;
use users::Users;

/// Small segments, so that runs cross many of them.
const SEGMENT_BYTES: u64 = 16 * 1024;

pub struct SimBox {
    pub side: Side,
    pub disk: SimDisk,
    pub core: Option<Core<SimDisk>>,
    /// The disk has never joined.
    pub blank: bool,
    pub session: Option<u64>,
    /// Committed up to here: may be applied.
    pub apply_to: u64,
    pub applied: u64,
}

impl SimBox {
    pub fn new(side: Side, disk: SimDisk) -> SimBox {
        SimBox { side, disk, core: None, blank: false, session: None, apply_to: 0, applied: 0 }
    }

    /// Switches the box on. The index is derived from the log, so it starts from nothing.
    pub fn start(&mut self, incarnation: u128, unix_ms: u64) -> Result<(), String> {
        let config =
            Config { new_log_id: incarnation, segment_bytes: SEGMENT_BYTES, grow_only: true };
        let (log, _) = Log::open(self.disk.clone(), config).map_err(|e| e.to_string())?;
        let start = Start { side: self.side, incarnation, unix_ms, blank: self.blank };
        let index = Arc::new(Index::memory());
        let core = Core::open(&start, log, index, Arc::new(Users::memory()));
        self.core = Some(core.map_err(|e| e.to_string())?);
        (self.apply_to, self.applied) = (0, 0);
        Ok(())
    }

    /// Cuts its power.
    pub fn crash(&mut self) {
        self.core = None;
        self.session = None;
        self.disk = self.disk.crash();
    }

    pub fn is_up(&self) -> bool {
        self.core.is_some()
    }

    pub fn mode(&self) -> Option<Mode> {
        self.core.as_ref().map(|core| core.replica_state().mode())
    }

    pub fn is_serving(&self) -> bool {
        self.core.as_ref().is_some_and(Core::serving)
    }

    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        let Some(core) = &mut self.core else { return Vec::new() };
        core.handle(now, input);
        std::iter::from_fn(|| core.poll()).collect()
    }

    /// One `fdatasync` of everything so far; false when the power went in the middle of it.
    pub fn sync(&mut self, now: Instant) -> Option<Vec<Output>> {
        let core = self.core.as_ref()?;
        let Position(end) = core.log().flush().ok()?;
        Some(self.handle(now, Input::Synced { end }))
    }

    /// Applies what is committed; did anything change?
    pub fn apply(&mut self, now: Instant) -> Option<Vec<Output>> {
        let core = self.core.as_ref()?;
        if self.apply_to <= self.applied {
            return None;
        }
        let end = self.apply_to;
        let mut batch = Vec::new();
        for row in core.log().scan(Position(self.applied)) {
            let (Position(position), record) =
                row.expect("a simulated log without rot is readable");
            if position >= end {
                break;
            }
            core.users().apply(position, &record).expect("memory takes everything");
            batch.push((position, record));
        }
        core.index().apply(&batch).expect("memory takes everything");
        self.applied = end;
        Some(self.handle(now, Input::Applied { end }))
    }
}
