//! Random causally consistent histories of two boxes, and what they must look like by the naive rule.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::Index;
use record::op::Stamp;
use record::{
    AccountId, BodyRef, Clock, Codec, Entry, EntryId, FlagChange, MailboxId, ModSeq, Op, Record,
    Side, Uid, Vector, Writer,
};

/// SplitMix64: small, seeded, good enough to wander.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len() as u64) as usize) }
    }
}

/// A record and everything its writer held when writing it, its own records included.
#[derive(Clone, Debug)]
pub struct Written {
    pub record: Record,
    pub held: Vector,
}

impl Written {
    pub fn saw(&self, other: &Written) -> bool {
        self.held.get(&other.record.writer).is_some_and(|n| *n > other.record.index)
    }
}

/// One box: what it holds, in order of arrival, and what it last told.
pub struct Writing {
    pub writer: Writer,
    pub log: Vec<Written>,
    told: Vector,
    clock: u64,
}

impl Writing {
    pub fn new(side: Side, incarnation: u128) -> Writing {
        Writing {
            writer: Writer { side, incarnation },
            log: Vec::new(),
            told: Vector::new(),
            clock: 0,
        }
    }

    pub fn held(&self) -> Vector {
        let mut held = Vector::new();
        for written in &self.log {
            held.insert(written.record.writer, written.record.index + 1);
        }
        held
    }

    pub fn write(&mut self, op: Op) {
        let held = self.held();
        let index = held.get(&self.writer).copied().unwrap_or(0);
        let seen = held
            .iter()
            .filter(|(w, n)| **w != self.writer && self.told.get(w) != Some(n))
            .map(|(w, n)| (*w, *n))
            .collect();
        self.clock += 1;
        self.told = held.clone();
        let record = Record {
            writer: self.writer,
            index,
            clock: Clock(self.clock),
            seen,
            op,
            codec: Codec::Raw,
            payload: Vec::new(),
        };
        self.log.push(Written { record, held });
    }

    /// Takes the first `limit` records that the other holds and this one lacks, in the other's order.
    pub fn take(&mut self, other: &Writing, limit: usize) {
        let held = self.held();
        let lacking = other
            .log
            .iter()
            .filter(|w| w.record.index >= held.get(&w.record.writer).copied().unwrap_or(0));
        for written in lacking.take(limit).cloned().collect::<Vec<_>>() {
            self.clock = self.clock.max(written.record.clock.0);
            self.log.push(written);
        }
    }

    /// A restart: the same disk, another journal.
    pub fn restart(&mut self, incarnation: u128) {
        self.writer.incarnation = incarnation;
        self.told = Vector::new();
        self.write(Op::Start);
    }
}

/// Whose journal the bodies of all entries here are in.
pub const BODIES: Writer = Writer { side: Side::A, incarnation: 77 };

pub fn entry(id: u128, mailbox: u128, flags: &[&str]) -> Entry {
    Entry {
        entry: EntryId(id),
        mailbox: MailboxId(mailbox),
        body: BodyRef {
            writer: BODIES,
            index: id as u64 * 3,
            parts: 2,
            header_bytes: 10,
            size_bytes: 100 + id as u32,
        },
        internal_date_s: 1_700_000_000,
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
    }
}

/// How UIDs are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uids {
    /// Above everything known, in small lanes of the side's parity, as sound boxes do.
    Lanes,
    /// Anywhere free: no sound box, but no index may differ over it.
    Wild,
}

/// A history of two boxes, as the union of what both hold, in one causally closed order.
pub fn random(seed: u64, steps: u32, uids: Uids) -> Vec<Written> {
    let mut random = Random(seed);
    let mut boxes = [Writing::new(Side::A, 1), Writing::new(Side::B, 1)];
    boxes[0].write(Op::Start);
    for mailbox in 1..=2 {
        boxes[0].write(Op::CreateMailbox {
            mailbox: MailboxId(mailbox),
            account: AccountId(9),
            name: format!("box {mailbox}"),
            uid_validity: mailbox as u32,
        });
    }
    let log = Writing { log: boxes[0].log.clone(), ..Writing::new(Side::A, 0) };
    boxes[1].take(&log, 99);
    boxes[1].write(Op::Start);
    let mut next_entry = 1;
    let mut used = BTreeSet::new();
    for step in 0..steps {
        let at = random.below(2) as usize;
        let [a, b] = &mut boxes;
        let (here, there) = if at == 0 { (a, &*b) } else { (b, &*a) };
        match random.below(24) {
            0..5 => here.take(there, random.below(6) as usize + 1),
            5 if random.below(4) == 0 => here.restart(u128::from(step) + 2),
            _ => {
                let op = random_op(&mut random, here, &mut next_entry, &mut used, uids);
                here.write(op);
            }
        }
    }
    let [mut a, b] = boxes;
    a.take(&b, usize::MAX);
    a.log
}

fn random_op(
    random: &mut Random,
    here: &Writing,
    next_entry: &mut u128,
    used: &mut BTreeSet<(MailboxId, u32)>,
    uids: Uids,
) -> Op {
    let mailbox = MailboxId(u128::from(random.below(2)) + 1);
    let known: Vec<Entry> =
        here.log.iter().filter_map(|w| Some(w.record.op.placement()?.0.clone())).collect();
    let modseq = match uids {
        Uids::Wild => ModSeq(random.below(1000) + 1),
        Uids::Lanes => {
            ModSeq(here.log.iter().map(|w| modseq_of(&w.record.op)).max().unwrap_or(0).max(1) + 1)
        }
    };
    let flags = ["\\Seen", "\\seen", "\\Flagged", "$Junk"];
    let mut some = || vec![flags[random.below(4) as usize].to_owned()];
    let (set, clear) = (some(), some());
    let change = |entry: &Entry| FlagChange {
        entry: entry.entry,
        modseq,
        set: set.clone(),
        clear: clear.clone(),
    };
    let kind = random.below(40);
    let chosen = random.pick(&known).cloned();
    match (kind, chosen) {
        (0..5, Some(known)) => {
            let uid = choose_uid(random, here, known.mailbox, used, uids);
            Op::Place { entry: known, uid, modseq }
        }
        (5..12, Some(known)) => {
            Op::Flags { mailbox: known.mailbox, changes: vec![change(&known)], made: None }
        }
        (12..15, Some(known)) => {
            Op::Expunge { mailbox: known.mailbox, entries: vec![known.entry], modseq }
        }
        (15..18, Some(known)) => {
            let new = entry(new_id(next_entry), mailbox.0, &["\\Answered"]);
            let new = Entry { body: known.body, ..new };
            let uid = choose_uid(random, here, mailbox, used, uids);
            Op::Move {
                entry: new,
                uid,
                modseq,
                from: known.entry,
                from_mailbox: known.mailbox,
                from_modseq: modseq,
            }
        }
        (18, _) => Op::DeleteMailbox { mailbox: MailboxId(2) },
        (23..27, _) => join(random, here, used, uids, modseq),
        (19, _) => {
            let (uid, lost) = (Uid(kind as u32), kind as u128);
            Op::Floor { account: AccountId(9), uid, modseq, lost }
        }
        (20, _) => Op::RenameMailbox { mailbox, name: format!("name {}", random.below(3)) },
        (21, _) => Op::Subscribe {
            account: AccountId(9),
            name: "inbox".into(),
            subscribed: random.below(2) == 0,
        },
        (22, _) => Op::CreateMailbox {
            mailbox: MailboxId(3 + u128::from(random.below(2))),
            account: AccountId(9),
            name: format!("name {}", random.below(3)),
            uid_validity: random.below(99) as u32,
        },
        _ => {
            let born: &[&str] = if random.below(2) == 0 { &["\\Draft"] } else { &[] };
            let new = entry(new_id(next_entry), mailbox.0, born);
            let uid = choose_uid(random, here, mailbox, used, uids);
            Op::Place { entry: new, uid, modseq }
        }
    }
}

/// The highest MODSEQ in a record.
fn modseq_of(op: &Op) -> u64 {
    match op {
        Op::Place { modseq, .. } | Op::Expunge { modseq, .. } => modseq.0,
        Op::Move { modseq, from_modseq, .. } => modseq.0.max(from_modseq.0),
        Op::Flags { changes, .. } => changes.iter().map(|c| c.modseq.0).max().unwrap_or(0),
        _ => 0,
    }
}

/// What the home would write for two mailboxes of one name, going by what this box holds.
fn join(
    random: &mut Random,
    here: &Writing,
    used: &mut BTreeSet<(MailboxId, u32)>,
    uids: Uids,
    modseq: ModSeq,
) -> Op {
    let index = Index::memory();
    apply(&index, &here.log, &mut Random(1));
    let Some(join) = index.joinable(4).unwrap().into_iter().next() else { return Op::Start };
    if let Some(name) = join.rename {
        return Op::RenameMailbox { mailbox: join.from, name };
    }
    let (from, entry) = random.pick(&join.moves).unwrap().clone();
    let uid = choose_uid(random, here, join.to, used, uids);
    let from_mailbox = join.from;
    Op::Move { entry, uid, modseq, from, from_mailbox, from_modseq: modseq }
}

fn new_id(next: &mut u128) -> u128 {
    *next += 1;
    *next
}

fn choose_uid(
    random: &mut Random,
    here: &Writing,
    mailbox: MailboxId,
    used: &mut BTreeSet<(MailboxId, u32)>,
    uids: Uids,
) -> Uid {
    const LANE: u32 = 8;
    let placed = here.log.iter().filter_map(|w| w.record.op.placement());
    let top = placed.filter(|(e, _)| e.mailbox == mailbox).map(|(_, uid)| uid.0).max().unwrap_or(0);
    let parity = u32::from(here.writer.side == Side::B);
    let mut uid = match uids {
        Uids::Wild => random.below(400) as u32 + 1,
        Uids::Lanes if top > 0 && (top / LANE) % 2 == parity => top + 1,
        Uids::Lanes => {
            let block = top / LANE + 2;
            (block + u32::from(block % 2 != parity)) * LANE
        }
    };
    while !used.insert((mailbox, uid)) || (uids == Uids::Lanes && (uid / LANE) % 2 != parity) {
        uid += 1;
    }
    Uid(uid)
}

/// Another causally closed order of the same records.
pub fn shuffled(history: &[Written], random: &mut Random) -> Vec<Written> {
    let mut journals: BTreeMap<Writer, Vec<&Written>> = BTreeMap::new();
    for written in history {
        journals.entry(written.record.writer).or_default().push(written);
    }
    for journal in journals.values_mut() {
        journal.sort_by_key(|w| w.record.index);
    }
    let writers: Vec<Writer> = journals.keys().copied().collect();
    let mut out: Vec<Written> = Vec::new();
    let mut done = Vector::new();
    while out.len() < history.len() {
        let writer = writers[random.below(writers.len() as u64) as usize];
        let at = done.get(&writer).copied().unwrap_or(0);
        let Some(next) = journals[&writer].get(at as usize) else { continue };
        let ready =
            next.held.iter().all(|(w, n)| *w == writer || done.get(w).copied().unwrap_or(0) >= *n);
        if ready {
            done.insert(writer, at + 1);
            out.push((*next).clone());
        }
    }
    out
}

/// Applies a history in batches of random size.
pub fn apply(index: &Index, history: &[Written], random: &mut Random) {
    let mut rest = history;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at((random.below(9) as usize + 1).min(rest.len()));
        let from = index.applied();
        let batch: Vec<(u64, Record)> =
            (from..).zip(batch.iter().map(|w| w.record.clone())).collect();
        index.apply(&batch).unwrap();
        rest = later;
    }
}

/// What a client sees of each mailbox: (UID, entry, flags). A port of `visible` in the model with no
/// thought for speed, and flags by the same bare rule.
pub fn visible(history: &[Written]) -> BTreeMap<(MailboxId, Uid), (EntryId, BTreeSet<String>)> {
    let placed: Vec<(&Written, &Entry, Uid)> = history
        .iter()
        .filter_map(|w| w.record.op.placement().map(|(entry, uid)| (w, entry, uid)))
        .collect();
    let gone = gone(history);
    let mut best: BTreeMap<EntryId, (&Written, &Entry, Uid)> = BTreeMap::new();
    for p in &placed {
        let known = best.entry(p.1.entry).or_insert(*p);
        if p.2 > known.2 {
            *known = *p;
        }
    }
    let mut out = BTreeMap::new();
    for (id, (p, entry, uid)) in best {
        let overtaken = placed.iter().any(|(q, other, other_uid)| {
            other.mailbox == entry.mailbox
                && *other_uid > uid
                && other.entry != id
                && !p.saw(q)
                && !q.saw(p)
        });
        if !overtaken && !gone.contains(&id) {
            out.insert((entry.mailbox, uid), (id, flags(history, entry)));
        }
    }
    out
}

/// Is it a join? Entries of other kinds have small ids here.
fn is_join(new: EntryId) -> bool {
    new.0 >> 64 != 0
}

/// Everything that an entry was before its mailboxes were joined to others, itself included.
fn lives(history: &[Written], entry: EntryId) -> BTreeSet<EntryId> {
    let mut lives = BTreeSet::from([entry]);
    loop {
        let before = lives.len();
        for w in history {
            if let Op::Move { entry, from, .. } = &w.record.op
                && is_join(entry.entry)
                && lives.contains(&entry.entry)
            {
                lives.insert(*from);
            }
        }
        if lives.len() == before {
            return lives;
        }
    }
}

/// The records that ended an entry.
fn ends(history: &[Written], entry: EntryId) -> Vec<&Written> {
    let lives = lives(history, entry);
    let ends = |w: &Written| match &w.record.op {
        Op::Expunge { entries, .. } => entries.iter().any(|e| lives.contains(e)),
        Op::Move { from, entry: new, .. } if is_join(new.entry) => *from == entry,
        Op::Move { from, .. } => lives.contains(from),
        Op::DeleteMailbox { mailbox } => history
            .iter()
            .filter(|p| w.saw(p))
            .filter_map(|p| p.record.op.placement())
            .any(|(placed, _)| placed.mailbox == *mailbox && placed.entry == entry),
        _ => false,
    };
    history.iter().filter(|w| ends(w)).collect()
}

fn gone(history: &[Written]) -> BTreeSet<EntryId> {
    let placed = history.iter().filter_map(|w| w.record.op.placement());
    let entries: BTreeSet<EntryId> = placed.map(|(entry, _)| entry.entry).collect();
    entries.into_iter().filter(|entry| !ends(history, *entry).is_empty()).collect()
}

/// Of each body (by its first index): what ended all of its entries, or nothing while one lives.
pub fn dead_bodies(history: &[Written]) -> BTreeMap<u64, Option<Vector>> {
    let mut bodies = BTreeMap::new();
    for (entry, _) in history.iter().filter_map(|w| w.record.op.placement()) {
        let body = bodies.entry(entry.body.index).or_insert_with(|| Some(Vector::new()));
        let ends = ends(history, entry.entry);
        if ends.is_empty() {
            *body = None;
        }
        if let Some(body) = body {
            for w in ends {
                let known = body.entry(w.record.writer).or_default();
                *known = (*known).max(w.record.index + 1);
            }
        }
    }
    bodies
}

/// Entries whose latest changes a client would miss that goes by MODSEQ.
pub fn stale(history: &[Written]) -> BTreeSet<EntryId> {
    // Record, entry, mailbox, MODSEQ; whether it is a change that shows, or a join.
    let mut touches: Vec<(&Written, EntryId, MailboxId, ModSeq, bool)> = Vec::new();
    let mut became = BTreeSet::new();
    for w in history {
        match &w.record.op {
            Op::Place { entry, modseq, .. } => {
                touches.push((w, entry.entry, entry.mailbox, *modseq, true));
            }
            Op::Flags { mailbox, changes, .. } => touches.extend(changes.iter().map(|c| {
                (w, c.entry, *mailbox, c.modseq, !(c.set.is_empty() && c.clear.is_empty()))
            })),
            Op::Expunge { mailbox, entries, modseq } => {
                touches.extend(entries.iter().map(|e| (w, *e, *mailbox, *modseq, true)));
            }
            Op::Move { entry, modseq, from, from_mailbox, from_modseq, .. } => {
                touches.push((w, entry.entry, entry.mailbox, *modseq, true));
                touches.push((w, *from, *from_mailbox, *from_modseq, !is_join(entry.entry)));
                if is_join(entry.entry) {
                    became.insert(*from);
                }
            }
            _ => {}
        }
    }
    let highest = |q: &Written, mailbox: MailboxId| {
        let own = touches.iter().filter(|t| t.2 == mailbox && t.0.record.writer == q.record.writer);
        own.filter(|t| t.0.record.index <= q.record.index).map(|t| t.3).max()
    };
    let mut stale = BTreeSet::new();
    for (w, entry, mailbox, modseq, shows) in &touches {
        if touches.iter().any(|later| later.1 == *entry && is_later(later.0, w)) {
            continue;
        }
        let overtaken = touches.iter().any(|q| {
            q.2 == *mailbox
                && !same(q.0, w)
                && !q.0.saw(w)
                && !w.saw(q.0)
                && highest(q.0, *mailbox) >= Some(*modseq)
        });
        if overtaken || (*shows && became.contains(entry)) {
            stale.insert(*entry);
        }
    }
    stale
}

fn same(one: &Written, other: &Written) -> bool {
    one.record.address() == other.record.address()
}

/// Did the one that wrote `later` hold `earlier`?
fn is_later(later: &Written, earlier: &Written) -> bool {
    let own =
        later.record.writer == earlier.record.writer && later.record.index > earlier.record.index;
    own || (!same(later, earlier) && later.saw(earlier))
}

fn flags(history: &[Written], entry: &Entry) -> BTreeSet<String> {
    let lives = lives(history, entry.entry);
    let mut latest: BTreeMap<String, (Option<Stamp>, bool)> =
        entry.flags.iter().map(|f| (f.to_ascii_lowercase(), (None, true))).collect();
    for w in history {
        let Op::Flags { changes, .. } = &w.record.op else { continue };
        let stamp = Stamp { clock: w.record.clock, writer: w.record.writer };
        for change in changes.iter().filter(|c| lives.contains(&c.entry)) {
            let both = [(true, &change.set), (false, &change.clear)];
            for (set, flag) in both.iter().flat_map(|(set, flags)| flags.iter().map(|f| (*set, f)))
            {
                let known = latest.entry(flag.to_ascii_lowercase()).or_insert((None, false));
                if known.0.as_ref().is_none_or(|s| !s.later_than(&stamp)) {
                    *known = (Some(stamp.clone()), set);
                }
            }
        }
    }
    latest.into_iter().filter(|(_, (_, set))| *set).map(|(flag, _)| flag).collect()
}
