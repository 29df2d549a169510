//! How many UIDs a mailbox burns under a link that comes and goes for a day, and how long 2³² last.
//!
//! Both boxes are alone whenever the link is down, and one message comes to each of them then: that is
//! the most that a cut can cost. `cargo test -p replica --test pace -- --nocapture` prints the figures.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use record::limits::LANE_BLOCK;
use record::op::Stamp;
use record::{
    AccountId, BodyRef, Entry, EntryId, Formats, MailboxId, RequestId, Side, Vector, Writer,
};
use replica::limits::{JOIN_WAIT_MAX, UID_ALARM};
use replica::{Applied, Hello, Input, Lane, Message, Mode, Output, Recovered, Replica, Wish};

const ACCOUNT: AccountId = AccountId(1);
const MAILBOX: MailboxId = MailboxId(2);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is applied says nothing here: all is in what the machines keep in mind.
struct Nothing;

impl Applied for Nothing {
    fn home(&self, _: AccountId) -> Option<Side> {
        Some(Side::A)
    }
    fn moved(&self, _: AccountId) -> Option<(Stamp, Side)> {
        None
    }
    fn top(&self, _: MailboxId) -> (u32, u64) {
        (0, 0)
    }
    fn placed(&self, _: EntryId) -> bool {
        false
    }
    fn account_of(&self, _: MailboxId) -> Option<AccountId> {
        Some(ACCOUNT)
    }
    fn is_dead(&self, _: BodyRef) -> bool {
        false
    }
    fn lane(&self, _: MailboxId, _: Side) -> Option<Lane> {
        None
    }
    fn is_removed(&self, _: AccountId) -> bool {
        false
    }
    fn burnt(&self, _: AccountId, _: u128) -> bool {
        true
    }
    fn mailboxes(&self) -> Vec<(AccountId, MailboxId)> {
        vec![(ACCOUNT, MAILBOX)]
    }
}

/// One box: its machine, its log, and what waits for its peer.
struct Node {
    replica: Replica,
    /// Each record's frame, writer and index.
    log: Vec<(Vec<u8>, Writer, u64)>,
    /// What the peer lacks of the log begins here.
    cursor: usize,
    peer_held: Vector,
    waiting: VecDeque<(usize, Message)>,
    sent: VecDeque<Message>,
    highest_uid: u32,
}

impl Node {
    fn new(side: Side) -> Node {
        let me = Writer { side, incarnation: 7 };
        let recovered = Recovered {
            formats: Formats::new(1..=1, "test", 1),
            written: 1,
            vector: Vector::new(),
            end: 0,
            committed: 0,
            clock: Default::default(),
            disk: me.incarnation,
            views: Default::default(),
            view_number: 0,
            on_disk: Vector::new(),
            blank: false,
            may_serve_alone: true,
        };
        let mut node = Node {
            replica: Replica::new(me, recovered),
            log: Vec::new(),
            cursor: 0,
            peer_held: Vector::new(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            highest_uid: 0,
        };
        node.replica.start(0);
        node.outputs();
        node
    }

    fn handle(&mut self, now: Instant, input: Input) {
        self.replica.handle(now, input, &Nothing);
        self.outputs();
    }

    fn outputs(&mut self) {
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Append(record) => self.append(record.encode()),
                Output::AppendFrame(frame) => self.append(frame),
                Output::Send(message) => self.waiting.push_back((self.log.len(), message)),
                Output::SendAtOnce(message) => self.sent.push_back(message),
                _ => {}
            }
        }
    }

    fn append(&mut self, frame: Vec<u8>) {
        let record = record::decode(&frame).expect("a machine writes records");
        if let Some((_, uid)) = record.op.placement() {
            self.highest_uid = self.highest_uid.max(uid.0);
        }
        self.log.push((frame, record.writer, record.index));
    }

    fn connect(&mut self, now: Instant, peer: Hello) {
        self.peer_held = peer.held.clone();
        (self.waiting, self.sent) = Default::default();
        self.handle(now, Input::SessionUp { peer });
    }

    /// Its disk is fast; all that may go to the peer goes.
    fn turn(&mut self, now: Instant) {
        let end = self.log.len() as u64;
        self.handle(now, Input::Synced { end });
        self.handle(now, Input::Applied { end });
        self.pump();
        let bytes = if self.cursor == self.log.len() { 0 } else { u64::MAX };
        self.handle(now, Input::Backlog { bytes });
        self.pump();
    }

    fn pump(&mut self) {
        if !self.replica.in_session() {
            return;
        }
        let limit = self.replica.stream_limit() as usize;
        while self.cursor < limit.min(self.log.len()) {
            let (frame, writer, index) = &self.log[self.cursor];
            let has = self.peer_held.entry(*writer).or_default();
            if *has <= *index {
                *has = index + 1;
                self.sent.push_back(Message::Record(frame.clone()));
            }
            self.cursor += 1;
            self.send_what_waited();
        }
        self.send_what_waited();
    }

    fn send_what_waited(&mut self) {
        while self.waiting.front().is_some_and(|(after, _)| *after <= self.cursor) {
            self.sent.extend(self.waiting.pop_front().map(|(_, message)| message));
        }
    }
}

struct Pair {
    nodes: [Node; 2],
    now: Instant,
    messages: u128,
    joins: u32,
}

impl Pair {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new() -> Pair {
        let nodes = Side::BOTH.map(Node::new);
        Pair { nodes, now: Instant::now(), messages: 0, joins: 0 }
    }

    fn connect(&mut self) {
        let [a, b] = &mut self.nodes;
        let hellos = (a.replica.hello(), b.replica.hello());
        // A record that was on its way when the last session broke goes once more.
        for (node, peer) in [(&mut *a, &hellos.1), (&mut *b, &hellos.0)] {
            let has = |(_, writer, index): &(Vec<u8>, Writer, u64)| {
                peer.held.get(writer).is_some_and(|held| held > index)
            };
            while node.cursor > 0 && !has(&node.log[node.cursor - 1]) {
                node.cursor -= 1;
            }
        }
        a.connect(self.now, hellos.1);
        b.connect(self.now, hellos.0);
        self.settle();
    }

    /// Until nobody has anything to say; did they join?
    fn settle(&mut self) -> bool {
        let was_both = self.are_joined();
        loop {
            let mut quiet = true;
            for at in [0, 1] {
                self.nodes[at].turn(self.now);
                for message in std::mem::take(&mut self.nodes[at].sent) {
                    self.nodes[1 - at].handle(self.now, message.into());
                    quiet = false;
                }
            }
            if quiet {
                break;
            }
        }
        let both = self.are_joined();
        self.joins += u32::from(both && !was_both);
        both
    }

    fn are_joined(&self) -> bool {
        self.nodes.iter().all(|node| node.replica.mode() == Mode::Both)
    }

    /// The link breaks, both boxes go on alone, and each gets a message.
    fn cut(&mut self) {
        for node in &mut self.nodes {
            node.handle(self.now, Input::SessionDown);
            node.handle(self.now, Input::GoAlone { forced: false });
            self.messages += 1;
            let body = BodyRef {
                writer: node.replica.writer(),
                index: 0,
                parts: 1,
                header_bytes: 1,
                size_bytes: 1,
            };
            let entry = Entry {
                entry: EntryId(self.messages),
                mailbox: MAILBOX,
                body,
                internal_date_s: 0,
                flags: Vec::new(),
            };
            let wish = Wish::Place { account: ACCOUNT, entries: vec![entry] };
            node.handle(self.now, Input::Submit { request: RequestId(self.messages), wish });
            node.turn(self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn highest_uid(&self) -> u32 {
        self.nodes.iter().map(|node| node.highest_uid).max().unwrap_or(0)
    }
}

/// The blocks that were burnt.
fn burnt(pair: &Pair) -> u32 {
    pair.highest_uid() / LANE_BLOCK
}

/// Days until a mailbox can take no new lane.
fn lasts_days(blocks_a_day: u32) -> u32 {
    UID_ALARM / LANE_BLOCK / blocks_a_day.max(1)
}

#[test]
fn a_link_that_flaps_each_second_burns_next_to_nothing() {
    let mut pair = Pair::new();
    let end = pair.now + DAY;
    while pair.now < end {
        pair.connect();
        pair.pass(Duration::from_millis(400));
        pair.settle();
        pair.cut();
        pair.pass(Duration::from_millis(600));
    }
    let (blocks, messages) = (burnt(&pair), pair.messages);
    println!("up for 0.4 s in each second, a day long: {blocks} blocks, {messages} messages");
    assert!(blocks < 60, "{blocks} blocks");
    // And once it lasts, all is well soon.
    pair.connect();
    pair.pass(Duration::from_secs(2));
    assert!(pair.settle(), "joined after two seconds");
}

/// The link lasts for just as long as the boxes ask, and breaks as soon as they have joined.
#[test]
fn a_link_that_always_breaks_after_the_join_leaves_uids_for_a_year() {
    let mut pair = Pair::new();
    let mut days = Vec::new();
    for _ in 0..3 {
        let (end, before) = (pair.now + DAY, burnt(&pair));
        while pair.now < end {
            pair.connect();
            let deadlines = pair.nodes.iter().filter_map(|node| node.replica.deadline());
            if let Some(due) = deadlines.max() {
                assert!(due <= pair.now + JOIN_WAIT_MAX);
                pair.now = due;
            }
            assert!(pair.settle(), "nothing else keeps them from joining");
            pair.pass(Duration::from_millis(400));
            pair.cut();
            pair.pass(Duration::from_millis(600));
        }
        days.push(burnt(&pair) - before);
    }
    let (joins, lasts) = (pair.joins, lasts_days(days[2]));
    println!(
        "broken at each join: {days:?} blocks a day, {joins} joins; 2^32 UIDs last {lasts} days"
    );
    assert!(lasts > 365, "{lasts} days");
}
