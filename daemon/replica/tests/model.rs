//! The rules of views, lanes and placing again as a small model, explored exhaustively up to a depth:
//! every order of deliveries, syncs, messages, cuts, crashes that lose any part of what was not synced,
//! false alarms, joins and a new disk, within [`Bounds`].
//!
//! It follows the rules, not the code; the simulator runs the code. One mailbox, at home on side a; a
//! delivery is one record. That an episode is over once it was promised (`LEAVING`) needs twenty steps to show;
//! the simulator does (`LaneGoesOn`). Each rule of [`Rule`] left out must break the promise that it is there for
//! before any other, in as few steps as that takes.
//!
//! `cargo test -p replica --release --test model`: explored to depth 10, 586 384 states; `MODEL_DEPTH=12` goes
//! deeper. What time decides (`pace`) is not in it: it only puts steps off, and every order of steps is.

use std::collections::{BTreeMap, BTreeSet};

use stateright::{Checker, HasDiscoveries, Model, Property};

const BLOCK: u16 = 8;
const FLOOR_BLOCKS: u16 = 16;
/// The entry of a floor.
const FLOOR: u8 = u8::MAX;
/// The entries of views: an alone episode begins, is over.
const ALONE: u8 = u8::MAX - 1;
const LEAVING: u8 = u8::MAX - 2;
const DEPTH: usize = 10;

type Side = usize;
type Writer = (Side, u8);
type Vector = BTreeMap<Writer, usize>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Record {
    writer: Writer,
    index: usize,
    /// What its writer held.
    seen: Vector,
    entry: u8,
    uid: u16,
}

impl Record {
    fn saw(&self, other: &Record) -> bool {
        self.seen.get(&other.writer).is_some_and(|count| *count > other.index)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    Record(Record),
    CaughtUp,
    Ready,
    Synced(Vector),
    Request(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Mode {
    Off,
    Waiting,
    Alone,
    Both,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    mode: Mode,
    blank: bool,
    incarnation: u8,
    log: Vec<Record>,
    synced: usize,
    committed: usize,
    /// Shows nothing before this much is committed.
    serves_from: usize,
    in_session: bool,
    peer_synced: Vector,
    ready_sent: bool,
    peer_ready: bool,
    peer_caught_up: bool,
    lane: Option<u16>,
    /// The record that opened the first lane of the episode: the peer must have it on its disk before
    /// this node leaves its lanes.
    lane_record: Option<(Writer, usize)>,
    pending: BTreeSet<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    nodes: [Node; 2],
    /// On their way to each side.
    wires: [Vec<Message>; 2],
    /// The cable carries the present session.
    carries: bool,
    left: Bounds,
    deliveries: u8,
    /// Which disks held it when it was acknowledged.
    acknowledged: BTreeMap<u8, [bool; 2]>,
    /// Everything that any client was ever shown.
    owner: BTreeMap<u16, u8>,
    shown: [BTreeMap<u16, u8>; 2],
    uid_next: [u16; 2],
    broken: Option<&'static str>,
}

/// How often each thing may happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Bounds {
    deliveries: u8,
    crashes: u8,
    cuts: u8,
    alarms: u8,
    joins: u8,
    new_disks: u8,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Deliver(Side),
    Sync(Side),
    Receive(Side),
    /// The crash leaves so many records.
    Crash(Side, usize),
    Start(Side),
    NewDisk(Side),
    Cut,
    /// Reads nothing more of a session that was cut.
    NoticeCut(Side),
    GoAlone(Side),
    Connect,
    PlaceAgain(Side),
}

/// What can be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    LaneJump,
    Floor,
    PeerSync,
    Hiding,
    /// What is placed as alone is on this disk before the peer gets it.
    DurableFirst,
    /// In `both` only when the peer has promised to place nothing more as alone.
    PeerReady,
}

struct Pair {
    bounds: Bounds,
    without: Option<Rule>,
}

impl Model for Pair {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let node = Node {
            mode: Mode::Both,
            blank: false,
            incarnation: 0,
            log: Vec::new(),
            synced: 0,
            committed: 0,
            serves_from: 0,
            in_session: true,
            peer_synced: Vector::new(),
            ready_sent: true,
            peer_ready: true,
            peer_caught_up: true,
            lane: None,
            lane_record: None,
            pending: BTreeSet::new(),
        };
        vec![State {
            nodes: [node.clone(), node],
            wires: [Vec::new(), Vec::new()],
            carries: true,
            left: self.bounds,
            deliveries: 0,
            acknowledged: BTreeMap::new(),
            owner: BTreeMap::new(),
            shown: Default::default(),
            uid_next: [1, 1],
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        let left = state.left;
        for side in [0, 1] {
            let node = &state.nodes[side];
            if node.mode == Mode::Off {
                actions.push(Action::Start(side));
                if left.new_disks > 0 && !state.nodes[1 - side].blank && !node.blank {
                    actions.push(Action::NewDisk(side));
                }
                continue;
            }
            if left.deliveries > 0 && matches!(node.mode, Mode::Alone | Mode::Both) {
                actions.push(Action::Deliver(side));
            }
            if node.synced < node.log.len() {
                actions.push(Action::Sync(side));
            }
            if node.in_session && !state.wires[side].is_empty() {
                actions.push(Action::Receive(side));
            }
            if left.crashes > 0 {
                let kept = node.synced..=node.log.len();
                actions.extend(kept.map(|kept| Action::Crash(side, kept)));
            }
            if node.in_session && !state.carries {
                actions.push(Action::NoticeCut(side));
            }
            if left.alarms > 0 && node.mode != Mode::Alone && !node.blank {
                actions.push(Action::GoAlone(side));
            }
            if self.to_place_again(state, side).is_some() {
                actions.push(Action::PlaceAgain(side));
            }
        }
        if state.carries && left.cuts > 0 {
            actions.push(Action::Cut);
        }
        let up = state.nodes.iter().all(|node| node.mode != Mode::Off);
        if !state.carries && up && left.joins > 0 {
            actions.push(Action::Connect);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Deliver(side) => {
                state.left.deliveries -= 1;
                state.deliveries += 1;
                let entry = state.deliveries;
                state.nodes[side].pending.insert(entry);
                self.ask(&mut state, side, entry);
            }
            Action::Sync(side) => sync(&mut state, side),
            Action::Receive(side) => self.receive(&mut state, side),
            Action::Crash(side, kept) => {
                state.left.crashes -= 1;
                state.carries = false;
                let node = &mut state.nodes[side];
                node.log.truncate(kept);
                node.synced = kept;
                node.mode = Mode::Off;
                node.in_session = false;
                node.pending.clear();
                state.wires[side].clear();
            }
            Action::Start(side) => start(&mut state.nodes[side], side),
            Action::NewDisk(side) => new_disk(&mut state, side),
            Action::Cut => {
                state.left.cuts -= 1;
                state.carries = false;
            }
            Action::NoticeCut(side) => disconnect(&mut state, side),
            Action::GoAlone(side) => self.go_alone(&mut state, side),
            Action::Connect => self.connect(&mut state),
            Action::PlaceAgain(side) => {
                let entry = self.to_place_again(&state, side)?;
                self.give_uid(&mut state, side, entry);
            }
        }
        self.show(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("P1: acknowledged is on a disk that held it", |_, state: &State| {
                state.acknowledged.iter().all(|(entry, disks)| {
                    [0, 1].into_iter().any(|side| {
                        let node = &state.nodes[side];
                        let durable = &node.log[..node.synced];
                        disks[side] && durable.iter().any(|record| record.entry == *entry)
                    }) || !disks.contains(&true)
                })
            }),
            Property::always(
                "P2: equal and nothing hidden when all is quiet",
                |pair: &Pair, state: &State| {
                    !quiet(state)
                        || (state.shown[0] == state.shown[1]
                            && state.nodes[0].log.len() == state.nodes[1].log.len()
                            && [0, 1].iter().all(|side| all_placed_is_shown(state, *side)))
                        || pair.to_place_again(state, 0).is_some()
                },
            ),
            Property::always("P3: a UID names one message", |_, state: &State| {
                state.broken != Some("P3")
            }),
            Property::always("P4: nothing new below UIDNEXT", |_, state: &State| {
                state.broken != Some("P4")
            }),
        ]
    }
}

impl Pair {
    fn lacks(&self, rule: Rule) -> bool {
        self.without == Some(rule)
    }

    fn may_place(state: &State, side: Side) -> bool {
        match state.nodes[side].mode {
            Mode::Alone => !state.nodes[side].ready_sent,
            Mode::Both => side == 0,
            Mode::Off | Mode::Waiting => false,
        }
    }

    fn ask(&self, state: &mut State, side: Side, entry: u8) {
        if state.nodes[side].mode == Mode::Both && side != 0 {
            send(state, side, Message::Request(entry));
        } else if Pair::may_place(state, side) && !is_placed(&state.nodes[side].log, entry) {
            self.give_uid(state, side, entry);
        }
    }

    fn give_uid(&self, state: &mut State, side: Side, entry: u8) {
        let node = &mut state.nodes[side];
        let top = node.log.iter().map(|record| record.uid).max().unwrap_or(0);
        let mut durable_first = false;
        let uid = if node.mode == Mode::Alone && !self.lacks(Rule::LaneJump) {
            if node.lane.is_none_or(|lane| top >= lane) {
                if node.lane.is_none() {
                    let writer = (side, node.incarnation);
                    let index = vector(&node.log).get(&writer).copied().unwrap_or(0);
                    node.lane_record = Some((writer, index));
                }
                let block = top / BLOCK + 2;
                node.lane = Some((block + u16::from(usize::from(block % 2) != side)) * BLOCK);
            }
            // What is placed as alone is on this disk before the peer hears of it.
            durable_first = !self.lacks(Rule::DurableFirst);
            let uid = node.lane.unwrap_or_default();
            node.lane = Some(uid + 1);
            uid
        } else {
            top + 1
        };
        let record = write(node, side, entry, uid);
        if durable_first && state.nodes[side].in_session {
            sync(state, side);
        }
        send(state, side, Message::Record(record));
    }

    fn to_place_again(&self, state: &State, side: Side) -> Option<u8> {
        let log = &state.nodes[side].log;
        let entries: BTreeSet<u8> = placements(log).map(|record| record.entry).collect();
        let mut hidden = entries
            .into_iter()
            .filter(|entry| best(log, *entry).is_some_and(|best| is_overtaken(best, log)));
        hidden.next().filter(|_| Pair::may_place(state, side))
    }

    fn connect(&self, state: &mut State) {
        state.left.joins -= 1;
        for side in [0, 1] {
            disconnect(state, side);
            state.wires[side].clear();
        }
        state.carries = true;
        let [a, b] = [vector(&state.nodes[0].log), vector(&state.nodes[1].log)];
        for (side, peer_has) in [(0, b), (1, a)] {
            let peer_blank = state.nodes[1 - side].blank;
            if peer_blank && !self.lacks(Rule::Floor) {
                let node = &mut state.nodes[side];
                let top = node.log.iter().map(|record| record.uid).max().unwrap_or(0);
                write(node, side, FLOOR, (top / BLOCK + FLOOR_BLOCKS) * BLOCK);
                node.synced = node.log.len();
            }
            let node = &mut state.nodes[side];
            if node.mode == Mode::Alone {
                node.synced = node.log.len();
            }
            node.in_session = true;
            node.peer_synced.clear();
            (node.ready_sent, node.peer_ready, node.peer_caught_up) = (false, false, false);
            let missing: Vec<Record> = node
                .log
                .iter()
                .filter(|r| peer_has.get(&r.writer).is_none_or(|count| r.index >= *count))
                .cloned()
                .collect();
            let synced = vector(&node.log[..node.synced]);
            state.wires[1 - side].extend(missing.into_iter().map(Message::Record));
            state.wires[1 - side].push(Message::CaughtUp);
            state.wires[1 - side].push(Message::Synced(synced));
        }
    }

    fn receive(&self, state: &mut State, side: Side) {
        match state.wires[side].remove(0) {
            Message::Record(record) => {
                let node = &mut state.nodes[side];
                let held = vector(&node.log).get(&record.writer).copied().unwrap_or(0);
                assert!(record.index <= held, "no hole");
                if record.index == held {
                    node.log.push(record);
                }
            }
            Message::CaughtUp => {
                state.nodes[side].peer_caught_up = true;
                self.maybe_ready(state, side);
            }
            Message::Ready => {
                sync(state, side);
                state.nodes[side].peer_ready = true;
                self.maybe_both(state, side);
            }
            Message::Synced(vector) => {
                state.nodes[side].peer_synced.extend(vector);
                self.maybe_ready(state, side);
            }
            Message::Request(entry) => {
                if Pair::may_place(state, side) && !is_placed(&state.nodes[side].log, entry) {
                    self.give_uid(state, side, entry);
                }
            }
        }
    }

    fn maybe_ready(&self, state: &mut State, side: Side) {
        let node = &mut state.nodes[side];
        let knows_lane = node.lane_record.is_none_or(|(writer, index)| {
            node.peer_synced.get(&writer).is_some_and(|count| *count > index)
        });
        if node.mode == Mode::Both || !node.peer_caught_up || node.ready_sent || !knows_lane {
            return;
        }
        node.ready_sent = true;
        node.lane = None;
        let leaving = (last_view(node, side) == Some(ALONE)).then(|| write(node, side, LEAVING, 0));
        sync(state, side);
        if let Some(leaving) = leaving {
            send(state, side, Message::Record(leaving));
        }
        send(state, side, Message::Ready);
        self.maybe_both(state, side);
    }

    fn maybe_both(&self, state: &mut State, side: Side) {
        let node = &mut state.nodes[side];
        let peer_ready = node.peer_ready || self.lacks(Rule::PeerReady);
        if !node.ready_sent || !peer_ready || node.mode == Mode::Both {
            return;
        }
        enter(node, Mode::Both);
        (node.blank, node.lane, node.lane_record) = (false, None, None);
        self.ask_all(state, side);
    }

    fn go_alone(&self, state: &mut State, side: Side) {
        state.left.alarms -= 1;
        state.carries = false;
        disconnect(state, side);
        enter(&mut state.nodes[side], Mode::Alone);
        write(&mut state.nodes[side], side, ALONE, 0);
        self.ask_all(state, side);
    }

    fn ask_all(&self, state: &mut State, side: Side) {
        for entry in state.nodes[side].pending.clone() {
            self.ask(state, side, entry);
        }
    }

    /// Shows and acknowledges at once what the rules allow, and checks what clients were told.
    fn show(&self, state: &mut State) {
        for side in [0, 1] {
            let node = &mut state.nodes[side];
            if !matches!(node.mode, Mode::Alone | Mode::Both) {
                continue;
            }
            while node.committed < node.synced {
                let record = &node.log[node.committed];
                let there = node.peer_synced.get(&record.writer).is_some_and(|n| *n > record.index);
                if node.mode == Mode::Both && !there && !self.lacks(Rule::PeerSync) {
                    break;
                }
                node.committed += 1;
            }
            if node.committed < node.serves_from {
                continue;
            }
            let committed = &node.log[..node.committed];
            let both = node.mode == Mode::Both;
            let disks = [both || side == 0, both || side == 1];
            let done = |entry: &u8| is_placed(committed, *entry);
            state.acknowledged.extend(node.pending.iter().filter(|e| done(e)).map(|e| (*e, disks)));
            let visible = self.visible(committed);
            node.pending.retain(|entry| !is_placed(&node.log[..node.committed], *entry));
            for (uid, entry) in &visible {
                if state.shown[side].get(uid) == Some(entry) {
                    continue;
                }
                if *state.owner.entry(*uid).or_insert(*entry) != *entry {
                    state.broken = Some("P3");
                } else if *uid < state.uid_next[side] {
                    state.broken = Some("P4");
                }
                state.uid_next[side] = state.uid_next[side].max(uid + 1);
            }
            state.shown[side] = visible;
        }
    }

    fn visible(&self, committed: &[Record]) -> BTreeMap<u16, u8> {
        let entries: BTreeSet<u8> = placements(committed).map(|record| record.entry).collect();
        let best = entries.iter().filter_map(|entry| best(committed, *entry));
        best.filter(|place| self.lacks(Rule::Hiding) || !is_overtaken(place, committed))
            .map(|place| (place.uid, place.entry))
            .collect()
    }
}

fn vector(log: &[Record]) -> Vector {
    let mut vector = Vector::new();
    for record in log {
        *vector.entry(record.writer).or_default() += 1;
    }
    vector
}

fn placements(log: &[Record]) -> impl Iterator<Item = &Record> {
    log.iter().filter(|record| record.entry < LEAVING)
}

fn is_placed(log: &[Record], entry: u8) -> bool {
    log.iter().any(|record| record.entry == entry)
}

fn best(log: &[Record], entry: u8) -> Option<&Record> {
    log.iter().filter(|record| record.entry == entry).max_by_key(|record| record.uid)
}

fn is_overtaken(place: &Record, log: &[Record]) -> bool {
    placements(log).any(|other| {
        other.uid > place.uid
            && other.entry != place.entry
            && !place.saw(other)
            && !other.saw(place)
    })
}

fn write(node: &mut Node, side: Side, entry: u8, uid: u16) -> Record {
    let writer = (side, node.incarnation);
    let seen = vector(&node.log);
    let index = seen.get(&writer).copied().unwrap_or(0);
    let record = Record { writer, index, seen, entry, uid };
    node.log.push(record.clone());
    record
}

fn send(state: &mut State, from: Side, message: Message) {
    if state.nodes[from].in_session && state.carries {
        state.wires[1 - from].push(message);
    }
}

fn sync(state: &mut State, side: Side) {
    let node = &mut state.nodes[side];
    node.synced = node.log.len();
    let vector = vector(&node.log);
    send(state, side, Message::Synced(vector));
}

fn start(node: &mut Node, side: Side) {
    node.incarnation += 1;
    node.mode = Mode::Waiting;
    (node.committed, node.serves_from) = (0, usize::MAX);
    node.peer_synced.clear();
    (node.ready_sent, node.peer_ready, node.peer_caught_up) = (false, false, false);
    // The episode goes on, if it is not over.
    (node.lane, node.lane_record) = (None, None);
    if last_view(node, side) == Some(ALONE) {
        let own: Vec<&Record> = node.log.iter().filter(|record| record.writer.0 == side).collect();
        let over = own.iter().rposition(|record| record.entry == LEAVING).map_or(0, |at| at + 1);
        let given = own[over..].iter().skip_while(|record| record.entry != ALONE);
        node.lane = given.map(|record| record.uid + 1).max().filter(|lane| *lane > 1);
        node.lane_record = own.last().map(|record| (record.writer, record.index));
    }
}

/// This side's last view that is in its log.
fn last_view(node: &Node, side: Side) -> Option<u8> {
    let own = node.log.iter().rev().filter(|record| record.writer.0 == side);
    let mut views = own.filter(|record| record.entry == ALONE || record.entry == LEAVING);
    views.next().map(|record| record.entry)
}

fn enter(node: &mut Node, mode: Mode) {
    node.mode = mode;
    if node.serves_from == usize::MAX {
        node.serves_from = node.log.len();
    }
}

/// What only this disk held is lost, and with it what only its clients saw.
fn new_disk(state: &mut State, side: Side) {
    state.left.new_disks -= 1;
    let node = &mut state.nodes[side];
    node.log.clear();
    node.synced = 0;
    node.blank = true;
    state.acknowledged.values_mut().for_each(|disks| disks[side] = false);
    state.shown[side].clear();
    state.uid_next[side] = 1;
}

fn disconnect(state: &mut State, side: Side) {
    state.wires[side].clear();
    let node = &mut state.nodes[side];
    if !std::mem::take(&mut node.in_session) {
        return;
    }
    if node.mode == Mode::Both {
        node.mode = Mode::Waiting;
    } else if node.ready_sent && node.mode == Mode::Alone {
        // It had promised to stop: a new episode.
        write(node, side, ALONE, 0);
    }
    (node.ready_sent, node.peer_ready) = (false, false);
}

fn quiet(state: &State) -> bool {
    let settled = |node: &Node| {
        node.mode == Mode::Both && node.synced == node.log.len() && node.committed == node.synced
    };
    state.carries
        && state.wires.iter().all(Vec::is_empty)
        && state.nodes.iter().all(|node| settled(node) && node.in_session)
}

fn all_placed_is_shown(state: &State, side: Side) -> bool {
    let placed: BTreeSet<u8> =
        placements(&state.nodes[side].log).map(|record| record.entry).collect();
    placed == state.shown[side].values().copied().collect()
}

const BOUNDS: Bounds =
    Bounds { deliveries: 3, crashes: 2, cuts: 1, alarms: 3, joins: 2, new_disks: 1 };

fn depth() -> usize {
    std::env::var("MODEL_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(DEPTH)
}

#[test]
fn the_rules_keep_the_promises() {
    let pair = Pair { bounds: BOUNDS, without: None };
    let checker = pair.checker().threads(2).target_max_depth(depth()).spawn_bfs().join();
    println!("{} states to depth {}", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

/// The shortest way to any broken promise, with little besides that the rule needs.
fn breaks(rule: Rule, bounds: Bounds, promise: &str) {
    let pair = Pair { bounds, without: Some(rule) };
    let found = HasDiscoveries::AnyFailures;
    let checker = pair.checker().threads(2).finish_when(found).spawn_bfs().join();
    let found = checker.discoveries();
    let names: Vec<_> = found.keys().collect();
    assert!(names.iter().any(|name| name.starts_with(promise)), "{rule:?} broke only {names:?}");
}

const NOTHING: Bounds =
    Bounds { deliveries: 0, crashes: 0, cuts: 0, alarms: 0, joins: 0, new_disks: 0 };

#[test]
fn without_lanes_two_messages_get_one_uid() {
    breaks(Rule::LaneJump, Bounds { deliveries: 2, alarms: 2, ..NOTHING }, "P3");
}

#[test]
fn without_the_peers_sync_a_lost_disk_loses_mail() {
    let bounds = Bounds { deliveries: 1, crashes: 1, new_disks: 1, ..NOTHING };
    breaks(Rule::PeerSync, bounds, "P1");
}

#[test]
fn without_a_floor_a_lost_uid_comes_again() {
    let bounds = Bounds { deliveries: 2, crashes: 1, alarms: 1, joins: 1, new_disks: 1, ..NOTHING };
    breaks(Rule::Floor, bounds, "P3");
}

#[test]
fn without_hiding_mail_comes_below_uidnext() {
    breaks(Rule::Hiding, Bounds { deliveries: 2, alarms: 2, joins: 1, ..NOTHING }, "P4");
}

#[test]
fn a_lane_that_the_peer_knows_before_this_disk_does_is_entered_twice() {
    let bounds = Bounds { deliveries: 2, crashes: 1, alarms: 3, joins: 1, ..NOTHING };
    breaks(Rule::DurableFirst, bounds, "P3");
}

#[test]
fn without_the_peers_word_both_place_at_once() {
    breaks(Rule::PeerReady, Bounds { deliveries: 3, alarms: 2, joins: 1, ..NOTHING }, "P3");
}
