//! Stories as text: who writes what, who has seen whom, and what a client then sees.
//!
//! One step a line, `WHO VERB ...`, with `a` and `b` as writers; mailbox 1 unless `in N` is said:
//!
//! ```text
//! a place 1@5 \Seen     entry 1 at UID 5, born with \Seen
//! a flags 1 +\Seen -\Draft
//! a expunge 1
//! a move 1 to 2@6       entry 2 takes the place of entry 1
//! a delete              the mailbox
//! a floor 100
//! a restart             another journal, the same disk
//! b sees a              b holds everything that a holds
//! ```

use mailbox::Index;
use record::{AccountId, EntryId, FlagChange, MailboxId, ModSeq, Op, Side, Uid};

use crate::history::{self, Random, Writing, Written};

pub const ACCOUNT: AccountId = AccountId(9);

/// Plays the story in its own order and in five others; each must show `expected`:
/// `UID=entry` with its flags, by UID, then `hidden` entries.
pub fn check(story: &str, expected: &str) {
    let history = play(story);
    let mut random = Random(7);
    for _ in 0..6 {
        let index = Index::memory();
        let order = history::shuffled(&history, &mut random);
        history::apply(&index, &order, &mut random);
        assert_eq!(render(&index), expected, "{story}");
    }
}

/// What both boxes hold together in the end.
pub fn play(story: &str) -> Vec<Written> {
    let mut boxes = [Writing::new(Side::A, 1), Writing::new(Side::B, 1)];
    boxes[0].write(Op::CreateMailbox {
        mailbox: MailboxId(1),
        account: ACCOUNT,
        name: "INBOX".into(),
        uid_validity: 77,
    });
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [a, b] = &mut boxes;
        let (here, there) = if words[0] == "a" { (a, &*b) } else { (b, &*a) };
        match words[1] {
            "sees" => here.take(there, usize::MAX),
            "restart" => here.restart(here.writer.incarnation + 1),
            _ => here.write(op(&words[1..])),
        }
    }
    let [mut a, b] = boxes;
    a.take(&b, usize::MAX);
    a.log
}

fn op(words: &[&str]) -> Op {
    let mailbox = MailboxId(1);
    let id = |word: &str| word.parse::<u128>().unwrap();
    let placed = |word: &str, flags: &[&str]| {
        let (entry, uid) = word.split_once('@').unwrap();
        (history::entry(id(entry), 1, flags), Uid(uid.parse().unwrap()))
    };
    match words {
        ["place", at, flags @ ..] => {
            let (entry, uid) = placed(at, flags);
            Op::Place { entry, uid, modseq: ModSeq(uid.0.into()) }
        }
        ["flags", entry, flags @ ..] => {
            let with = |sign| {
                let chosen = flags.iter().filter_map(|flag| flag.strip_prefix(sign));
                chosen.map(str::to_owned).collect()
            };
            let change = FlagChange {
                entry: EntryId(id(entry)),
                modseq: ModSeq(50),
                set: with('+'),
                clear: with('-'),
            };
            Op::Flags { mailbox, changes: vec![change], made: None }
        }
        ["expunge", entry] => {
            Op::Expunge { mailbox, entries: vec![EntryId(id(entry))], modseq: ModSeq(60) }
        }
        ["move", from, "to", at] => {
            let (entry, uid) = placed(at, &[]);
            Op::Move {
                entry,
                uid,
                modseq: ModSeq(uid.0.into()),
                from: EntryId(id(from)),
                from_mailbox: mailbox,
                from_modseq: ModSeq(70),
            }
        }
        ["delete"] => Op::DeleteMailbox { mailbox },
        ["floor", uid] => Op::Floor {
            account: ACCOUNT,
            uid: Uid(uid.parse().unwrap()),
            modseq: ModSeq(uid.parse().unwrap()),
            lost: 1,
        },
        other => panic!("what is {other:?}?"),
    }
}

fn render(index: &Index) -> String {
    let mut out: Vec<String> = index
        .messages(MailboxId(1))
        .unwrap()
        .iter()
        .map(|row| {
            let mut text = format!("{}={}", row.uid.0, row.entry.0);
            row.flags.iter().for_each(|flag| text.push_str(&format!(" {flag}")));
            text
        })
        .collect();
    for entry in index.overtaken(99).unwrap() {
        out.push(format!("hidden {}", entry.entry.0));
    }
    if index.mailbox(MailboxId(1)).unwrap().is_none() {
        out.push("no mailbox".to_owned());
    }
    out.join(", ")
}
