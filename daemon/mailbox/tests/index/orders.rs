//! The state is a function of the set of records: any causally closed order gives the same index, and
//! what it shows is what the naive rule says.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::Index;
use record::{EntryId, MailboxId, Uid};

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
                assert_eq!(before.0 == now.0, before.1 == now.1, "seed {seed} at {position}");
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
