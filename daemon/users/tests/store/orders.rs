//! The state is a function of the set of records: any order gives the same store.

use record::{Op, Record, Side};

use crate::writing::{apply, create, in_memory, move_home, record, remove, set_password, setting};

#[test]
fn every_order_gives_the_same_store() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut records = random_records(&mut random);
        let first = in_memory(&records);
        for _ in 0..3 {
            shuffle(&mut records, &mut random);
            let other = in_memory(&records);
            assert_eq!(other.digest().unwrap(), first.digest().unwrap(), "seed {seed}");
            assert_eq!(other.accounts().unwrap(), first.accounts().unwrap(), "seed {seed}");
            assert_eq!(other.settings().unwrap(), first.settings().unwrap(), "seed {seed}");
        }
        // Once more changes nothing.
        apply(&first, &records);
        assert_eq!(first.digest().unwrap(), in_memory(&records).digest().unwrap(), "seed {seed}");
    }
}

#[test]
fn of_two_stamps_the_later_holds_then_the_greater_writer() {
    for (one, other, winner) in [
        ((Side::A, 5), (Side::A, 6), "other"),
        ((Side::B, 5), (Side::A, 6), "other"),
        ((Side::A, 5), (Side::B, 5), "other"),
        ((Side::B, 5), (Side::A, 5), "one"),
    ] {
        let records = [
            record(one.0, one.1, setting("k", "one")),
            record(other.0, other.1, setting("k", "other")),
        ];
        let users = in_memory(&records);
        let value = users.setting("k").unwrap().unwrap();
        assert_eq!(value, winner.as_bytes(), "{one:?} {other:?}");
    }
}

fn random_records(random: &mut Random) -> Vec<Record> {
    // Both sides' clocks run through the same numbers: many changes are concurrent.
    let sides = [Side::A, Side::B];
    let stamps = (0..20).flat_map(|clock| sides.map(|side| (side, clock)));
    stamps.map(|(side, clock)| record(side, clock, random_op(random, clock))).collect()
}

fn random_op(random: &mut Random, clock: u64) -> Op {
    let id = u128::from(random.below(4)) + 1;
    match random.below(7) {
        0 | 1 => create(id, ["a@x", "b@x"][random.below(2) as usize]),
        2 => set_password(id, &format!("{clock}")),
        3 => move_home(id, [Side::A, Side::B][random.below(2) as usize]),
        4 if random.below(3) == 0 => remove(id),
        5 => setting("k", &format!("{clock}")),
        _ => Op::Start,
    }
}

fn shuffle(records: &mut [Record], random: &mut Random) {
    for end in (1..records.len()).rev() {
        records.swap(end, random.below(end as u64 + 1) as usize);
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}
