//! The state and its one door in and one door out.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Instant;

use record::op::Stamp;
use record::{
    AccountId, Address, BodyPart, BodyRef, Clock, Codec, EntryId, FORMAT_FIRST, Formats, MailboxId,
    Op, Record, RequestId, Side, Vector, View, Writer,
};

use crate::episode::Episodes;
use crate::lanes::Lane;
use crate::message::{Hello, Message};
use crate::pace::Pace;
use crate::sabotage::Sabotage;
use crate::session::Session;
use crate::wish::Wish;

/// What this box does at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Just started: shows and acknowledges nothing.
    Starting,
    /// Was in `both` and lost the session: commits nothing until it is alone or joined again.
    Waiting,
    Alone,
    Both,
}

/// What the machine needs to know of applied (committed) state. The node answers from its index.
pub trait Applied {
    /// The side that orders the account's writes in `both`.
    fn home(&self, account: AccountId) -> Option<Side>;
    /// Where the account's home has moved, and by which record's stamp.
    fn moved(&self, account: AccountId) -> Option<(Stamp, Side)>;
    /// The highest UID and MODSEQ ever given in a mailbox, hidden ones and floors included.
    fn top(&self, mailbox: MailboxId) -> (u32, u64);
    /// Has the entry ever been placed?
    fn placed(&self, entry: EntryId) -> bool;
    fn account_of(&self, mailbox: MailboxId) -> Option<AccountId>;
    /// Was every entry that had this body expunged? Its bytes may be gone, or about to go, at either box.
    fn is_dead(&self, body: BodyRef) -> bool;
    /// Is the account removed? Its mail may be gone, or about to go, at either box.
    fn is_removed(&self, account: AccountId) -> bool;
    /// What the side gave in the mailbox in its latest alone episode.
    fn lane(&self, mailbox: MailboxId, side: Side) -> Option<Lane>;
    /// Is all that the disk `lost` could know of the account below a floor?
    fn burnt(&self, account: AccountId, lost: u128) -> bool;
    /// Every mailbox there is, with its account.
    fn mailboxes(&self) -> Vec<(AccountId, MailboxId)>;
}

/// What the log held when the box started, and what reads it.
#[derive(Clone, Debug)]
pub struct Recovered {
    pub formats: Formats,
    /// The newest record format that the applied state says the pair writes.
    pub written: u16,
    pub vector: Vector,
    /// Records in the log: the position of the next one.
    pub end: u64,
    /// Everything below was committed and applied in an earlier run.
    pub committed: u64,
    /// The highest clock found near the end of the log.
    pub clock: Clock,
    /// The log's id: a new one for each disk.
    pub disk: u128,
    /// The latest view of each of this side's earlier incarnations, as far as it is applied.
    pub views: BTreeMap<Writer, (View, u64)>,
    /// The highest number of any applied view.
    pub view_number: u64,
    /// So many records of the peer's writers are on its own disk, as applied views say.
    pub on_disk: Vector,
    /// This disk has never joined its pair.
    pub blank: bool,
    /// It may serve alone: it has joined, or pairing marked it as the first, or the admin forced it.
    pub may_serve_alone: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// A client's wish; answered by [`Output::Done`] when it is committed.
    Submit {
        request: RequestId,
        wish: Wish,
    },
    /// The client is gone; nobody waits for the answer any more.
    Forget {
        request: RequestId,
    },
    /// A session of the link: both hellos are exchanged.
    SessionUp {
        peer: Hello,
    },
    SessionDown,
    /// Any message of the present session but hello.
    Message(Message),
    /// Bytes of frames that the peer has not acknowledged as synced, those still to be sent included.
    Backlog {
        bytes: u64,
    },
    /// Everything below this position is on this box's disk.
    Synced {
        end: u64,
    },
    /// Everything below this position is in the index.
    Applied {
        end: u64,
    },
    /// `failover` says: the peer is dead (or to be treated so). `forced`: the admin says so, whatever
    /// this disk lacks.
    GoAlone {
        forced: bool,
    },
    /// `failover` says: end the session and commit nothing before the next join.
    EndSession,
    /// Entries whose placement is overtaken: to be placed again by their home.
    Overtaken {
        account: AccountId,
        entries: Vec<record::Entry>,
    },
    /// What the applied state leaves to do for a home: written here when this box may order it, else by
    /// the box that may. Nobody waits for an answer.
    Work {
        wish: Wish,
    },
    /// The program has proved itself on this box: its records may be written up to this format, if the
    /// peer's may, too.
    Bless {
        format: u16,
    },
    /// The wall clock, for the stamps of records: Unix milliseconds.
    WallClock {
        unix_ms: u64,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Append to the log, at the position that the machine counts itself.
    Append(Record),
    /// Likewise, with the bytes of a record as they came: also those that this version cannot read.
    AppendFrame(Vec<u8>),
    /// To the peer, behind every record that was in the log when this came out.
    Send(Message),
    /// To the peer, as soon as possible, past records that wait.
    SendAtOnce(Message),
    /// Everything below this position is committed: apply and show it.
    Committed { end: u64 },
    /// The wish is committed.
    Done { request: RequestId },
    /// The wish cannot be done: what it would copy is gone. Nothing was changed.
    Refused { request: RequestId },
    /// The view changed.
    Mode(Mode),
    /// The session must end: the peer broke the rules, or `failover` wished it.
    EndSession { reason: String },
}

/// One box's side of the replication. See the crate's head.
pub struct Replica {
    pub(crate) me: Writer,
    pub(crate) formats: Formats,
    /// The newest format that the log says the pair writes.
    pub(crate) written: u16,
    pub(crate) clock: Clock,
    pub(crate) unix_ms: u64,
    /// How many records of each writer are in the log.
    pub(crate) held: Vector,
    /// What this writer said it had seen, so far.
    told: Vector,
    pub(crate) end: u64,
    pub(crate) synced: u64,
    pub(crate) synced_vector: Vector,
    /// What the peer was told to be on this disk, in this session.
    pub(crate) synced_told: Vector,
    pub(crate) peer_synced: Vector,
    /// What the peer ever said to have on its disk: exactly in this run of the program, from before as of
    /// this side's last views.
    pub(crate) known_synced: Vector,
    /// So much of that is in this writer's views.
    known_told: Vector,
    pub(crate) committed: u64,
    pub(crate) committed_vector: Vector,
    /// Addresses of the records from `synced` and from `committed` up to `end`.
    pub(crate) unsynced: VecDeque<Address>,
    pub(crate) uncommitted: VecDeque<Address>,
    pub(crate) mode: Mode,
    pub(crate) view_number: u64,
    pub(crate) blank: bool,
    pub(crate) damaged: bool,
    pub(crate) may_serve_alone: bool,
    pub(crate) session: Option<Session>,
    pub(crate) episodes: Episodes,
    /// The alone episode that this box is in, by the number of its view.
    pub(crate) episode: Option<u64>,
    pub(crate) pace: Pace,
    /// Behind the last record that was written as `alone`: the peer gets nothing that a power cut could
    /// take back from this disk, or a lane would go on with numbers that the peer knows.
    alone_end: u64,
    /// This side's records that open lanes: the peer has them on its disk before this box leaves them.
    pub(crate) lane_records: Vector,
    /// What the peer may not get yet: UIDs were burnt.
    pub(crate) holds: VecDeque<Hold>,
    pub(crate) disk: u128,
    pub(crate) pending: BTreeMap<RequestId, Pending>,
    /// This writer's placements in `both` that are not on the peer's disk yet, by their indices.
    pub(crate) ahead: VecDeque<u64>,
    /// A wish waits for them to become fewer.
    pub(crate) held_back: bool,
    /// Requests of the peer that came before this box was in `both`, or while it was too far ahead.
    pub(crate) early_requests: Vec<(RequestId, Wish, Clock)>,
    pub(crate) overlay: Overlay,
    pub(crate) out: VecDeque<Output>,
    pub(crate) sabotage: Option<Sabotage>,
}

/// The peer gets nothing from position `from` on before position `until` is on this disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub from: u64,
    pub until: u64,
}

/// A client's wish and how far it is.
#[derive(Debug)]
pub(crate) struct Pending {
    pub wish: Wish,
    /// When the client asked: it stays so however often the wish is asked again.
    pub made: Clock,
    pub stage: Stage,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Nobody has ordered it yet, as far as this box knows.
    Unasked,
    /// The home was asked in the present session.
    Asked,
    /// Its records are written; done when this much is committed.
    Written(Vector),
}

/// What the log says beyond the applied state.
#[derive(Default, Debug)]
pub(crate) struct Overlay {
    /// One row per mailbox touched since the start.
    pub tops: HashMap<MailboxId, (u32, u64)>,
    pub floors: HashMap<AccountId, (u32, u64)>,
    pub accounts: HashMap<MailboxId, AccountId>,
    pub burnt: HashSet<(AccountId, u128)>,
    pub homes: HashMap<AccountId, Side>,
    /// The latest move of each account's home.
    pub moves: HashMap<AccountId, (Stamp, Side)>,
    /// Placements that are not applied yet: the entry's highest UID and where it stands.
    pub placed: HashMap<EntryId, (u32, u64)>,
}

impl Replica {
    /// A box that has just started, writing as `me`. The caller hands in every record from
    /// `recovered.committed` on by [`Replica::recovered`], then calls [`Replica::start`].
    #[must_use]
    pub fn new(me: Writer, recovered: Recovered) -> Replica {
        Replica {
            me,
            formats: recovered.formats,
            written: recovered.written.max(FORMAT_FIRST),
            clock: recovered.clock,
            unix_ms: 0,
            told: Vector::new(),
            end: recovered.committed,
            synced: recovered.end,
            synced_vector: recovered.vector.clone(),
            synced_told: Vector::new(),
            peer_synced: Vector::new(),
            known_told: recovered.on_disk.clone(),
            known_synced: recovered.on_disk,
            committed: recovered.committed,
            committed_vector: recovered.vector.clone(),
            held: recovered.vector,
            unsynced: VecDeque::new(),
            uncommitted: VecDeque::new(),
            mode: Mode::Starting,
            view_number: recovered.view_number,
            blank: recovered.blank,
            damaged: false,
            may_serve_alone: recovered.may_serve_alone,
            session: None,
            episodes: Episodes::new(me, recovered.views),
            episode: None,
            pace: Pace::default(),
            alone_end: 0,
            lane_records: Vector::new(),
            holds: VecDeque::new(),
            disk: recovered.disk,
            pending: BTreeMap::new(),
            ahead: VecDeque::new(),
            held_back: false,
            early_requests: Vec::new(),
            overlay: Overlay::default(),
            out: VecDeque::new(),
            sabotage: None,
        }
    }

    /// A record of the log that is not applied yet, in order of position. Positions may be left out, where
    /// records were reclaimed or cannot be read: they count as what follows them.
    pub fn recovered(&mut self, position: u64, record: &Record) {
        let count = self.committed_vector.entry(record.writer).or_default();
        *count = (*count).min(record.index);
        self.pass_over(position, last_address(record));
        self.uncommitted.push_back(last_address(record));
        self.learn(record, self.end);
        self.end += 1;
    }

    /// One of them cannot be read: which UIDs it gave is not known here, so this box comes into no view
    /// before it is mended.
    pub fn lacks_records(&mut self) {
        self.damaged = true;
    }

    /// Does it wait for records to be mended?
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// All of them can be read again: they are handed in once more, from `first` on, in order of position.
    pub fn mended(&mut self, records: impl Iterator<Item = (u64, Record)>) {
        for (position, record) in records {
            self.learn(&record, position);
        }
        self.damaged = false;
    }

    fn pass_over(&mut self, to: u64, next: Address) {
        while self.end < to {
            self.uncommitted.push_back(next);
            self.end += 1;
        }
    }

    /// Writes this incarnation's first record.
    pub fn start(&mut self, unix_ms: u64) {
        // What cannot be read at the very end.
        self.pass_over(self.synced, Address { writer: self.me, index: 0 });
        self.unix_ms = unix_ms;
        if self.episodes.not_over().is_some() {
            // Which of them open lanes nobody remembers.
            let own = self.held.iter().filter(|(writer, _)| writer.side == self.me.side);
            self.lane_records = own.map(|(writer, count)| (*writer, *count)).collect();
            self.pace.lane_opened();
        }
        self.episodes.start();
        self.append(Op::Start);
    }

    pub fn handle(&mut self, now: Instant, input: Input, applied: &dyn Applied) {
        self.pace.tick(now);
        let repeated = matches!(input, Input::Submit { .. } | Input::Message(Message::Done { .. }));
        match input {
            Input::Submit { request, wish } => self.submit(request, wish, applied),
            Input::Forget { request } => {
                self.pending.remove(&request);
            }
            Input::SessionUp { peer } => self.session_up(&peer, applied),
            Input::SessionDown => self.session_down(applied),
            Input::Message(message) => self.message(message, applied),
            Input::Backlog { bytes } => {
                if let Some(session) = &mut self.session {
                    session.backlog_bytes = bytes;
                }
                self.join_step(applied);
            }
            Input::Synced { end } => self.synced(end, applied),
            Input::Applied { end } => self.overlay.placed.retain(|_, (_, at)| *at >= end),
            Input::GoAlone { forced } => self.go_alone(forced, applied),
            Input::EndSession => self.step_back(applied),
            Input::Overtaken { account, entries } => self.place_again(account, entries, applied),
            Input::Work { wish } => self.work(wish, applied),
            Input::Bless { format } => self.bless(format),
            Input::WallClock { unix_ms } => {
                self.unix_ms = unix_ms;
                self.join_step(applied);
            }
        }
        if self.advance() || repeated {
            self.answer();
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When a join that waits may go on: any input at that time or later will do. For nothing else this
    /// machine waits; `failover` owns every other timeout.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.join_due().filter(|_| self.is_paced())
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    #[must_use]
    pub fn writer(&self) -> Writer {
        self.me
    }

    #[must_use]
    pub fn in_session(&self) -> bool {
        self.session.is_some()
    }

    /// This disk has never joined its pair.
    #[must_use]
    pub fn blank(&self) -> bool {
        self.blank
    }

    /// A disk that never joined may serve alone only as the first of its pair, and only until it hears
    /// that its peer holds the pair's mail.
    #[must_use]
    pub fn may_serve_alone(&self) -> bool {
        self.may_serve_alone && !self.damaged
    }

    /// Wishes that wait for their commit.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many records this box holds, and how many are committed.
    #[must_use]
    pub fn held(&self) -> &Vector {
        &self.held
    }

    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// How many records of each writer are committed.
    #[must_use]
    pub fn committed_vector(&self) -> &Vector {
        &self.committed_vector
    }

    /// What the peer said to have on its disk, in this session.
    #[must_use]
    pub fn peer_synced(&self) -> &Vector {
        &self.peer_synced
    }

    /// The peer may get records below this position; those from here on wait for this box's own sync,
    /// because they were written as `alone`, or burn UIDs. None, while a link that comes and goes has not
    /// lasted long enough for two boxes that are both alone.
    #[must_use]
    pub fn stream_limit(&self) -> u64 {
        if self.is_paced() && self.session.as_ref().is_some_and(Session::peer_is_alone) {
            return 0;
        }
        let held = self.holds.iter().map(|hold| hold.from).min().unwrap_or(self.end);
        let own = self.synced < self.alone_end && !self.is_broken(Sabotage::LaneNotHeld);
        if own { held.min(self.synced) } else { held }
    }

    /// The hello that opens a session.
    #[must_use]
    pub fn hello(&self) -> Hello {
        Hello {
            formats: self.formats.clone(),
            written: self.written,
            side: self.me.side,
            writer: self.me,
            held: self.held.clone(),
            synced: self.synced_vector.clone(),
            blank: self.blank,
            disk: self.disk,
            alone: self.mode == Mode::Alone,
        }
    }

    /// Writes the bytes of a message; gives the index of the first of these records. Any box may do
    /// that in any mode: bytes alone promise nothing.
    pub fn append_body(&mut self, parts: Vec<(BodyPart, Codec, Vec<u8>)>) -> u64 {
        let first = self.held.get(&self.me).copied().unwrap_or(0);
        for (part, codec, payload) in parts {
            self.append_with(Op::Body(part), codec, payload);
        }
        first
    }

    pub(crate) fn append(&mut self, op: Op) {
        assert!(op.format() <= self.written, "the peer might not read {op:?}");
        self.append_with(op, Codec::Raw, Vec::new());
    }

    fn append_with(&mut self, op: Op, codec: Codec, payload: Vec<u8>) {
        self.clock = self.clock.tick(self.unix_ms);
        let me = self.me;
        let mut seen = Vector::new();
        for (writer, count) in &self.held {
            if *writer != me && self.told.get(writer) != Some(count) {
                seen.insert(*writer, *count);
            }
        }
        self.told.extend(seen.iter().map(|(w, n)| (*w, *n)));
        let index = self.held.get(&me).copied().unwrap_or(0);
        let places = op.placement().is_some();
        let record = Record { writer: me, index, clock: self.clock, seen, op, codec, payload };
        self.store(&record);
        self.out.push_back(Output::Append(record));
        match self.mode {
            Mode::Alone => self.alone_end = self.end,
            Mode::Both if places => self.ahead.push_back(index),
            _ => {}
        }
    }

    /// Counts a record, own or received, that goes to the end of the log.
    pub(crate) fn store(&mut self, record: &Record) {
        self.clock = self.clock.max(record.clock);
        let last = last_address(record);
        *self.held.entry(record.writer).or_default() = last.index + 1;
        self.unsynced.push_back(last);
        self.uncommitted.push_back(last);
        self.learn(record, self.end);
        self.end += 1;
    }

    /// Keeps in mind what the applied state does not say yet.
    fn learn(&mut self, record: &Record, position: u64) {
        self.episodes.learn(record);
        let overlay = &mut self.overlay;
        let mut top = |mailbox: MailboxId, uid: u32, modseq: u64| {
            let row = overlay.tops.entry(mailbox).or_default();
            *row = (row.0.max(uid), row.1.max(modseq));
        };
        match &record.op {
            Op::Place { entry, uid, modseq } => {
                top(entry.mailbox, uid.0, modseq.0);
            }
            Op::Move { entry, uid, modseq, from_mailbox, from_modseq, .. } => {
                top(entry.mailbox, uid.0, modseq.0);
                top(*from_mailbox, 0, from_modseq.0);
            }
            Op::Flags { mailbox, changes, .. } => {
                let highest = changes.iter().map(|c| c.modseq.0).max().unwrap_or(0);
                top(*mailbox, 0, highest);
            }
            Op::Expunge { mailbox, modseq, .. } => top(*mailbox, 0, modseq.0),
            Op::Floor { account, uid, modseq, lost } => {
                let row = overlay.floors.entry(*account).or_default();
                *row = (row.0.max(uid.0), row.1.max(modseq.0));
                overlay.burnt.insert((*account, *lost));
            }
            Op::CreateMailbox { mailbox, account, .. } => {
                overlay.accounts.insert(*mailbox, *account);
            }
            Op::CreateAccount { account, home, .. } => {
                overlay.homes.insert(*account, *home);
            }
            Op::MoveHome { account, home } => {
                let stamp = Stamp { clock: record.clock, writer: record.writer };
                let known = overlay.moves.get(account);
                if known.is_none_or(|(known, _)| stamp.later_than(known)) {
                    overlay.moves.insert(*account, (stamp, *home));
                }
            }
            Op::View { number, on_disk, .. } => {
                self.view_number = self.view_number.max(*number);
                if record.writer.side == self.me.side {
                    keep_highest(&mut self.known_synced, on_disk);
                }
            }
            Op::Format { version } => self.written = self.written.max(*version),
            _ => {}
        }
        if let Some((entry, uid)) = record.op.placement() {
            let row = overlay.placed.entry(entry.entry).or_insert((0, position));
            *row = (row.0.max(uid.0), position);
        }
    }

    pub(crate) fn set_mode(&mut self, mode: Mode) {
        if self.mode == mode {
            return;
        }
        tracing::info!(from = ?self.mode, to = ?mode, "view");
        self.ahead.clear();
        self.mode = mode;
        match mode {
            Mode::Alone => self.go_into_episode(),
            Mode::Both => self.write_view(View::Both, self.view_number + 1),
            Mode::Starting | Mode::Waiting => {}
        }
        self.out.push_back(Output::Mode(mode));
    }

    /// The last episode goes on, if it is not over; else a new one begins.
    pub(crate) fn go_into_episode(&mut self) {
        let number = self.episodes.not_over().unwrap_or(self.view_number + 1);
        self.episode = Some(number);
        self.write_view(View::Alone(self.me.side), number);
    }

    /// This box promises to place nothing more as `alone`: what it gives next has new lanes.
    pub(crate) fn end_episode(&mut self) {
        self.episode = None;
        if self.episodes.not_over().is_some() && !self.is_broken(Sabotage::LaneGoesOn) {
            self.write_view(View::Leaving(self.me.side), self.view_number + 1);
        }
    }

    fn write_view(&mut self, view: View, number: u64) {
        let new = self.known_synced.iter().filter(|(writer, count)| {
            writer.side != self.me.side && self.known_told.get(writer) != Some(count)
        });
        let on_disk: Vector = new.map(|(writer, count)| (*writer, *count)).collect();
        keep_highest(&mut self.known_told, &on_disk);
        self.append(Op::View { view, number, on_disk });
    }
}

pub(crate) fn keep_highest(known: &mut Vector, more: &Vector) {
    for (writer, count) in more {
        let row = known.entry(*writer).or_default();
        *row = (*row).max(*count);
    }
}

/// The address of the last record that this one stands for.
fn last_address(record: &Record) -> Address {
    Address { writer: record.writer, index: record.index + record.op.count() - 1 }
}
