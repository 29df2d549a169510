//! Mailboxes and their names.

use mailbox::Index;
use record::{AccountId, EntryId, FlagChange, MailboxId, ModSeq, Op, Side, Uid, Writer};

use crate::history::{self, Random, Writing};
use crate::script::ACCOUNT;

#[test]
fn the_later_name_holds_and_the_lower_id_keeps_it() {
    // What happens, and the names (with ids) that are seen.
    type Seen<'a> = &'a [(&'a str, u128)];
    let rows: &[(&str, &[Op], Seen<'_>)] = &[
        ("one", &[create(1, "Work")], &[("Work", 1)]),
        ("renamed", &[create(1, "Work"), rename(1, "Play")], &[("Play", 1)]),
        ("created twice", &[create(1, "Work"), create(1, "Play")], &[("Work", 1)]),
        ("renamed before it is created", &[rename(1, "Play"), create(1, "Work")], &[("Play", 1)]),
        ("never created", &[rename(1, "Play")], &[]),
        (
            "one name twice",
            &[create(2, "Work"), create(1, "Work"), create(3, "Work")],
            &[("Work", 1)],
        ),
        (
            "one name twice, with mail",
            &[create(2, "Work"), create(1, "Work"), create(3, "Work"), place(3), place(2)],
            &[("Work", 1), ("Work (2)", 2), ("Work (3)", 3)],
        ),
        (
            "a deleted one has the lesser right",
            &[
                create(2, "Work"),
                create(1, "Work"),
                Op::DeleteMailbox { mailbox: MailboxId(1) },
                place(1),
            ],
            &[("Work", 2), ("Work (2)", 1)],
        ),
        (
            "joined, then the first is deleted",
            &[
                create(1, "Work"),
                create(2, "Work"),
                joined(2, 1),
                Op::DeleteMailbox { mailbox: MailboxId(1) },
            ],
            &[],
        ),
        (
            "joined, then the first is renamed, then mail comes",
            &[create(1, "Work"), create(2, "Work"), joined(2, 1), rename(1, "Play"), place(2)],
            &[("Play", 1), ("Play (2)", 2)],
        ),
        (
            "joined, then renamed",
            &[create(1, "Work"), create(2, "Work"), joined(2, 1), rename(2, "Play")],
            &[("Play", 2), ("Work", 1)],
        ),
        (
            "joined in a circle",
            &[create(1, "Work"), create(2, "Play"), joined(2, 1), joined(1, 2), place(2)],
            &[("Play", 2)],
        ),
        (
            "joined in a circle, mail in both",
            &[create(1, "Work"), create(2, "Play"), joined(2, 1), joined(1, 2), place(2), place(1)],
            &[("Work", 1), ("Work (2)", 2)],
        ),
        (
            "joined to nothing",
            &[create(1, "Work"), create(2, "Work"), joined(2, 9), place(2)],
            &[("Work", 1), ("Work (2)", 2)],
        ),
        (
            "the derived name is taken",
            &[create(1, "Work"), create(2, "Work"), create(3, "Work (2)")],
            &[("Work", 1), ("Work (2)", 3)],
        ),
        ("INBOX in any case", &[create(1, "inbox"), create(2, "Inbox")], &[("INBOX", 1)]),
        (
            "free again after a delete",
            &[create(1, "Work"), create(2, "Work"), Op::DeleteMailbox { mailbox: MailboxId(1) }],
            &[("Work", 2)],
        ),
        (
            "of a removed account",
            &[create(1, "Work"), Op::RemoveAccount { account: ACCOUNT }, create(2, "Play")],
            &[],
        ),
    ];
    for (what, ops, expected) in rows {
        let index = index_of(ops);
        let seen: Vec<_> =
            index.mailboxes(ACCOUNT).unwrap().into_iter().map(|m| (m.name, m.id.0)).collect();
        let expected: Vec<_> = expected.iter().map(|(n, id)| ((*n).to_owned(), *id)).collect();
        assert_eq!(seen, expected, "{what}");
        for (name, id) in expected {
            let found = index.mailbox_by_name(ACCOUNT, &name).unwrap().unwrap();
            assert_eq!(found.id, MailboxId(id), "{what}");
            assert_eq!(index.mailbox(MailboxId(id)).unwrap(), Some(found), "{what}");
        }
    }
}

#[test]
fn a_mailbox_is_found_by_name_in_its_account_only() {
    let index = index_of(&[create(1, "INBOX")]);
    assert!(index.mailbox_by_name(ACCOUNT, "iNbOx").unwrap().is_some());
    assert!(index.mailbox_by_name(ACCOUNT, "Work").unwrap().is_none());
    assert!(index.mailbox_by_name(AccountId(8), "INBOX").unwrap().is_none());
    assert_eq!(index.account_of(MailboxId(1)).unwrap(), Some(ACCOUNT));
    assert_eq!(index.account_of(MailboxId(2)).unwrap(), None);
    assert_eq!(index.mailbox_ids().unwrap(), [MailboxId(1)]);
}

#[test]
fn subscriptions_are_names() {
    let subscribe = |name: &str, subscribed| Op::Subscribe {
        account: ACCOUNT,
        name: name.to_owned(),
        subscribed,
    };
    let index = index_of(&[
        create(1, "Inbox"),
        create(2, "Work"),
        subscribe("inbox", true),
        subscribe("Gone", true),
        subscribe("Work", true),
        subscribe("Work", false),
    ]);
    assert_eq!(index.subscriptions(ACCOUNT).unwrap(), ["Gone", "INBOX"]);
    let subscribed: Vec<_> =
        index.mailboxes(ACCOUNT).unwrap().into_iter().map(|m| (m.name, m.subscribed)).collect();
    assert_eq!(subscribed, [("INBOX".to_owned(), true), ("Work".to_owned(), false)]);
}

#[test]
fn changes_wake_the_mailbox() {
    let mut writing = Writing::new(Side::A, 1);
    writing.write(create(1, "INBOX"));
    writing.write(Op::Place {
        entry: history::entry(5, 1, &[]),
        uid: Uid(1),
        modseq: Default::default(),
    });
    writing.write(Op::RemoveAccount { account: ACCOUNT });
    writing.write(Op::Start);
    let index = Index::memory();
    let changed: Vec<usize> = (0..)
        .zip(&writing.log)
        .map(|(at, written)| index.apply(&[(at, written.record.clone())]).unwrap().len())
        .collect();
    assert_eq!(changed, [1, 1, 1, 0]);
    // What is in a removed account is not asked to be placed, but not lost either.
    assert_eq!(index.messages(MailboxId(1)).unwrap().len(), 1);
}

/// Two boxes make one name, each fills it; then the home joins them.
#[test]
fn two_of_one_name_become_one_with_the_mail_of_both() {
    let mut a = Writing::new(Side::A, 1);
    let mut b = Writing::new(Side::B, 1);
    for (here, mailbox) in [(&mut a, 1), (&mut b, 2)] {
        here.write(create(mailbox, "Work"));
        for n in 0..5 {
            let entry = history::entry(mailbox * 10 + n, mailbox, &["Born"]);
            let uid = Uid(n as u32 + 1);
            here.write(Op::Place { entry, uid, modseq: ModSeq(n as u64 + 1) });
        }
    }
    a.take(&b, 99);
    let index = Index::memory();
    // b, unaware, flags one and expunges another while a joins.
    let flag = FlagChange {
        entry: EntryId(21),
        modseq: ModSeq(20),
        set: vec!["Late".into()],
        clear: vec!["Born".into()],
    };
    b.write(Op::Flags { mailbox: MailboxId(2), changes: vec![flag], made: None });
    b.write(Op::Expunge { mailbox: MailboxId(2), entries: vec![EntryId(22)], modseq: ModSeq(21) });
    let mut rounds = 0;
    loop {
        let from = index.applied() as usize;
        history::apply(&index, &a.log[from..], &mut Random(3));
        let joins = index.joinable(2).unwrap();
        let Some(join) = joins.first().cloned() else { break };
        assert_eq!((join.from, join.to, join.orderer), (MailboxId(2), MailboxId(1), ACCOUNT));
        assert!(join.moves.len() <= 2);
        for (from, entry) in join.moves {
            let (uid, modseq) = index.top(join.to).unwrap();
            let (uid, modseq) = (Uid(uid.0 + 1 + a.log.len() as u32), ModSeq(modseq.0 + 1));
            let from_mailbox = join.from;
            a.write(Op::Move { entry, uid, modseq, from, from_mailbox, from_modseq: modseq });
        }
        if let Some(name) = join.rename {
            a.write(Op::RenameMailbox { mailbox: join.from, name });
        }
        rounds += 1;
    }
    assert_eq!(rounds, 4);
    let names = |index: &Index| -> Vec<String> {
        index.mailboxes(ACCOUNT).unwrap().into_iter().map(|m| m.name).collect()
    };
    assert_eq!(names(&index), ["Work"]);
    assert_eq!(index.messages(MailboxId(1)).unwrap().len(), 10);
    a.take(&b, 99);
    let from = index.applied() as usize;
    history::apply(&index, &a.log[from..], &mut Random(3));
    let rows = index.messages(MailboxId(1)).unwrap();
    assert_eq!(rows.len(), 9, "what was expunged meanwhile is gone");
    let late = rows.iter().filter(|row| row.flags == ["Late"]).count();
    assert_eq!(late, 1, "what was flagged meanwhile is flagged");
    // Mail that was on its way to the other one comes after.
    a.write(place(2));
    let from = index.applied() as usize;
    history::apply(&index, &a.log[from..], &mut Random(3));
    assert_eq!(names(&index), ["Work", "Work (2)"]);
    assert_eq!(index.joinable(9).unwrap()[0].moves.len(), 1);
}

#[test]
fn two_accounts_of_one_address_are_one_household() {
    let account = |id| Op::CreateAccount {
        account: AccountId(id),
        address: " Anna@X ".into(),
        home: Side::A,
        password_hash: String::new(),
    };
    let create_for = |account, mailbox, name: &str| Op::CreateMailbox {
        mailbox: MailboxId(mailbox),
        account: AccountId(account),
        name: name.to_owned(),
        uid_validity: 1,
    };
    let index = index_of(&[
        account(8),
        account(5),
        create_for(8, 1, "INBOX"),
        create_for(8, 2, "Only there"),
        create_for(5, 3, "Inbox"),
        place(3),
        place(1),
        Op::Subscribe { account: AccountId(8), name: "INBOX".into(), subscribed: true },
    ]);
    for id in [5, 8] {
        let seen = index.household(AccountId(id)).unwrap();
        let inbox = index.household_by_name(AccountId(id), "inbox").unwrap().unwrap();
        assert_eq!(inbox.id, MailboxId(1));
        let seen: Vec<_> = seen
            .iter()
            .map(|m| (m.name.as_str(), m.id.0, m.owner.0, m.account.0, m.subscribed))
            .collect();
        assert_eq!(
            seen,
            [
                ("INBOX", 1, 5, 8, true),
                ("INBOX (2)", 3, 5, 5, false),
                ("Only there", 2, 5, 8, false)
            ]
        );
    }
    assert_eq!(index.mailboxes_all().unwrap().len(), 3);
    assert_eq!(index.mailboxes(AccountId(5)).unwrap().len(), 1);
    assert_eq!(index.mailbox_by_name(AccountId(5), "INBOX").unwrap(), None);
    let joins = index.joinable(9).unwrap();
    assert_eq!(joins.len(), 1);
    assert_eq!((joins[0].orderer, joins[0].from), (AccountId(8), MailboxId(3)));
}

/// A client sets a flag on a message that has gone on in another account's mailbox, and its own account is
/// removed: the other account's home stamps it, or who goes by MODSEQ there would never hear of the flag.
#[test]
fn a_flag_outlives_the_account_of_the_mailbox_that_was_joined() {
    let account = |id| Op::CreateAccount {
        account: AccountId(id),
        address: "anna@x".into(),
        home: Side::A,
        password_hash: String::new(),
    };
    let create_for = |account, mailbox| Op::CreateMailbox {
        mailbox: MailboxId(mailbox),
        account: AccountId(account),
        name: "INBOX".into(),
        uid_validity: 1,
    };
    let mut a = Writing::new(Side::A, 1);
    for op in [account(8), create_for(8, 2), place(2), account(5), create_for(5, 1)] {
        a.write(op);
    }
    let index = Index::memory();
    history::apply(&index, &a.log, &mut Random(1));
    let join = index.joinable(9).unwrap().remove(0);
    let (from, entry) = join.moves[0].clone();
    let heir = entry.entry;
    let (uid, modseq) = (Uid(1), ModSeq(2));
    a.write(Op::Move { entry, uid, modseq, from, from_mailbox: join.from, from_modseq: modseq });
    a.write(Op::RemoveAccount { account: AccountId(8) });
    let change = |entry, set: &[&str]| FlagChange {
        entry,
        modseq: ModSeq(3),
        set: set.iter().map(|flag| (*flag).to_owned()).collect(),
        clear: Vec::new(),
    };
    let flags = |mailbox, change| Op::Flags { mailbox, changes: vec![change], made: None };
    a.write(flags(MailboxId(2), change(from, &["Late"])));
    let applied = index.applied() as usize;
    history::apply(&index, &a.log[applied..], &mut Random(1));
    assert_eq!(index.messages(MailboxId(1)).unwrap()[0].flags, ["Late"]);
    let stale = index.overtaken_modseqs(9).unwrap();
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0].orderer, AccountId(5));
    assert_eq!(stale[0].entries, [(MailboxId(1), heir), (MailboxId(2), from)]);
    for (mailbox, entry) in &stale[0].entries {
        a.write(flags(*mailbox, change(*entry, &[])));
    }
    let applied = index.applied() as usize;
    history::apply(&index, &a.log[applied..], &mut Random(1));
    assert!(index.overtaken_modseqs(9).unwrap().is_empty());
    assert_eq!(index.messages(MailboxId(1)).unwrap()[0].modseq, ModSeq(3));
}

#[test]
fn mail_that_came_across_a_removal_asks_for_the_account_again() {
    let account = || Op::CreateAccount {
        account: ACCOUNT,
        address: "a@x".into(),
        home: Side::A,
        password_hash: String::new(),
    };
    let mut a = Writing::new(Side::A, 1);
    let mut b = Writing::new(Side::B, 1);
    a.write(account());
    a.write(create(1, "INBOX"));
    a.write(place(1));
    b.take(&a, 99);
    a.write(Op::RemoveAccount { account: ACCOUNT });
    let removed = a.log.clone();
    b.write(Op::Place { entry: history::entry(50, 1, &[]), uid: Uid(90), modseq: ModSeq(90) });
    let index = Index::memory();
    history::apply(&index, &removed, &mut Random(1));
    assert!(index.mailboxes(ACCOUNT).unwrap().is_empty());
    assert!(index.to_revive().unwrap().is_empty());
    a.take(&b, 99);
    history::apply(&index, &a.log[removed.len()..], &mut Random(1));
    assert_eq!(index.to_revive().unwrap(), [ACCOUNT]);
    a.write(account());
    let from = index.applied() as usize;
    history::apply(&index, &a.log[from..], &mut Random(1));
    assert!(index.to_revive().unwrap().is_empty());
    assert_eq!(index.mailboxes(ACCOUNT).unwrap()[0].messages, 2);
    // Removed again, by somebody who knows of that mail.
    a.write(Op::RemoveAccount { account: ACCOUNT });
    let from = index.applied() as usize;
    history::apply(&index, &a.log[from..], &mut Random(1));
    assert!(index.to_revive().unwrap().is_empty());
    assert!(index.mailboxes(ACCOUNT).unwrap().is_empty());
}

#[test]
fn facts_are_kept_while_the_body_is_in_use() {
    let mut writing = Writing::new(Side::A, 1);
    writing.write(create(1, "INBOX"));
    writing.write(place(1));
    let index = Index::memory();
    history::apply(&index, &writing.log, &mut Random(1));
    let digest = index.digest().unwrap();
    let body = index.messages(MailboxId(1)).unwrap()[0].body;
    let other = history::entry(77, 1, &[]).body;
    index.put_facts(1, vec![(body, b"old".to_vec()), (other, b"x".to_vec())]).unwrap();
    index.put_facts(1, vec![(body, b"new".to_vec())]).unwrap();
    index.put_facts(1, vec![(body, vec![0; mailbox::limits::FACTS_BYTES_MAX + 1])]).unwrap();
    assert_eq!(index.facts(1, body).unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(index.facts(2, body).unwrap(), None, "another format");
    assert_eq!(index.facts(1, other).unwrap(), None, "nobody's body");
    assert_eq!(index.digest().unwrap(), digest);
    let entries = vec![EntryId(101)];
    writing.write(Op::Expunge { mailbox: MailboxId(1), entries, modseq: ModSeq(9) });
    history::apply(&index, &writing.log[2..], &mut Random(1));
    assert_eq!(index.facts(1, body).unwrap(), None);
}

fn place(mailbox: u128) -> Op {
    let entry = history::entry(100 + mailbox, mailbox, &[]);
    Op::Place { entry, uid: Uid(1), modseq: ModSeq(1) }
}

fn joined(mailbox: u128, host: u128) -> Op {
    rename(mailbox, &format!("\u{1}joined into {}", MailboxId(host)))
}

fn create(mailbox: u128, name: &str) -> Op {
    Op::CreateMailbox {
        mailbox: MailboxId(mailbox),
        account: ACCOUNT,
        name: name.to_owned(),
        uid_validity: 1,
    }
}

fn rename(mailbox: u128, name: &str) -> Op {
    Op::RenameMailbox { mailbox: MailboxId(mailbox), name: name.to_owned() }
}

fn index_of(ops: &[Op]) -> Index {
    let mut writing = Writing::new(Side::A, 1);
    ops.iter().for_each(|op| writing.write(op.clone()));
    let index = Index::memory();
    history::apply(&index, &writing.log, &mut Random(1));
    index
}

/// The mail of a removed account may go when both boxes have applied the removal and nothing takes it back.
#[test]
fn a_removal_is_for_good_when_both_boxes_know_it() {
    let mut a = Writing::new(Side::A, 1);
    let mut b = Writing::new(Side::B, 1);
    for op in [create(1, "INBOX"), create(2, "Work"), place(1), place(2)] {
        a.write(op);
    }
    b.take(&a, usize::MAX);
    let before = a.held();
    a.write(Op::RemoveAccount { account: ACCOUNT });
    let after = a.held();
    let index = Index::memory();
    history::apply(&index, &a.log, &mut Random(1));
    assert!(index.spent_accounts(&before).unwrap().is_empty(), "the other box may not know");
    assert_eq!(index.spent_accounts(&after).unwrap(), [ACCOUNT]);
    let all = [(MailboxId(1), vec![EntryId(101)]), (MailboxId(2), vec![EntryId(102)])];
    assert_eq!(index.spent_entries(ACCOUNT, &after, 9).unwrap(), all);
    assert_eq!(index.spent_entries(ACCOUNT, &after, 1).unwrap(), all[..1]);
    b.write(Op::Place { entry: history::entry(50, 1, &[]), uid: Uid(90), modseq: ModSeq(90) });
    a.take(&b, usize::MAX);
    history::apply(&index, &a.log[index.applied() as usize..], &mut Random(1));
    assert!(index.spent_accounts(&after).unwrap().is_empty(), "mail came across the removal");
}

/// An account that was made before the removal, of the same address, may have its mail in the removed one's mailboxes.
#[test]
fn no_removal_takes_what_a_living_account_of_the_address_has() {
    let account = |id| Op::CreateAccount {
        account: AccountId(id),
        address: "ann@example.test".into(),
        home: Side::A,
        password_hash: String::new(),
    };
    let remove = |id| Op::RemoveAccount { account: AccountId(id) };
    for (ops, spent) in [
        (vec![account(8), remove(ACCOUNT.0)], false),
        (vec![account(8), remove(ACCOUNT.0), remove(8)], true),
        (vec![remove(ACCOUNT.0), account(8)], true),
    ] {
        let mut all = vec![account(ACCOUNT.0), create(1, "INBOX"), place(1)];
        all.extend(ops);
        let index = index_of(&all);
        let both = [(Writer { side: Side::A, incarnation: 1 }, all.len() as u64)].into();
        assert_eq!(!index.spent_accounts(&both).unwrap().is_empty(), spent, "{all:?}");
    }
}
