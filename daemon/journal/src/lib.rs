//! The log of one box: the records of every writer, in the order in which they became known here.
//!
//! [`Log::append`] takes a record into memory, [`Log::flush`] (or the [`Committer`]'s thread) writes
//! whatever waits and makes it durable with one `fdatasync`. What survives a power cut is always a
//! prefix of what was appended, and holds everything that was reported as synced. Readers see a record
//! as soon as it is appended.
//!
//! Absent here: what a record means, the cable, clocks, randomness (the caller gives a new log its id).
//!
//! Start reading at [`Log`], then `segment` (what is on the disk), then `recovery` (what an opening
//! finds there), then [`disk`].
//!
//! **Invariant:** a batch is written only when everything before it is durable. So an entry of a batch
//! proves that every entry before that batch was on the disk once; a bad one among those is damage, a
//! bad one that nothing vouches for is a torn tail.

pub mod backup;
mod committer;
pub mod disk;
mod error;
mod flush;
mod gap;
pub mod limits;
mod log;
mod mend;
mod read;
mod reclaim;
mod recovery;
mod rewrite;
mod scan;
mod scrub;
mod segment;
mod snapshot;
mod spare;

pub use committer::Committer;
pub use disk::{Disk, RealDisk, SimDisk, SimOp};
pub use error::{Damage, Error};
pub use log::{Config, Log, Position, SegmentInfo};
pub use reclaim::{Reclaimable, Reclaimed};
pub use recovery::{Damaged, Recovery};
pub use scan::{Scan, ScannedFrame};
pub use scrub::ScrubProgress;
pub use snapshot::Snapshot;
