//! What a client sees after a story. Each is played in several orders of arrival.

use mailbox::Index;
use record::{EntryId, MailboxId, ModSeq, Uid};

use crate::history::{self, Random};
use crate::script::{check, play};

#[test]
fn placements() {
    for (story, expected) in [
        ("a place 1@1 \n a place 2@2", "1=1, 2=2"),
        // Placed again: the highest UID is the place, the old one is gone.
        ("a place 1@1 \n a place 1@5", "5=1"),
        // Asked twice, of both boxes, while they do not hear each other: one message.
        ("a place 1@1 \n b place 1@7", "7=1"),
        // b's clients may be past UID 5: entry 1 is not shown until it is placed again.
        ("a place 1@5 \n b place 2@9", "9=2, hidden 1"),
        ("a place 1@5 \n b place 2@9 \n a sees b \n a place 1@10", "9=2, 10=1"),
        // Placed again while the other box, unaware, goes on above it: again.
        (
            "a place 1@5 \n b place 2@9 \n a sees b \n a place 1@10 \n b place 3@12",
            "9=2, 12=3, hidden 1",
        ),
        // Whoever has seen it may go above it.
        ("a place 1@5 \n b sees a \n b place 2@9", "5=1, 9=2"),
        // Of three in a chain only the one that is concurrent with a higher one is hidden.
        ("a place 1@5 \n b sees a \n b place 2@9 \n a place 3@20", "5=1, 20=3, hidden 2"),
        // A higher concurrent placement hides even when its own entry is gone.
        ("a place 1@5 \n b place 2@9 \n b expunge 2", "hidden 1"),
        ("a place 1@5 \n b place 2@9 \n b place 2@20", "20=2, hidden 1"),
        // What a box wrote before its restart is seen by it after.
        ("a place 1@5 \n a restart \n a place 2@9", "5=1, 9=2"),
        ("b place 3@4 \n a place 1@5 \n a restart \n a place 2@9", "5=1, 9=2, hidden 3"),
    ] {
        check(story, expected);
    }
}

#[test]
fn expunge_is_for_ever() {
    for (story, expected) in [
        ("a place 1@1 \n a expunge 1", ""),
        ("a place 1@1 \n b sees a \n b expunge 1 \n a place 1@5", ""),
        // Of an entry that was never placed before (no sound box does that).
        ("a expunge 1 \n b place 1@1", ""),
        ("a place 1@1 \n a move 1 to 2@2", "2=2"),
        // Moved by both at once: two copies rather than none.
        (
            "a place 1@1 \n b sees a \n a move 1 to 2@2 \n b move 1 to 3@4 \n a sees b \n a place 2@5",
            "4=3, 5=2",
        ),
        ("a place 1@5 \n b place 2@9 \n a expunge 1", "9=2"),
    ] {
        check(story, expected);
    }
}

#[test]
fn deleting_a_mailbox() {
    for (story, expected) in [
        ("a place 1@1 \n a delete", "no mailbox"),
        ("a delete", "no mailbox"),
        // What the writer did not hold lives on, and the mailbox with it.
        ("a place 1@1 \n b place 2@9 \n a delete", "9=2"),
        ("a place 1@1 \n b place 2@9 \n a sees b \n a delete", "no mailbox"),
        // It held the entry, though not its newest placement.
        ("a place 1@1 \n b sees a \n b place 1@9 \n a delete", "no mailbox"),
        // Alive but hidden: the mailbox waits for it.
        ("a place 1@5 \n b place 2@9 \n b delete", "hidden 1"),
    ] {
        check(story, expected);
    }
}

#[test]
fn flags() {
    for (story, expected) in [
        ("a place 1@1 \\Seen Later", "1=1 \\Seen Later"),
        ("a place 1@1 \\Seen \n a flags 1 -\\Seen", "1=1"),
        // Another placement repeats the flags of birth; it does not undo what came since.
        ("a place 1@1 \\Seen \n a flags 1 -\\Seen \n a place 1@4 \\Seen", "4=1"),
        // Concurrent changes of different flags both hold, of one flag the later stamp (here: the
        // greater writer at one clock).
        (
            "a place 1@1 \n b sees a \n a flags 1 +\\Seen \n b flags 1 +\\Flagged",
            "1=1 \\Flagged \\Seen",
        ),
        ("a place 1@1 \n b sees a \n a flags 1 +\\Seen \n b flags 1 -\\Seen", "1=1"),
        ("a place 1@1 \n b sees a \n b flags 1 +\\Seen \n a flags 1 -\\Seen", "1=1 \\Seen"),
        // Names differ by more than case; both in one change: cleared.
        ("a place 1@1 \\Seen \n a flags 1 -\\SEEN", "1=1"),
        ("a place 1@1 \n a flags 1 +$junk \n a flags 1 +$Junk", "1=1 $Junk"),
        ("a place 1@1 \n a flags 1 +\\Seen -\\Seen", "1=1"),
        // For an entry that is not placed yet (no sound box does that).
        ("a flags 1 +\\Seen \n b place 1@1", "1=1 \\Seen"),
    ] {
        check(story, expected);
    }
}

#[test]
fn tops_uidnext_and_floors() {
    // story, (top UID, top MODSEQ), (UIDNEXT, HIGHESTMODSEQ)
    for (story, top, told) in [
        ("", (0, 1), (1, 1)),
        ("a place 1@4", (4, 4), (5, 4)),
        ("a place 1@4 \n a place 1@9 \n a expunge 1", (9, 60), (10, 60)),
        // A hidden placement counts, a floor does not: see `Mailbox`.
        ("a place 1@4 \n b place 2@9", (9, 9), (10, 9)),
        ("a place 1@4 \n a floor 100", (100, 100), (5, 4)),
        ("a floor 100 \n b place 1@4", (100, 100), (5, 4)),
        ("a place 1@4 \n a flags 1 +\\Seen", (4, 50), (5, 50)),
        ("a place 1@4 \n a move 1 to 2@5", (5, 70), (6, 70)),
    ] {
        let index = Index::memory();
        history::apply(&index, &play(story), &mut Random(1));
        assert_eq!(index.top(MailboxId(1)).unwrap(), (Uid(top.0), ModSeq(top.1)), "{story}");
        let mailbox = index.mailbox(MailboxId(1)).unwrap().unwrap();
        let now = (mailbox.uid_next, mailbox.highest_modseq);
        assert_eq!(now, (Uid(told.0), ModSeq(told.1)), "{story}");
    }
}

#[test]
fn an_entry_is_known_after_its_end() {
    let index = Index::memory();
    let story = "a place 1@4 \\Seen \n a flags 1 -\\Seen +Later \n a expunge 1 \n b flags 2 +x";
    history::apply(&index, &play(story), &mut Random(1));
    let state = index.entry(EntryId(1)).unwrap().unwrap();
    assert_eq!((state.uid, state.modseq), (Uid(4), ModSeq(60)));
    assert!(state.expunged && !state.hidden);
    assert_eq!(state.flags, ["Later"]);
    let changes: Vec<_> = state.changes.iter().map(|c| (c.name.as_str(), c.set)).collect();
    assert_eq!(changes, [("\\Seen", false), ("Later", true)]);
    assert_eq!(state.entry.mailbox, MailboxId(1));
    assert_eq!(index.entry(EntryId(2)).unwrap(), None, "never placed");
}

#[test]
fn two_thousand_concurrent_placements_on_either_side() {
    let side = |name: &str, lane: u32| -> String {
        (0..2000).map(|n| format!("{name} place {}@{}\n", lane + n, lane + n)).collect()
    };
    let index = Index::memory();
    let story = side("a", 10_000) + &side("b", 20_000);
    history::apply(&index, &play(&story), &mut Random(1));
    assert_eq!(index.counts().unwrap().hidden, 2000);
    assert_eq!(index.messages(MailboxId(1)).unwrap()[0].uid, Uid(20_000));
}
