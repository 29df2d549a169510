//! A box comes back after a long absence and takes in gigabytes, while clients of the other go on.
//!
//! Time is virtual: a cable of one gigabit, disks that take a while for each sync and for each byte. What is
//! measured is what the rules make a client wait, not what this machine does.

mod disk;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{Config, Log, Position};
use mailbox::Index;
use node::body::Body;
use node::core::{Answer, Core, Input, Output, Place, Start};
use record::{AccountId, Codec, EntryId, Formats, MailboxId, RequestId, Side};
use replica::{Message, Mode, Wish};
use users::Users;

use disk::SparseDisk;

/// A gigabit.
const CABLE_BYTES_PER_MS: u64 = 125_000;
const CABLE_DELAY_MS: u64 = 1;
const SYNC_MS: u64 = 2;
const DISK_BYTES_PER_MS: u64 = 200_000;
/// Of the messages that the absent box missed.
const BIG_BYTES: usize = 4 << 20;
/// A client of the survivor delivers this often while the other catches up.
const DELIVERY_EVERY_MS: u64 = 10;
/// Both boxes must be one again this many times as fast as the cable alone would allow, at worst.
const PATIENCE: u64 = 10;

const ACCOUNT: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId(2);

/// What came of it. Times are virtual.
#[derive(Debug, Default)]
pub struct Figures {
    /// Bytes of the records that the box lacked, those that came meanwhile included.
    pub missed_bytes: u64,
    /// Bytes of the records that it was sent.
    pub sent_bytes: u64,
    pub took_ms: u64,
    /// Deliveries to the survivor meanwhile, and the longest time to an answer.
    pub deliveries: u64,
    pub longest_wait_ms: u64,
}

/// Lets box b miss so many bytes, then join again.
///
/// # Errors
/// When the boxes do not become one again, or differ then.
pub fn run(bytes: u64) -> Result<Figures, String> {
    let mut pair = Pair::new()?;
    pair.until_both(1_000)?;
    pair.make_account()?;
    pair.lose_session();
    pair.give(Side::A, Input::GoAlone { forced: false });
    pair.miss(bytes)?;
    pair.connect();
    let patience = bytes / CABLE_BYTES_PER_MS * PATIENCE + 10_000;
    pair.until_both(patience)?;
    pair.until_answered(patience)?;
    pair.compare()?;
    Ok(pair.figures)
}

struct Pair {
    boxes: [SimpleBox; 2],
    /// To each side: when it arrives, and what.
    cable: [VecDeque<(u64, Message)>; 2],
    /// Until when each direction of the cable is busy, in bytes since the beginning.
    busy_until: [u64; 2],
    connected: bool,
    clients_since: Option<u64>,
    waiting: BTreeMap<RequestId, u64>,
    now_ms: u64,
    start: Instant,
    ids: u128,
    figures: Figures,
}

struct SimpleBox {
    core: Core<SparseDisk>,
    apply_to: u64,
    applied: u64,
    /// A sync in progress: when it ends, and how far it will have come.
    syncing: Option<(u64, u64)>,
    again: bool,
}

impl Pair {
    fn new() -> Result<Pair, String> {
        let mut boxes = Vec::new();
        for side in Side::BOTH {
            let config = Config { grow_only: true, ..Config::new(side as u128 + 1) };
            let (log, _) = Log::open(SparseDisk::default(), config).map_err(|e| e.to_string())?;
            let start = Start {
                side,
                incarnation: 77 + side as u128,
                formats: Formats::of_this_program("twinpost", 0),
                unix_ms: 1_800_000_000_000,
                blank: true,
                may_serve_alone: side == Side::A,
            };
            let stores = (Arc::new(Index::memory()), Arc::new(Users::memory()));
            let core = Core::open(&start, log, stores.0, stores.1).map_err(|e| e.to_string())?;
            boxes.push(SimpleBox { core, apply_to: 0, applied: 0, syncing: None, again: false });
        }
        let boxes = boxes.try_into().map_err(|_| "there are two sides".to_owned())?;
        let mut pair = Pair {
            boxes,
            cable: Default::default(),
            busy_until: [0; 2],
            connected: false,
            clients_since: None,
            waiting: BTreeMap::new(),
            now_ms: 0,
            start: Instant::now(),
            ids: 100,
            figures: Figures::default(),
        };
        pair.connect();
        Ok(pair)
    }

    fn make_account(&mut self) -> Result<(), String> {
        let wish = Wish::CreateAccount {
            account: ACCOUNT,
            address: "ann@example.test".into(),
            home: Side::A,
            password_hash: String::new(),
            mailboxes: vec![(INBOX, "INBOX".into())],
            uid_validity: 7,
        };
        let request = RequestId(self.id());
        self.waiting.insert(request, self.now_ms);
        self.give(Side::A, Input::Submit { request, wish, answer: Answer::AtApply });
        self.until_answered(1_000)
    }

    /// Box a alone takes messages; how long that takes does not matter.
    fn miss(&mut self, bytes: u64) -> Result<(), String> {
        let start_bytes = self.boxes[0].core.log().bytes();
        while self.boxes[0].core.log().bytes() - start_bytes < bytes {
            let mut body = Body::new(&vec![0; BIG_BYTES]);
            for (about, codec, payload) in &mut body.parts {
                (*codec, *payload) = (Codec::Raw, vec![0; about.plain_bytes as usize]);
            }
            self.deliver(body);
            let end = self.boxes[0].core.log().flush().map_err(|e| e.to_string())?;
            self.boxes[0].syncing = None;
            self.give(Side::A, Input::Synced { end: end.0 });
            self.apply(Side::A)?;
        }
        self.waiting.clear();
        self.figures.missed_bytes = self.boxes[0].core.log().bytes() - start_bytes;
        self.clients_since = Some(self.now_ms);
        Ok(())
    }

    fn deliver(&mut self, body: Body) {
        let place = Place {
            request: RequestId(self.id()),
            account: ACCOUNT,
            mailbox: INBOX,
            entry: EntryId(self.id()),
            internal_date_s: 0,
            flags: Vec::new(),
        };
        self.waiting.insert(place.request, self.now_ms);
        self.give(Side::A, Input::Deliver { body, places: vec![place], answer: Answer::AtCommit });
    }

    fn id(&mut self) -> u128 {
        self.ids += 1;
        self.ids
    }

    fn connect(&mut self) {
        self.connected = true;
        let [a, b] = [Side::A, Side::B].map(|side| self.boxes[side as usize].core.hello());
        self.give(Side::A, Input::LinkUp { peer: b });
        self.give(Side::B, Input::LinkUp { peer: a });
    }

    fn lose_session(&mut self) {
        self.connected = false;
        self.cable = Default::default();
        for side in Side::BOTH {
            self.give(side, Input::LinkDown);
        }
    }

    fn give(&mut self, side: Side, input: Input) {
        let now = self.start + Duration::from_millis(self.now_ms);
        let before = self.boxes[0].core.log().bytes();
        let one = &mut self.boxes[side as usize];
        one.core.handle(now, input);
        while let Some(output) = one.core.poll() {
            match output {
                Output::Send(message) if self.connected => {
                    let to = side.other() as usize;
                    let bytes = match &message {
                        Message::Record(frame) => frame.len() as u64,
                        _ => 100,
                    };
                    if side == Side::A && self.clients_since.is_some() {
                        self.figures.sent_bytes +=
                            if matches!(message, Message::Record(_)) { bytes } else { 0 };
                    }
                    let free = self.busy_until[to].max(self.now_ms * CABLE_BYTES_PER_MS);
                    self.busy_until[to] = free + bytes;
                    let arrives = (free + bytes) / CABLE_BYTES_PER_MS + CABLE_DELAY_MS;
                    self.cable[to].push_back((arrives, message));
                }
                Output::Apply { end } => one.apply_to = end,
                Output::Done { request } => {
                    if let Some(since) = self.waiting.remove(&request) {
                        let wait = self.now_ms - since;
                        self.figures.longest_wait_ms = self.figures.longest_wait_ms.max(wait);
                    }
                }
                Output::Again => one.again = true,
                Output::Send(_) | Output::Mode(_) | Output::Serving | Output::EndSession { .. } => {
                }
                // Nothing rots here, and nobody deletes.
                Output::Refused { .. } | Output::Mend { .. } | Output::Agreed(_) => {}
                Output::Failed { reason } => panic!("{reason}"),
            }
        }
        if self.clients_since.is_some() {
            self.figures.missed_bytes += self.boxes[0].core.log().bytes() - before;
        }
    }

    /// One millisecond.
    fn tick(&mut self) -> Result<(), String> {
        self.now_ms += 1;
        if self
            .clients_since
            .is_some_and(|since| (self.now_ms - since).is_multiple_of(DELIVERY_EVERY_MS))
        {
            self.figures.deliveries += 1;
            self.deliver(Body::new(b"Subject: meanwhile\r\n\r\nSmall.\r\n"));
        }
        for side in Side::BOTH {
            let at = side as usize;
            while self.cable[at].front().is_some_and(|(arrives, _)| *arrives <= self.now_ms) {
                let Some((_, message)) = self.cable[at].pop_front() else { break };
                self.give(side, Input::Link(message));
            }
            self.sync(side)?;
            self.apply(side)?;
            if std::mem::take(&mut self.boxes[at].again) {
                self.give(side, Input::WallClock { unix_ms: 1_800_000_000_000 + self.now_ms });
            }
        }
        Ok(())
    }

    /// One `fdatasync` at a time, of what there is when it begins.
    fn sync(&mut self, side: Side) -> Result<(), String> {
        let now_ms = self.now_ms;
        let one = &mut self.boxes[side as usize];
        let log = one.core.log();
        match one.syncing {
            Some((due, end)) if due <= now_ms => {
                one.syncing = None;
                self.give(side, Input::Synced { end });
            }
            Some(_) => {}
            None if log.end() > log.synced() => {
                let takes = SYNC_MS + log.unwritten_bytes() as u64 / DISK_BYTES_PER_MS;
                // Written at once; it counts when its time has come.
                let end = log.flush().map_err(|e| e.to_string())?;
                one.syncing = Some((now_ms + takes, end.0));
            }
            None => {}
        }
        Ok(())
    }

    fn apply(&mut self, side: Side) -> Result<(), String> {
        let one = &mut self.boxes[side as usize];
        if one.apply_to <= one.applied {
            return Ok(());
        }
        let mut batch = Vec::new();
        for row in one.core.log().scan(Position(one.applied)) {
            let (position, mut record) = row.map_err(|e| e.to_string())?;
            if position.0 >= one.apply_to {
                break;
            }
            record.payload = Vec::new();
            one.core.users().apply(position.0, &record).map_err(|e| e.to_string())?;
            batch.push((position.0, record));
        }
        one.core.index().apply(&batch).map_err(|e| e.to_string())?;
        one.applied = one.apply_to;
        let end = one.applied;
        self.give(side, Input::Applied { end });
        Ok(())
    }

    fn until_both(&mut self, patience_ms: u64) -> Result<(), String> {
        let since = self.now_ms;
        let is_both = |one: &SimpleBox| one.core.replica_state().mode() == Mode::Both;
        while !self.boxes.iter().all(is_both) {
            if self.now_ms - since > patience_ms {
                return Err(format!("the boxes are not one after {patience_ms} ms"));
            }
            self.tick()?;
        }
        self.figures.took_ms = self.now_ms - since;
        Ok(())
    }

    fn until_answered(&mut self, patience_ms: u64) -> Result<(), String> {
        let since = self.now_ms;
        self.clients_since = None;
        while !self.waiting.is_empty() {
            if self.now_ms - since > patience_ms {
                return Err(format!("{} answers are owed", self.waiting.len()));
            }
            self.tick()?;
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            self.tick()?;
        }
        let digest = |one: &SimpleBox| one.core.index().digest().map_err(|e| e.to_string());
        let [a, b] = &self.boxes;
        if a.core.log().vector() != b.core.log().vector() || digest(a)? != digest(b)? {
            return Err("the boxes differ".into());
        }
        Ok(())
    }
}
