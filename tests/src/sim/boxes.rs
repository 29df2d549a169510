//! One box of the simulation: a disk that outlives crashes, and a core while it is up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use journal::{Config, Damaged, Disk, Log, Position, SimDisk};
use mailbox::Index;
use node::core::{Core, Input, OpenError, Output, Start};
use node::upkeep::Agreed;
use record::{Address, EntryId, MailboxId, Op, Record, Side, Vector, Writer};
use replica::Mode;
use users::Users;

use super::failing::Ending;
use super::options::Break;
use super::random::Random;
use super::releases::Release;

/// Small segments, so that runs cross many of them.
const SEGMENT_BYTES: u64 = 16 * 1024;

pub struct SimBox {
    pub side: Side,
    pub disk: SimDisk,
    /// Of its program.
    pub release: Release,
    pub core: Option<Core<SimDisk>>,
    /// The disk has never joined.
    pub blank: bool,
    /// It is being filled by a peer whose disk has joined.
    pub copying: bool,
    /// The disk is an old copy that has not joined since: whoever put it back knows, and lets the box not
    /// serve alone. (A box cannot find out by itself.)
    pub old_copy: bool,
    pub copy: Option<Copy>,
    pub session: Option<u64>,
    /// While it is in `both`: so many requests had been made when that began. What was asked later and is
    /// answered is on both disks; of the others this box may have been sure when it was alone.
    pub both_since: Option<u64>,
    /// What the peer said to have on its disk, in this run of the program.
    pub peer_told: Vector,
    /// Committed up to here: may be applied.
    pub apply_to: u64,
    pub applied: u64,
    /// Stands still until this step.
    pub paused_until: u64,
    /// No room before this step.
    pub full_until: u64,
    /// An operation of the disk will fail.
    pub failing: bool,
    /// Its disk has no power, or will soon have none.
    pub powerless: bool,
    /// Its disk has failed, and it goes on for a moment.
    pub ending: Option<Ending>,
    /// No sync is done before this step.
    pub hangs_until: u64,
    /// Its disk says that it writes, and has been what this is ever since.
    pub lying: Option<Copy>,
    /// Its disk lied, and it has not joined since.
    pub behind: bool,
    /// Syncs that are done, and of which the core has not heard.
    pub completions: VecDeque<u64>,
    /// What both boxes know for good: what it makes dead may be reclaimed.
    pub agreed: Option<Agreed>,
    /// Records that cannot be read, as far as anybody looked.
    pub rotten: BTreeSet<Address>,
    /// Later entries prove that what is below this position was on the disk.
    pub vouched: u64,
    /// How far its clock is off, milliseconds.
    pub clock_off_ms: i64,
    /// What was derived from the log, while nothing but the program died.
    stores: Option<(Arc<Index>, Arc<Users>)>,
    broken: Option<Break>,
    /// For [`Break::ExpungeLoses`].
    placements: BTreeMap<EntryId, u32>,
}

/// A copy of a disk.
pub struct Copy {
    files: Vec<(String, Vec<u8>)>,
    /// At most this much is in it.
    pub held: Vector,
    /// So many answers had been given.
    pub answers: u64,
    pub blank: bool,
}

/// What came of applying.
pub struct Applied {
    pub changed: BTreeSet<MailboxId>,
    pub damaged: Vec<Damaged>,
    pub outputs: Vec<Output>,
}

/// What came of a sync.
pub enum Synced {
    /// The core is still to hear of it.
    Done,
    /// Nothing is lost; later again.
    Full,
    /// The disk failed.
    Failed,
}

impl SimBox {
    pub fn new(side: Side, random: &mut Random, broken: Option<Break>) -> SimBox {
        SimBox {
            side,
            disk: SimDisk::new(random.next()),
            release: Release::first(random),
            core: None,
            blank: true,
            copying: false,
            old_copy: false,
            copy: None,
            session: None,
            both_since: None,
            peer_told: Vector::new(),
            apply_to: 0,
            applied: 0,
            paused_until: 0,
            full_until: 0,
            failing: false,
            powerless: false,
            ending: None,
            hangs_until: 0,
            lying: None,
            behind: false,
            completions: VecDeque::new(),
            agreed: None,
            rotten: BTreeSet::new(),
            vouched: 0,
            clock_off_ms: 0,
            stores: None,
            broken,
            placements: BTreeMap::new(),
        }
    }

    /// Switches the box on. After a power cut what is derived from the log starts from nothing.
    pub fn start(&mut self, incarnation: u128, unix_ms: u64) -> Result<(), OpenError> {
        let config =
            Config { new_log_id: incarnation, segment_bytes: SEGMENT_BYTES, grow_only: true };
        let (log, _) = Log::open(self.disk.clone(), config)?;
        // The site file of side a calls it the first of its pair, also when its disk is replaced.
        let may_serve_alone = !self.blank || (self.side == Side::A && !self.copying);
        let blank = self.blank;
        let (side, formats) = (self.side, self.release.formats());
        let start = Start { side, incarnation, formats, unix_ms, blank, may_serve_alone };
        let new = || (Arc::new(Index::memory()), Arc::new(Users::memory()));
        let (index, users) = self.stores.take().unwrap_or_else(new);
        let applied = index.applied();
        let mut core = Core::open(&start, log, index, users)?;
        core.sabotage(self.broken.and_then(Break::in_replica));
        self.core = Some(core);
        (self.apply_to, self.applied, self.vouched) = (applied, applied, 0);
        if applied == 0 {
            self.placements.clear();
        }
        Ok(())
    }

    /// The program is gone; with the power, what was not synced may be gone, too.
    pub fn stop(&mut self, power_cut: bool) {
        let core = self.core.take().filter(|_| !power_cut && !self.powerless);
        self.stores = core.map(|core| (core.index().clone(), core.users().clone()));
        self.session = None;
        self.both_since = None;
        self.peer_told.clear();
        (self.failing, self.ending, self.hangs_until) = (false, None, 0);
        self.completions.clear();
        self.agreed = None;
        let power_cut = std::mem::take(&mut self.powerless) || power_cut;
        self.disk = if power_cut { self.disk.crash() } else { self.disk.restart() };
    }

    /// Copies the disk as it is now, if all of it is durable: a copy of what a power cut took back later
    /// would be a past that never was.
    pub fn take_copy(&mut self, answers: u64) {
        let Some(core) = &self.core else { return };
        if core.log().synced() != core.log().end() || !self.rotten.is_empty() {
            return;
        }
        if let Some(copy) = self.copied(answers) {
            self.copy = Some(copy);
        }
    }

    /// Likewise; of all that the disk is given from now on, nothing will be on it when the power goes.
    pub fn lie(&mut self, answers: u64) -> bool {
        let Some(core) = &self.core else { return false };
        if core.log().synced() != core.log().end() || !self.rotten.is_empty() {
            return false;
        }
        self.lying = self.copied(answers);
        self.lying.is_some()
    }

    fn copied(&self, answers: u64) -> Option<Copy> {
        let (core, names) = (self.core.as_ref()?, self.disk.list().ok()?);
        let files = names
            .into_iter()
            .filter_map(|name| self.disk.contents(&name).map(|bytes| (name, bytes)))
            .collect();
        Some(Copy { files, held: core.log().vector(), answers, blank: self.blank })
    }

    /// The disk is what it was when it was copied.
    pub fn put_back(&mut self, copy: &Copy, seed: u64) {
        self.disk = SimDisk::new(seed);
        for (name, bytes) in &copy.files {
            self.disk.put(name, bytes);
        }
        self.blank = copy.blank;
        self.old_copy = true;
        self.rotten.clear();
    }

    /// What was rotten may be mended, or dropped, meanwhile.
    pub fn look_for_rot(&mut self) {
        if let Some(core) = &self.core {
            self.rotten.retain(|address| super::keep::is_rotten(core, *address));
        }
    }

    /// For [`Break::ReclaimAlone`]: what this box knows is taken for what both know.
    pub fn agree_alone(&mut self) {
        if let Some(core) = &self.core {
            self.agreed = Some(Agreed { both: core.log().vector(), from_end: 0 });
        }
    }

    /// Will this box recognise such a disk of its peer when they join, also after a restart? That is when
    /// the views on its own disk say that the peer had more of its own journals on its disk, and the peer has
    /// not said less since.
    pub fn would_recognise(&self, copy: &Copy) -> bool {
        let Some(core) = &self.core else { return false };
        let in_copy = |writer: &Writer| copy.held.get(writer).copied().unwrap_or(0);
        let durable = core.log().synced();
        let rows = core.log().scan(Position(0)).filter_map(Result::ok);
        let mut views =
            rows.take_while(|(position, _)| *position < durable).filter_map(|(_, r)| {
                let own = r.writer.side == self.side;
                if let (true, Op::View { on_disk, .. }) = (own, r.op) {
                    Some(on_disk)
                } else {
                    None
                }
            });
        views.any(|on_disk| {
            on_disk.iter().any(|(writer, count)| {
                let told = self.peer_told.get(writer).copied().unwrap_or(u64::MAX);
                *count > in_copy(writer) && told > in_copy(writer)
            })
        })
    }

    /// May its failover send it alone?
    pub fn may_go_alone(&self) -> bool {
        let allowed = self.core.as_ref().is_some_and(|core| core.replica_state().may_serve_alone());
        allowed && !self.old_copy
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

    /// One `fdatasync` of everything so far.
    pub fn sync(&mut self) -> Option<Synced> {
        let core = self.core.as_ref()?;
        let before = core.log().synced().0;
        Some(match core.log().flush() {
            Ok(Position(end)) => {
                if end > before {
                    self.vouched = before;
                }
                self.completions.push_back(end);
                Synced::Done
            }
            Err(journal::Error::DiskFull { .. }) => Synced::Full,
            Err(_) => {
                if self.broken == Some(Break::FailedSyncCounts) {
                    self.completions.push_back(core.log().end().0);
                }
                Synced::Failed
            }
        })
    }

    /// Applies what is committed, at most so many records, up to one that cannot be read.
    pub fn apply(&mut self, now: Instant, records: u64) -> Option<Applied> {
        let core = self.core.as_ref()?;
        if self.apply_to <= self.applied {
            return None;
        }
        let mut end = self.apply_to.min(self.applied.saturating_add(records));
        let (mut batch, mut damaged) = (Vec::new(), Vec::new());
        let mut scan = core.log().scan(Position(self.applied));
        while let Some(row) = scan.next_head() {
            let (position, record) = match row {
                Ok((position, record)) => (position.0, record),
                Err(journal::Error::Damaged { position: Some(at), .. }) => {
                    if core.log().is_nobodys(at) {
                        continue;
                    }
                    if at.0 < end {
                        end = at.0;
                        damaged.push(core.log().damaged_at(at));
                    }
                    break;
                }
                Err(error) => panic!("a simulated log is readable: {error}"),
            };
            if position >= end {
                break;
            }
            core.users().apply(position, &record).expect("memory takes everything");
            batch.push((position, record));
        }
        if let Some(rule) = self.broken {
            self.spoil(rule, &mut batch);
        }
        let core = self.core.as_ref()?;
        let changed = core.index().apply(&batch).expect("memory takes everything");
        core.index().checkpoint().expect("memory is durable enough");
        core.users().checkpoint().expect("memory is durable enough");
        self.applied = end;
        Some(Applied { changed, damaged, outputs: self.handle(now, Input::Applied { end }) })
    }

    /// Breaks the rules that the index keeps.
    fn spoil(&mut self, rule: Break, batch: &mut Vec<(u64, Record)>) {
        match rule {
            Break::ExpungeLoses => {
                for (_, record) in batch {
                    if let Some((entry, _)) = record.op.placement() {
                        *self.placements.entry(entry.entry).or_default() += 1;
                    }
                    if let Op::Expunge { entries, .. } = &mut record.op {
                        entries.retain(|entry| self.placements.get(entry).is_none_or(|n| *n < 2));
                    }
                }
            }
            Break::RecordPassedOver => {
                // Which one depends on where it stands in this box's own log.
                batch.retain(|(at, record)| {
                    !(at % 17 == 3 && matches!(record.op, Op::Flags { .. } | Op::Place { .. }))
                });
            }
            Break::BodyMixedUp
            | Break::FailedSyncCounts
            | Break::DamageUnnoticed
            | Break::ReclaimAlone
            | Break::Rule(_)
            | Break::Queue(_) => {}
        }
    }
}
