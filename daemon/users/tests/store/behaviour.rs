//! What is seen of the accounts and settings after some records.

use record::{Op, Record, Side};
use users::{SETTING_DOMAINS, Users, hash_password};

use crate::writing::{
    account, create, in_memory, move_home, record, remove, set_password, setting,
};

#[test]
fn accounts_and_their_addresses() {
    type Seen<'a> = &'a [(u128, &'a str, Side)];
    let rows: &[(&str, &[Op], Seen<'_>)] = &[
        ("none", &[], &[]),
        ("one", &[create(1, " Anna@Example.Test ")], &[(1, "anna@example.test", Side::A)]),
        ("its home moves", &[create(1, "a@x"), move_home(1, Side::B)], &[(1, "a@x", Side::B)]),
        (
            "moved before it begins",
            &[move_home(1, Side::B), create(1, "a@x")],
            &[(1, "a@x", Side::B)],
        ),
        ("removed", &[create(1, "a@x"), remove(1)], &[]),
        ("removed before it begins", &[remove(1), create(1, "a@x")], &[]),
        ("created twice", &[create(1, "a@x"), create(1, "b@x")], &[(1, "a@x", Side::A)]),
        (
            "one address twice",
            &[create(2, "a@x"), create(1, "a@x")],
            &[(2, "a-00000002@x", Side::A), (1, "a@x", Side::A)],
        ),
        (
            "the owner of a shared address is removed",
            &[create(2, "a@x"), create(1, "a@x"), remove(1)],
            &[(2, "a@x", Side::A)],
        ),
        (
            "the address is free again",
            &[create(1, "a@x"), remove(1), create(2, "a@x")],
            &[(2, "a@x", Side::A)],
        ),
    ];
    for (what, ops, expected) in rows {
        let users = store(ops);
        let seen: Vec<_> =
            users.accounts().unwrap().into_iter().map(|a| (a.id, a.address, a.home)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(id, at, home)| (account(*id), (*at).to_owned(), *home)).collect();
        assert_eq!(seen, expected, "{what}");
        for (id, address, home) in expected {
            let found = users.account_by_address(&address).unwrap().unwrap();
            assert_eq!((found.id, &found.address), (id, &address), "{what}");
            assert_eq!(users.account(id).unwrap(), Some(found), "{what}");
            assert_eq!(users.home(id).unwrap(), Some(home), "{what}");
        }
    }
}

#[test]
fn an_address_is_found_whole_and_in_any_case() {
    let users = store(&[create(1, "anna@x.test"), create(2, "a-00000009@x.test")]);
    for (address, found) in [
        ("anna@x.test", Some(1)),
        (" ANNA@X.Test\r\n", Some(1)),
        ("a-00000009@x.test", Some(2)),
        ("anna@x.tes", None),
        ("anna@x.test2", None),
        ("ann@x.test", None),
        ("anna-00000001@x.test", None),
        ("anna", None),
        ("-", None),
        ("@", None),
        ("", None),
    ] {
        let seen = users.account_by_address(address).unwrap().map(|a| a.id);
        assert_eq!(seen, found.map(account), "{address:?}");
    }
}

#[test]
fn passwords() {
    let (old, new) = (hash_password("old", [1; 16]), hash_password("new", [2; 16]));
    let users = store(&[
        create(1, "a@x"),
        set_password(1, &old),
        set_password(1, &new),
        create(2, "b@x"),
        create(3, "c@x"),
        set_password(3, &old),
        remove(3),
    ]);
    for (address, password, right) in [
        ("a@x", "new", Some(account(1))),
        (" A@X ", "new", Some(account(1))),
        ("a@x", "old", None),
        ("a@x", "", None),
        ("b@x", "hash of 2", None),
        ("c@x", "old", None),
        ("nobody@x", "new", None),
    ] {
        assert_eq!(users.verify(address, password).unwrap(), right, "{address} {password}");
    }
}

#[test]
fn settings_and_domains() {
    let users = store(&[setting("a", "1"), setting("b", "2"), setting("a", "3")]);
    assert_eq!(users.setting("a").unwrap().as_deref(), Some(&b"3"[..]));
    assert_eq!(users.setting("c").unwrap(), None);
    let all = users.settings().unwrap();
    assert_eq!(all, [("a".to_owned(), b"3".to_vec()), ("b".to_owned(), b"2".to_vec())]);
    assert!(users.local_domains().unwrap().is_empty());

    let users = store(&[
        setting(SETTING_DOMAINS, "One.Test\n\n two.test \n"),
        create(1, "a@three.test"),
        create(2, "a@one.test"),
        create(3, "a@gone.test"),
        remove(3),
    ]);
    let domains: Vec<String> = users.local_domains().unwrap().into_iter().collect();
    assert_eq!(domains, ["one.test", "three.test", "two.test"]);
}

#[test]
fn only_what_changes_something_says_so() {
    let users = Users::memory();
    let ops =
        [Op::Start, create(1, "a@x"), create(1, "a@x"), setting("a", "1"), remove(1), remove(1)];
    let changed: Vec<bool> = (0..)
        .zip(records(&ops))
        .map(|(position, record)| users.apply(position, &record).unwrap())
        .collect();
    assert_eq!(changed, [false, true, false, true, true, false]);
    assert_eq!(users.applied(), ops.len() as u64);
    assert!(!users.apply(3, &record(Side::A, 99, setting("a", "9"))).unwrap(), "passed over");
    assert_eq!(users.setting("a").unwrap().as_deref(), Some(&b"1"[..]));
}

fn store(ops: &[Op]) -> Users {
    in_memory(&records(ops))
}

fn records(ops: &[Op]) -> Vec<Record> {
    (1..).zip(ops).map(|(clock, op)| record(Side::A, clock, op.clone())).collect()
}
