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
        (
            "removed, then created again",
            &[create(1, "a@x"), remove(1), create(1, "b@x")],
            &[(1, "a@x", Side::A)],
        ),
        ("and removed again", &[create(1, "a@x"), remove(1), create(1, "a@x"), remove(1)], &[]),
        ("created twice", &[create(1, "a@x"), create(1, "b@x")], &[(1, "a@x", Side::A)]),
        ("one address twice", &[create(2, "a@x"), create(1, "a@x")], &[(1, "a@x", Side::A)]),
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
fn two_accounts_of_one_address_are_one() {
    let users = store(&[create(2, "a@x"), create(1, "A@x"), move_home(2, Side::B)]);
    assert_eq!(users.accounts_of("a@X").unwrap(), [account(1), account(2)]);
    assert_eq!(users.account_by_address("a@x").unwrap().unwrap().id, account(1));
    assert_eq!(users.accounts().unwrap().len(), 1);
    // Sessions that began with the other go on; its mailboxes are ordered where they always were.
    let other = users.account(account(2)).unwrap().unwrap();
    assert_eq!((other.address.as_str(), other.home), ("a-00000002@x", Side::B));
    assert_eq!(users.account_by_address("a-00000002@x").unwrap(), Some(other));
    // The password that was set last; one's own before another's.
    for (ops, expected) in [
        (vec![], "hash of 1"),
        (vec![set_password(2, "two")], "two"),
        (vec![set_password(1, "one"), set_password(2, "two")], "one"),
    ] {
        let both = [vec![create(2, "a@x")], ops, vec![create(1, "a@x")]].concat();
        let hash = store(&both).credentials("a@x").unwrap();
        assert_eq!(hash, Some((account(1), expected.to_owned())), "a creation undoes nothing");
    }
}

#[test]
fn a_removed_account_waits_with_its_fields() {
    let users = store(&[create(1, "a@x"), set_password(1, "new"), remove(1), create(2, "b@x")]);
    let removed = users.removed(account(1)).unwrap().unwrap();
    assert_eq!((removed.address.as_str(), removed.password_hash.as_str()), ("a@x", "new"));
    assert_eq!(users.all_removed().unwrap(), [removed]);
    assert_eq!(users.removed(account(2)).unwrap(), None);
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
    assert_eq!(changed, [false, true, true, true, true, true]);
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
