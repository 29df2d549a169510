//! The state is a function of the set of records: any causally closed order gives the same index, and
//! what it shows is what the naive rule says.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::{BodyState, Index};
use record::{Address, EntryId, FlagChange, MailboxId, ModSeq, Side, Uid, Vector};

use crate::history::{self, Random, Uids, Written};

const SEEDS: u64 = 300;
const STEPS: u32 = 90;

#[test]
fn every_order_gives_the_same_index() {
    for (seed, uids) in (0..SEEDS).flat_map(|seed| [(seed, Uids::Lanes), (seed, Uids::Wild)]) {
        let mut random = Random(seed);
        let history = history::random(seed, STEPS, uids);
        let first = index_of(&history, &mut random);
        let digest = first.digest().unwrap();
        for _ in 0..3 {
            let other = history::shuffled(&history, &mut random);
            let second = index_of(&other, &mut random);
            assert_eq!(
                second.digest().unwrap(),
                digest,
                "seed {seed} {uids:?}\n{:?}\n{:?}",
                shown(&first),
                shown(&second)
            );
            assert_eq!(work(&second), work(&first), "seed {seed} {uids:?}");
        }
    }
}

#[test]
fn what_is_shown_is_what_the_model_shows() {
    let mut hidden = 0;
    for (seed, uids) in (0..SEEDS).flat_map(|seed| [(seed, Uids::Lanes), (seed, Uids::Wild)]) {
        let mut random = Random(seed);
        let history = history::random(seed, STEPS, uids);
        let index = Index::memory();
        // Also halfway: what is hidden changes as records arrive.
        for end in [history.len() / 2, history.len()] {
            let done = index.applied() as usize;
            history::apply(&index, &history[done..end], &mut random);
            assert_eq!(
                shown(&index),
                history::visible(&history[..end]),
                "seed {seed} {uids:?} after {end}"
            );
        }
        hidden += index.counts().unwrap().hidden;
    }
    assert!(hidden > SEEDS, "the histories hide something: {hidden}");
}

/// Bodies that are dead, by what killed them, and entries that must be stamped again.
#[test]
fn what_is_dead_and_what_is_stale_is_what_the_model_says() {
    let (mut dead, mut stale, mut joined) = (0, 0, 0);
    for (seed, uids) in (0..SEEDS).flat_map(|seed| [(seed, Uids::Lanes), (seed, Uids::Wild)]) {
        let history = history::random(seed, STEPS, uids);
        let index = index_of(&history, &mut Random(seed));
        for (first, expected) in history::dead_bodies(&history) {
            for part in first..first + 2 {
                let address = Address { writer: history::BODIES, index: part };
                let state = index.body_state(address).unwrap();
                match &expected {
                    None => assert_eq!(state, BodyState::Living, "seed {seed} {uids:?}"),
                    Some(ended) => {
                        let ended = ended.clone();
                        assert!(index.body_is_dead(address, &ended).unwrap());
                        assert!(!index.body_is_dead(address, &Vector::new()).unwrap());
                        assert_eq!(state, BodyState::Dead { ended }, "seed {seed} {uids:?}");
                        dead += 1;
                    }
                }
            }
            let gap = Address { writer: history::BODIES, index: first + 2 };
            assert_eq!(index.body_state(gap).unwrap(), BodyState::Unknown);
        }
        let expected = history::stale(&history);
        stale += expected.len();
        joined += history.iter().filter(|w| is_join(w)).count();
        let told = index.overtaken_modseqs(usize::MAX).unwrap();
        let told: BTreeSet<EntryId> =
            told.into_iter().flat_map(|stale| stale.entries).map(|(_, entry)| entry).collect();
        for entry in told.clone() {
            let heir = entry.0 >> 64 != 0;
            assert!(heir || expected.contains(&entry), "seed {seed} {uids:?} {entry:?}");
        }
        for entry in expected {
            let hidden = index.entry(entry).unwrap().is_some_and(|state| state.hidden);
            let known = told.contains(&entry);
            // What waits to be placed again gets its MODSEQ so.
            assert!(known || hidden, "seed {seed} {uids:?} {entry:?}");
        }
    }
    assert!(dead > 1000 && stale > 1000 && joined > 100, "{dead} {stale} {joined}");
}

fn is_join(written: &Written) -> bool {
    matches!(&written.record.op, record::Op::Move { entry, .. } if entry.entry.0 >> 64 != 0)
}

/// A client that goes by MODSEQ, and asks after each record, has everything once the home is done.
#[test]
fn a_client_that_goes_by_modseq_misses_nothing() {
    for seed in 0..SEEDS {
        let history = history::random(seed, STEPS, Uids::Lanes);
        let index = Index::memory();
        let mut known: BTreeMap<MailboxId, (ModSeq, BTreeMap<EntryId, Vec<String>>)> =
            BTreeMap::new();
        let mut log: Vec<_> = history.iter().map(|w| w.record.clone()).collect();
        let mut at = 0;
        let mut home = history::Writing::new(Side::A, 999);
        for written in &history {
            home.log.push(written.clone());
        }
        loop {
            while at < log.len() {
                index.apply(&[(at as u64, log[at].clone())]).unwrap();
                at += 1;
                for mailbox in index.mailboxes_all().unwrap() {
                    let (since, rows) = known.entry(mailbox.id).or_default();
                    for row in index.messages(mailbox.id).unwrap() {
                        if row.modseq > *since {
                            rows.insert(row.entry, row.flags);
                        }
                    }
                    *since = mailbox.highest_modseq;
                }
            }
            let again = index.overtaken_modseqs(5).unwrap();
            if again.is_empty() {
                break;
            }
            let mut given = 0;
            for (mailbox, entry) in again.into_iter().flat_map(|stale| stale.entries) {
                given += 1;
                let modseq = ModSeq(index.top(mailbox).unwrap().1.0 + given);
                let change = FlagChange { entry, modseq, set: Vec::new(), clear: Vec::new() };
                home.write(record::Op::Flags { mailbox, changes: vec![change], made: None });
                log.push(home.log.last().unwrap().record.clone());
            }
        }
        for mailbox in index.mailboxes_all().unwrap() {
            for row in index.messages(mailbox.id).unwrap() {
                let told = known[&mailbox.id].1.get(&row.entry);
                assert_eq!(told, Some(&row.flags), "seed {seed} {row:?}");
            }
        }
    }
}

#[test]
fn a_delta_is_what_changed() {
    for seed in 0..50 {
        let history = history::random(seed, STEPS, Uids::Lanes);
        let index = Index::memory();
        let mut kept: BTreeMap<MailboxId, (u64, BTreeMap<Uid, mailbox::Row>)> = BTreeMap::new();
        let mut random = Random(seed);
        for (position, written) in (0..).zip(&history) {
            index.apply(&[(position, written.record.clone())]).unwrap();
            for id in (1..=4).map(MailboxId).filter(|_| random.below(4) == 0) {
                let (version, rows) = kept.entry(id).or_default();
                let delta = index.delta(id, *version).unwrap().expect("few changes are known");
                *version = delta.version;
                delta.gone.iter().for_each(|uid| drop(rows.remove(uid)));
                rows.extend(delta.rows.into_iter().map(|row| (row.uid, row)));
                let now: Vec<_> = rows.values().cloned().collect();
                assert_eq!(now, index.messages(id).unwrap(), "seed {seed} at {position}");
                assert_eq!(*version, index.version(id).unwrap());
                assert_eq!(index.delta(id, *version + 1).unwrap(), None, "not from this process");
                let page = index.messages_from(id, Uid(9), 3).unwrap();
                let later: Vec<_> = rows.range(Uid(9)..).map(|(_, row)| row.clone()).collect();
                assert_eq!(page, later[..later.len().min(3)]);
            }
        }
    }
}

#[test]
fn applying_twice_changes_nothing() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let history = history::random(seed, STEPS, Uids::Lanes);
        let index = index_of(&history, &mut random);
        let digest = index.digest().unwrap();
        history::apply(&index, &history, &mut random);
        assert_eq!(index.digest().unwrap(), digest, "seed {seed}");
    }
}

#[test]
fn counts_agree_with_the_messages() {
    for seed in 0..50 {
        let history = history::random(seed, STEPS, Uids::Lanes);
        let index = index_of(&history, &mut Random(seed));
        for mailbox in index.mailboxes_all().unwrap() {
            let rows = index.messages(mailbox.id).unwrap();
            let seen = |flags: &[String]| flags.iter().any(|f| f.eq_ignore_ascii_case("\\Seen"));
            let unseen = rows.iter().filter(|row| !seen(&row.flags)).count();
            assert_eq!(
                (mailbox.messages, mailbox.unseen),
                (rows.len() as u64, unseen as u64),
                "seed {seed}"
            );
            let deleted = |row: &&mailbox::Row| row.flags.iter().any(|f| f == "\\Deleted");
            assert_eq!(mailbox.deleted, rows.iter().filter(deleted).count() as u64);
            let bytes: u64 = rows.iter().map(|row| u64::from(row.size_bytes)).sum();
            assert_eq!(mailbox.size_bytes, bytes, "seed {seed}");
            assert!(rows.windows(2).all(|pair| pair[0].uid < pair[1].uid), "seed {seed}");
            for row in rows {
                assert!(row.uid < mailbox.uid_next, "seed {seed}");
                assert_eq!(index.row(mailbox.id, row.uid).unwrap(), Some(row), "seed {seed}");
            }
        }
        let hidden = index.overtaken(usize::MAX).unwrap();
        assert_eq!(hidden.len() as u64, index.counts().unwrap().hidden, "seed {seed}");
        for entry in hidden {
            let state = index.entry(entry.entry).unwrap().unwrap();
            assert!(state.hidden && !state.expunged, "seed {seed}");
        }
    }
}

/// P4 over histories of sound boxes: whoever was told UIDNEXT sees nothing new below it.
#[test]
fn nothing_new_appears_below_uidnext() {
    for seed in 0..SEEDS {
        let history = history::random(seed, STEPS, Uids::Lanes);
        let index = Index::memory();
        let mut known: BTreeSet<(MailboxId, Uid, EntryId)> = BTreeSet::new();
        let mut next: BTreeMap<MailboxId, Uid> = BTreeMap::new();
        for (position, written) in (0..).zip(&history) {
            index.apply(&[(position, written.record.clone())]).unwrap();
            for mailbox in index.mailboxes_all().unwrap() {
                let told = next.insert(mailbox.id, mailbox.uid_next).unwrap_or_default();
                for row in index.messages(mailbox.id).unwrap() {
                    if known.insert((mailbox.id, row.uid, row.entry)) {
                        assert!(row.uid >= told, "seed {seed}: {row:?} below {told:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_version_changes_with_the_messages() {
    for seed in 0..50 {
        let history = history::random(seed, STEPS, Uids::Lanes);
        let index = Index::memory();
        let mut last = BTreeMap::new();
        for (position, written) in (0..).zip(&history) {
            let changed = index.apply(&[(position, written.record.clone())]).unwrap();
            for id in [1, 2].map(MailboxId) {
                let now = (index.version(id).unwrap(), index.messages(id).unwrap());
                let before = last.insert(id, now.clone()).unwrap_or_default();
                // (What comes and goes in one batch makes a new version, too.)
                assert!(before.0 != now.0 || before.1 == now.1, "seed {seed} at {position}");
                assert!(before.1 == now.1 || changed.contains(&id), "seed {seed} at {position}");
            }
        }
    }
}

fn index_of(history: &[Written], random: &mut Random) -> Index {
    let index = Index::memory();
    history::apply(&index, history, random);
    index
}

/// What the home of each account would be told to do.
fn work(index: &Index) -> String {
    format!(
        "{:?} {:?} {:?}",
        index.joinable(99).unwrap(),
        index.overtaken_modseqs(99).unwrap(),
        index.to_revive().unwrap()
    )
}

fn shown(index: &Index) -> BTreeMap<(MailboxId, Uid), (EntryId, BTreeSet<String>)> {
    let mut out = BTreeMap::new();
    for id in (1..=4).map(MailboxId) {
        for row in index.messages(id).unwrap() {
            let flags = row.flags.iter().map(|flag| flag.to_ascii_lowercase()).collect();
            out.insert((id, row.uid), (row.entry, flags));
        }
    }
    out
}
