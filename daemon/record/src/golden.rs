//! One of each operation of format 1, every field with something in it. A later format gets its own list.

use crate::id::{
    AccountId, AttemptId, Clock, EntryId, MailboxId, ModSeq, QueueId, Side, Uid, Writer,
};
use crate::op::{BodyPart, BodyRef, Entry, FlagChange, Op, Outbound, Sent, View};

pub(crate) fn operations() -> Vec<Op> {
    let writer = Writer { side: Side::A, incarnation: 0xabcd };
    let (account, mailbox) = (AccountId(3), MailboxId(5));
    let (message, attempt) = (QueueId(19), AttemptId(21));
    let body = BodyRef { writer, index: 9, parts: 2, header_bytes: 300, size_bytes: 70_000 };
    let entry = Entry {
        entry: EntryId(7),
        mailbox,
        body,
        internal_date_s: -2,
        flags: vec!["\\Seen".into(), "Later".into()],
    };
    let change = FlagChange {
        entry: EntryId(7),
        modseq: ModSeq(1 << 40),
        set: vec!["\\Answered".into()],
        clear: vec!["\\Seen".into()],
    };
    let (uid, modseq) = (Uid(65_536), ModSeq(131_072));
    let name = || "Work/ä".to_owned();
    let made = Some(Clock(11));
    let password_hash = || "$argon2id$".to_owned();
    vec![
        Op::Start,
        Op::View { view: View::Both, number: 1, on_disk: [(writer, 12)].into() },
        Op::View { view: View::Alone(Side::B), number: 2, on_disk: [].into() },
        Op::View { view: View::Leaving(Side::A), number: 300, on_disk: [].into() },
        Op::Body(BodyPart { part: 1, plain_bytes: 262_144 }),
        Op::Place { entry: entry.clone(), uid, modseq },
        Op::Flags { mailbox, changes: vec![change], made },
        Op::Expunge { mailbox, entries: vec![EntryId(7), EntryId(8)], modseq },
        Op::Move {
            entry,
            uid,
            modseq,
            from: EntryId(6),
            from_mailbox: MailboxId(4),
            from_modseq: ModSeq(2),
        },
        Op::Floor { account, uid, modseq, lost: 13 },
        Op::CreateMailbox { mailbox, account, name: name(), uid_validity: 17 },
        Op::RenameMailbox { mailbox, name: name() },
        Op::DeleteMailbox { mailbox },
        Op::Subscribe { account, name: name(), subscribed: true },
        Op::CreateAccount {
            account,
            address: "ann@example.test".into(),
            home: Side::B,
            password_hash: password_hash(),
        },
        Op::SetPassword { account, password_hash: password_hash(), made },
        Op::RemoveAccount { account },
        Op::MoveHome { account, home: Side::A },
        Op::Setting { key: "certificate".into(), value: vec![0, 255] },
        Op::Gap { count: 300, running_hash: u64::MAX },
        Op::Format { version: 2 },
        Op::Queue(Outbound {
            message,
            owner: Side::B,
            sender: "ann@example.test".into(),
            recipients: vec!["bob@elsewhere.test".into(), "cy@elsewhere.test".into()],
            body,
        }),
        Op::Attempt { message, attempt, side: Side::B },
        Op::Outcome {
            message,
            attempt,
            recipients: vec![
                (0, Sent::Taken),
                (1, Sent::Refused { reply: "550 no".into() }),
                (2, Sent::Later { reply: "450 later".into() }),
            ],
        },
    ]
}
