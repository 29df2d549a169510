//! Mailboxes and their names.

use mailbox::Index;
use record::{AccountId, MailboxId, Op, Side, Uid};

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
            &[("Work", 1), ("Work (2)", 2), ("Work (3)", 3)],
        ),
        (
            "the derived name is taken",
            &[create(1, "Work"), create(2, "Work"), create(3, "Work (2)")],
            &[("Work", 1), ("Work (2)", 3), ("Work (3)", 2)],
        ),
        (
            "INBOX in any case",
            &[create(1, "inbox"), create(2, "Inbox")],
            &[("INBOX", 1), ("INBOX (2)", 2)],
        ),
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
