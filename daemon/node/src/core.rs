//! A whole box without threads or sockets: what the shell runs and the simulator drives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use journal::{Damaged, Disk, Log, Position};
use mailbox::{BodyState, Index};
use record::op::Stamp;
use record::{
    AccountId, Address, BodyRef, Clock, Entry, EntryId, Formats, MailboxId, Op, Outbound, QueueId,
    Refused, RequestId, Side, Vector, Writer, decode_head, frame_length,
};
use replica::{Applied, Hello, Lane, Message, Mode, Recovered, Replica, Sabotage, Wish};
use users::Users;

use crate::body::Body;
use crate::limits::{BEHIND_BYTES_MAX, WORK_BATCH};
use crate::link::Link;
use crate::upkeep::Agreed;
use crate::upkeep::agree::Talk;
use crate::upkeep::mender::Mender;
use crate::upkeep::spent::Spent;
use crate::work;

pub enum Input {
    /// A client's wish; `Output::Done` answers it.
    Submit {
        request: RequestId,
        wish: Wish,
        answer: Answer,
    },
    /// Message bytes with one wish for each account that gets them; each has its own request.
    Deliver {
        body: Body,
        places: Vec<Place>,
        answer: Answer,
    },
    /// A message for other hosts.
    Queue {
        body: Body,
        letter: Letter,
        answer: Answer,
    },
    LinkUp {
        peer: Hello,
    },
    LinkDown,
    Link(Message),
    /// Everything below this position is on the disk.
    Synced {
        end: u64,
    },
    /// Everything below this position is in the index and the user store.
    Applied {
        end: u64,
    },
    /// `forced`: the admin's word, whatever the disk lacks.
    GoAlone {
        forced: bool,
    },
    EndSession,
    /// The program has proved itself on this box: see [`record::Formats`].
    Bless {
        format: u16,
    },
    WallClock {
        unix_ms: u64,
    },
    /// Records that cannot be read; the peer has them. Also without any now and then: what was put off is
    /// tried again.
    Damaged(Vec<Damaged>),
    /// What came of an [`Output::Mend`].
    Mended {
        position: u64,
        done: bool,
    },
    /// Agree with the peer on what is dead: [`Output::Agreed`] is the answer, when there is one.
    AskWhatIsDead,
}

/// When a wish is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// When it cannot be lost any more.
    AtCommit,
    /// When this box's clients can see it, too.
    AtApply,
}

/// One new entry whose body is on its way.
#[derive(Clone, Debug)]
pub struct Place {
    pub request: RequestId,
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub entry: EntryId,
    pub internal_date_s: i64,
    pub flags: Vec<String>,
}

/// The envelope of a message for other hosts, whose body is on its way.
#[derive(Clone, Debug)]
pub struct Letter {
    pub request: RequestId,
    pub message: QueueId,
    /// The reverse-path.
    pub sender: String,
    pub recipients: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub enum Output {
    /// To the peer, in this order.
    Send(Message),
    /// Everything below this position is committed: apply it.
    Apply {
        end: u64,
    },
    Done {
        request: RequestId,
    },
    /// What the wish would copy is gone; nothing was changed.
    Refused {
        request: RequestId,
    },
    Mode(Mode),
    /// From now on this box shows what it holds: it is in a view, and everything that its clients may
    /// have seen before its last stop is applied again.
    Serving,
    EndSession {
        reason: String,
    },
    /// The link has more to send than one turn takes: call `handle` again soon.
    Again,
    /// The disk failed: this core takes nothing more. Open the log again.
    Failed {
        reason: String,
    },
    /// Call [`Log::mend`], and tell by [`Input::Mended`] how it went.
    Mend {
        damaged: Damaged,
        frames: Vec<Vec<u8>>,
    },
    /// What both boxes know for good: what it makes dead may be reclaimed.
    Agreed(Agreed),
}

/// One box. See the crate's head.
pub struct Core<D: Disk> {
    pub(crate) log: Arc<Log<D>>,
    pub(crate) replica: Replica,
    index: Arc<Index>,
    users: Arc<Users>,
    pub(crate) link: Option<Link>,
    pub(crate) applied: u64,
    apply_asked: u64,
    /// What the state leaves to do is not looked for before this is applied: it is in the log already.
    work_written: u64,
    serving: Serving,
    /// The end of the log when this box came into `both`: its peer's attempts to send are applied from there on.
    both_from: u64,
    pub(crate) answers: BTreeMap<RequestId, Answer>,
    /// Committed, to be answered when applied up to here.
    unapplied: VecDeque<(u64, RequestId)>,
    /// The log is broken.
    failed: bool,
    pub(crate) talk: Talk,
    pub(crate) spent: Spent,
    pub(crate) mender: Mender,
    pub(crate) out: VecDeque<Output>,
}

/// A box that was stopped may have shown more than is applied now, so it shows nothing before it has
/// applied what it held when it came into a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Serving {
    NotYet,
    /// Once everything below this position is applied.
    From(u64),
    Yes,
}

/// What a core starts from.
pub struct Start {
    pub side: Side,
    /// Drawn at random for this start.
    pub incarnation: u128,
    /// The record formats of the program.
    pub formats: Formats,
    pub unix_ms: u64,
    /// The disk has never joined its pair.
    pub blank: bool,
    /// It may serve alone: it has joined, or pairing marked it as the first, or the admin forced it.
    pub may_serve_alone: bool,
}

/// Why a box does not start on its log.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Log(#[from] journal::Error),
    #[error(transparent)]
    Format(#[from] Refused),
}

impl<D: Disk> Core<D> {
    /// Takes up an opened log with the state derived from it so far.
    ///
    /// A record beyond the applied state that cannot be read is no reason not to start, but who lacks one
    /// does not know which UIDs were given: such a box comes into no view before the peer has given it the
    /// record once more.
    ///
    /// # Errors
    /// When the disk fails otherwise; when the log is of a newer program than this one.
    pub fn open(
        start: &Start,
        log: Arc<Log<D>>,
        index: Arc<Index>,
        users: Arc<Users>,
    ) -> Result<Core<D>, OpenError> {
        let end = log.end().0;
        // Derived state of another disk's log, or from a log that lost its tail, is not trusted.
        let applied = index.applied().min(users.applied()).min(end);
        let clock = latest_clock(&log, start.side);
        let me = Writer { side: start.side, incarnation: start.incarnation };
        let vector = log.vector();
        let Start { blank, may_serve_alone, .. } = *start;
        let (mut views, mut on_disk, mut view_number) = (BTreeMap::new(), Vector::new(), 0);
        let mut written = 0;
        for (writer, known) in stored(index.incarnations()) {
            written = known.format.max(written);
            view_number = view_number.max(known.view.map_or(0, |(_, number)| number));
            match known.view {
                Some(view) if writer.side == start.side => drop(views.insert(writer, view)),
                _ => drop(on_disk.insert(writer, known.on_disk)),
            }
        }
        on_disk.retain(|writer, count| writer.side != start.side && *count > 0);
        let disk = log.id();
        let formats = start.formats.clone();
        formats.check_log(written)?;
        let recovered = Recovered {
            formats: formats.clone(),
            written,
            vector,
            end,
            committed: applied,
            clock,
            disk,
            views,
            view_number,
            on_disk,
            blank,
            may_serve_alone,
        };
        let mut replica = Replica::new(me, recovered);
        let mut mender = Mender::default();
        let mut scan = log.scan(Position(applied));
        while let Some(row) = scan.next_head() {
            match row {
                Ok((Position(position), record)) => {
                    replica.recovered(position, &record);
                    // What this program does not know comes after the record that says so.
                    formats.check_log(replica.format())?;
                }
                Err(journal::Error::Damaged { position: Some(position), .. }) => {
                    mender.found([log.damaged_at(position)]);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if mender.damage().damaged > 0 {
            replica.lacks_records();
        }
        replica.start(start.unix_ms);
        let mut core = Core {
            log,
            replica,
            index,
            users,
            link: None,
            applied,
            apply_asked: applied,
            work_written: 0,
            serving: Serving::NotYet,
            both_from: 0,
            answers: BTreeMap::new(),
            unapplied: VecDeque::new(),
            failed: false,
            talk: Talk::default(),
            spent: Spent::default(),
            mender,
            out: VecDeque::new(),
        };
        core.drain();
        Ok(core)
    }

    pub fn handle(&mut self, now: Instant, input: Input) {
        if self.failed {
            return;
        }
        match input {
            Input::Submit { request, wish, answer } => {
                self.answers.insert(request, answer);
                self.replica(now, replica::Input::Submit { request, wish });
            }
            Input::Deliver { body, places, answer } => self.deliver(now, body, places, answer),
            Input::Queue { body, letter, answer } => self.queue(now, body, letter, answer),
            Input::LinkUp { peer } => {
                match Link::new(&self.log, &peer) {
                    Ok(link) => self.link = Some(link),
                    Err(error) => return self.end_session(now, &error.to_string()),
                }
                self.replica(now, replica::Input::SessionUp { peer });
            }
            Input::LinkDown => self.link_down(now),
            Input::Link(message) => self.link_message(now, message),
            Input::Synced { end } => self.replica(now, replica::Input::Synced { end }),
            Input::Applied { end } => self.applied(now, end),
            Input::GoAlone { forced } => self.replica(now, replica::Input::GoAlone { forced }),
            Input::EndSession => self.replica(now, replica::Input::EndSession),
            Input::Bless { format } => self.replica(now, replica::Input::Bless { format }),
            Input::WallClock { unix_ms } => {
                self.replica(now, replica::Input::WallClock { unix_ms });
            }
            Input::Damaged(found) => self.mender.found(found),
            Input::Mended { position, done } => self.mended(now, position, done),
            Input::AskWhatIsDead => self.ask_what_is_dead(),
        }
        if !self.failed {
            self.keep(now);
            self.pump(now);
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    #[must_use]
    pub fn replica_state(&self) -> &Replica {
        &self.replica
    }

    #[must_use]
    pub fn hello(&self) -> Hello {
        self.replica.hello()
    }

    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    #[must_use]
    pub fn users(&self) -> &Arc<Users> {
        &self.users
    }

    #[must_use]
    pub fn log(&self) -> &Arc<Log<D>> {
        &self.log
    }

    fn deliver(&mut self, now: Instant, body: Body, places: Vec<Place>, answer: Answer) {
        let mut reference = body.reference(self.replica.writer());
        reference.index = self.replica.append_body(body.parts);
        self.drain();
        for place in places {
            let entry = entry(&place, reference);
            let wish = Wish::Place { account: place.account, entries: vec![entry] };
            self.answers.insert(place.request, answer);
            self.replica(now, replica::Input::Submit { request: place.request, wish });
        }
    }

    fn queue(&mut self, now: Instant, body: Body, letter: Letter, answer: Answer) {
        let mut reference = body.reference(self.replica.writer());
        reference.index = self.replica.append_body(body.parts);
        self.drain();
        let Letter { request, message, sender, recipients } = letter;
        let owner = self.replica.writer().side;
        let wish = Wish::Queue(Outbound { message, owner, sender, recipients, body: reference });
        self.answers.insert(request, answer);
        self.replica(now, replica::Input::Submit { request, wish });
    }

    /// How this box stands to messages for other hosts.
    #[must_use]
    pub fn queue_standing(&self, peer_is_off: bool) -> queue::Standing {
        match self.replica.mode() {
            _ if !self.serving() => queue::Standing::Outside,
            Mode::Both if self.applied >= self.both_from => queue::Standing::Both,
            Mode::Alone if self.link.is_none() => queue::Standing::Alone { peer_is_off },
            _ => queue::Standing::Outside,
        }
    }

    fn link_down(&mut self, now: Instant) {
        self.session_over();
        self.replica(now, replica::Input::SessionDown);
    }

    fn end_session(&mut self, now: Instant, reason: &str) {
        self.out.push_back(Output::EndSession { reason: reason.to_owned() });
        self.link_down(now);
    }

    fn link_message(&mut self, now: Instant, message: Message) {
        let Some(link) = &mut self.link else { return };
        match &message {
            Message::Synced(vector) => link.synced(vector),
            Message::Record(frame) => {
                link.received(frame);
                if self.log.unwritten_bytes() > BEHIND_BYTES_MAX {
                    return self.end_session(now, "this box's disk does not keep up");
                }
                if let Some(reason) = does_not_fit(&self.log, frame) {
                    return self.end_session(now, &reason);
                }
            }
            _ => {}
        }
        if let Some(message) = self.keep_message(now, message) {
            self.replica(now, message.into());
        }
    }

    fn applied(&mut self, now: Instant, end: u64) {
        self.applied = self.applied.max(end);
        self.replica(now, replica::Input::Applied { end });
        while let Some((needed, request)) = self.unapplied.front().copied() {
            if needed > self.applied {
                break;
            }
            self.unapplied.pop_front();
            self.out.push_back(Output::Done { request });
        }
        self.may_serve();
        self.work(now);
    }

    fn may_serve(&mut self) {
        let too_soon = self.replica.is_broken(Sabotage::ServeTooSoon);
        if matches!(self.serving, Serving::From(end) if self.applied >= end || too_soon) {
            self.serving = Serving::Yes;
            self.out.push_back(Output::Serving);
        }
    }

    /// Breaks a rule on purpose. See [`Sabotage`].
    pub fn sabotage(&mut self, rule: Option<Sabotage>) {
        self.replica.sabotage(rule);
    }

    #[must_use]
    pub fn serving(&self) -> bool {
        self.serving == Serving::Yes
    }

    /// What the state leaves to do for a home is done here, if this box may.
    pub(crate) fn work(&mut self, now: Instant) {
        let in_view = matches!(self.replica.mode(), Mode::Alone | Mode::Both);
        if !in_view || self.applied < self.work_written {
            return;
        }
        let before = self.log.end().0;
        self.place_again(now);
        let wishes = work::wishes(&self.index, &self.users, |rule| self.replica.is_broken(rule));
        let spent = self.spent_wishes();
        for wish in stored(wishes).into_iter().chain(spent) {
            self.replica(now, replica::Input::Work { wish });
        }
        if self.log.end().0 > before {
            self.work_written = self.log.end().0;
        }
    }

    /// The mail of removed accounts, some of it.
    fn spent_wishes(&mut self) -> Vec<Wish> {
        if self.replica.is_broken(Sabotage::RemovalNotAgreed) {
            let both = self.log.vector();
            self.spent.agreed(&Agreed { both, from_end: 0 });
        }
        stored(self.spent.wishes(self.applied, &self.index, WORK_BATCH))
    }

    /// What was hidden because somebody's clients were past its UID gets a fresh one.
    fn place_again(&mut self, now: Instant) {
        let mut accounts = BTreeMap::<AccountId, Vec<Entry>>::new();
        for entry in stored(self.index.overtaken(WORK_BATCH)) {
            if let Some(account) = stored(self.index.account_of(entry.mailbox)) {
                accounts.entry(account).or_default().push(entry);
            }
        }
        for (account, entries) in accounts {
            self.replica(now, replica::Input::Overtaken { account, entries });
        }
    }

    pub(crate) fn replica(&mut self, now: Instant, input: replica::Input) {
        let view = View { index: &self.index, users: &self.users };
        self.replica.handle(now, input, &view);
        if self.drain() {
            self.link_down(now);
        }
    }

    /// Carries out what the replica decided; did it end the session?
    fn drain(&mut self) -> bool {
        let mut ended = false;
        while let Some(output) = self.replica.poll() {
            if self.failed {
                // It rests on a record that is not in the log: a request to the peer would name a body that
                // nobody has.
                continue;
            }
            match output {
                replica::Output::Append(record) => {
                    let appended = self.log.append(&record);
                    self.taken_in(appended);
                }
                replica::Output::AppendFrame(frame) => {
                    let appended = self.log.append_frame(&frame);
                    self.taken_in(appended);
                }
                replica::Output::Send(message) => {
                    let end = self.log.end().0;
                    if let Some(link) = &mut self.link {
                        link.send(end, message);
                    }
                }
                replica::Output::SendAtOnce(message) => self.out.push_back(Output::Send(message)),
                replica::Output::Committed { end } => {
                    if end > self.apply_asked {
                        self.apply_asked = end;
                        self.out.push_back(Output::Apply { end });
                    }
                }
                replica::Output::Done { request } => self.done(request),
                replica::Output::Refused { request } => {
                    self.answers.remove(&request);
                    self.out.push_back(Output::Refused { request });
                }
                replica::Output::Mode(mode) => {
                    let in_view = matches!(mode, Mode::Alone | Mode::Both);
                    if mode == Mode::Both {
                        self.both_from = self.log.end().0;
                    }
                    if in_view && self.serving == Serving::NotYet {
                        self.serving = Serving::From(self.log.end().0);
                    }
                    self.out.push_back(Output::Mode(mode));
                }
                replica::Output::EndSession { reason } => {
                    ended = true;
                    self.out.push_back(Output::EndSession { reason });
                }
            }
        }
        ended
    }

    /// A log that is broken takes nothing more: this core is at its end.
    ///
    /// # Panics
    /// When the log refuses a record otherwise that the replica counted: the two would drift apart, so this
    /// box stops here and the peer takes over.
    fn taken_in(&mut self, appended: Result<Position, journal::Error>) {
        match appended {
            Ok(_) => {}
            Err(journal::Error::Broken(error)) => {
                if !std::mem::replace(&mut self.failed, true) {
                    self.out.push_back(Output::Failed { reason: error.to_string() });
                }
            }
            Err(error) => panic!("the log refused a record: {error}"),
        }
    }

    fn done(&mut self, request: RequestId) {
        let needed = self.replica.committed();
        match self.answers.remove(&request) {
            Some(Answer::AtApply) if needed > self.applied => {
                self.unapplied.push_back((needed, request));
            }
            _ => self.out.push_back(Output::Done { request }),
        }
    }

    fn pump(&mut self, now: Instant) {
        let Some((backlog, mut more)) = self.send_records(now) else { return };
        if self.replica.mode() != Mode::Both {
            self.replica(now, replica::Input::Backlog { bytes: backlog });
            // "Ready" may have come out of that: it goes now, not with the next input.
            more |= self.send_records(now).is_some_and(|(_, more)| more);
        }
        if more {
            self.out.push_back(Output::Again);
        }
    }

    /// One turn of the link: the bytes that the peer lacks, and whether there is more to send. `None` when
    /// there is no session, or it had to end.
    fn send_records(&mut self, now: Instant) -> Option<(u64, bool)> {
        let link = self.link.as_mut()?;
        let pumped = link.pump(&self.log, self.replica.stream_limit());
        let backlog = link.backlog(self.log.end().0);
        self.mender.found(pumped.damaged);
        self.out.extend(pumped.messages.into_iter().map(Output::Send));
        if let Some(reason) = pumped.failed {
            self.end_session(now, &reason);
            return None;
        }
        Some((backlog, pumped.more))
    }

    /// What the peer has on its disk, for the status page.
    #[must_use]
    pub fn peer_synced(&self) -> &Vector {
        self.replica.peer_synced()
    }
}

/// Why this frame cannot be taken, although it may be a record's. A gap that brings something new must not
/// stand for other records than those held here: then one of the two boxes must be mended by hand, and
/// nothing of it may get in.
fn does_not_fit<D: Disk>(log: &Log<D>, frame: &[u8]) -> Option<String> {
    // A frame that is none ends the session when `replica` looks at it.
    let head = decode_head(frame).ok()?;
    if frame_length(frame) != Ok(frame.len()) {
        return Some("the peer sent something behind a record".into());
    }
    let (held, end) = (log.count(head.writer), head.index + head.op.count());
    if !matches!(head.op, Op::Gap { .. }) || head.index > held || end <= held {
        return None;
    }
    log.check_gap(frame).err().map(|error| error.to_string())
}

/// The highest clock in the log. Each record's is above all that its writer held, so it stands at or behind
/// this side's last own record; what came from the peer after that may be stamped by a slower clock.
fn latest_clock<D: Disk>(log: &Log<D>, side: Side) -> Clock {
    let mut clock = Clock::default();
    for position in (0..log.end().0).rev() {
        // A damaged record says nothing.
        let Ok(record) = log.read_at(Position(position)) else { continue };
        clock = clock.max(record.clock);
        if record.writer.side == side {
            break;
        }
    }
    clock
}

fn entry(place: &Place, body: BodyRef) -> Entry {
    Entry {
        entry: place.entry,
        mailbox: place.mailbox,
        body,
        internal_date_s: place.internal_date_s,
        flags: place.flags.clone(),
    }
}

/// The applied state as the replica asks for it.
struct View<'a> {
    index: &'a Index,
    users: &'a Users,
}

impl Applied for View<'_> {
    fn home(&self, account: AccountId) -> Option<Side> {
        stored(self.users.home(account))
    }

    fn moved(&self, account: AccountId) -> Option<(Stamp, Side)> {
        stored(self.users.moved_home(account))
    }

    fn top(&self, mailbox: MailboxId) -> (u32, u64) {
        let (uid, modseq) = stored(self.index.top(mailbox));
        (uid.0, modseq.0)
    }

    fn placed(&self, entry: EntryId) -> bool {
        stored(self.index.entry(entry)).is_some()
    }

    fn account_of(&self, mailbox: MailboxId) -> Option<AccountId> {
        stored(self.index.account_of(mailbox))
    }

    fn is_dead(&self, body: BodyRef) -> bool {
        let address = Address { writer: body.writer, index: body.index };
        matches!(stored(self.index.body_state(address)), BodyState::Dead { .. })
    }

    fn is_removed(&self, account: AccountId) -> bool {
        stored(self.index.is_removed(account))
    }

    fn lane(&self, mailbox: MailboxId, side: Side) -> Option<Lane> {
        let lane = stored(self.index.lane(mailbox, side))?;
        let mailbox::Lane { episode, first, uid, modseq } = lane;
        Some(Lane { episode, first_uid: first.0, uid: uid.0, modseq: modseq.0 })
    }

    fn burnt(&self, account: AccountId, lost: u128) -> bool {
        stored(self.index.is_burnt(account, lost))
    }

    fn mailboxes(&self) -> Vec<(AccountId, MailboxId)> {
        stored(self.index.mailboxes_ever())
    }
}

/// # Panics
/// When a store that was open cannot be read: UIDs must not be guessed, so this box stops here and the
/// peer takes over.
fn stored<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("reading a store: {error}"))
}
