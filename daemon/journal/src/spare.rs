//! The next segment, zeroed ahead: overwriting allocated zeros costs the file system no bookkeeping at a
//! sync, which makes the group commit several times faster.

use std::sync::MutexGuard;

use crate::disk::Disk;
use crate::error::{Error, disk_error};
use crate::limits::{WINDOW_BYTES, ZERO_AHEAD_SPARE_SEGMENTS, ZERO_SYNC_BYTES};
use crate::log::Log;
use crate::segment::SPARE_FILE;

#[derive(Debug)]
pub(crate) struct Spare<D: Disk> {
    stage: Stage<D>,
    /// A segment was begun since somebody last tried to make a spare.
    pub(crate) wanted: bool,
    /// Nobody waits for the spare any more.
    pub(crate) stopping: bool,
}

#[derive(Debug)]
enum Stage<D: Disk> {
    /// The next segment will grow instead, unless somebody makes a spare in time.
    None,
    Making,
    Ready(D::File),
    /// About to become the newest segment, under its old name still.
    Taken,
}

impl<D: Disk> Spare<D> {
    pub(crate) fn new() -> Spare<D> {
        Spare { stage: Stage::None, wanted: true, stopping: false }
    }
}

impl<D: Disk> Log<D> {
    /// Zeroes the next segment ahead, when there is none yet, there is room, and the configuration wants
    /// it. The committer has a thread that calls this; without a committer, call it where it suits.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::DiskFull`]: harmless, segments grow instead.
    pub fn prepare_spare(&self) -> Result<(), Error> {
        self.spare().wanted = false;
        if self.config.grow_only || self.free_bytes()? < self.spare_room_bytes() {
            return Ok(());
        }
        match &mut self.spare().stage {
            stage @ Stage::None => *stage = Stage::Making,
            _ => return Ok(()),
        }
        let made = self.zero_spare();
        let failed = made.as_ref().err().cloned();
        if failed.is_some() {
            let _ = self.disk.remove(SPARE_FILE);
        }
        self.spare().stage = made.ok().flatten().map_or(Stage::None, Stage::Ready);
        failed.map_or(Ok(()), Err)
    }

    pub(crate) fn spare(&self) -> MutexGuard<'_, Spare<D>> {
        self.spare.lock().expect("no thread panics while it holds the spare")
    }

    /// The spare, when it is ready. Its file name is taken until [`Log::spare_named`].
    pub(crate) fn take_spare(&self) -> Option<D::File> {
        let mut spare = self.spare();
        match std::mem::replace(&mut spare.stage, Stage::Taken) {
            Stage::Ready(file) => Some(file),
            other => {
                spare.stage = other;
                None
            }
        }
    }

    /// The roll is over, so the next spare may be made.
    pub(crate) fn spare_named(&self) {
        let mut spare = self.spare();
        if matches!(spare.stage, Stage::Taken) {
            spare.stage = Stage::None;
        }
        spare.wanted = true;
        self.spare_used.notify_all();
    }

    /// Zeroing ahead must not be what fills the disk.
    fn spare_room_bytes(&self) -> u64 {
        self.config.segment_bytes * (1 + ZERO_AHEAD_SPARE_SEGMENTS)
    }

    fn zero_spare(&self) -> Result<Option<D::File>, Error> {
        let file = self.disk.create(SPARE_FILE).map_err(disk_error("create", SPARE_FILE))?;
        let zeros = vec![0; WINDOW_BYTES];
        let (mut at, mut synced) = (0, 0);
        while at < self.config.segment_bytes {
            if self.spare().stopping {
                return Ok(None);
            }
            let piece = (self.config.segment_bytes - at).min(zeros.len() as u64);
            self.disk
                .write_at(&file, at, &zeros[..piece as usize])
                .map_err(disk_error("write to", SPARE_FILE))?;
            at += piece;
            if at - synced >= ZERO_SYNC_BYTES || at == self.config.segment_bytes {
                self.disk.sync_data(&file).map_err(disk_error("sync", SPARE_FILE))?;
                synced = at;
            }
        }
        Ok(Some(file))
    }
}
