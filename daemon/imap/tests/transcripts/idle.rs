//! IDLE, and what other clients do meanwhile.

use imap::{Failure, Snapshot};

use crate::{Client, Store, numbered};

#[test]
fn idle_tells_at_once() {
    let mut client = Client::selected(numbered(2));
    client.check("C: a IDLE\nS: + idling");
    client.store.deliver("INBOX", b"A: b\r\n\r\n", &[]);
    client.changed();
    client.check("S: * 3 EXISTS");
    client.store.rows("INBOX")[1].flags.push("\\Seen".into());
    client.store.rows("INBOX").remove(0);
    client.changed();
    client.check("S: * 1 EXPUNGE\nS: * 1 FETCH (UID 2 FLAGS (\\Seen))");
    client.changed(); // nothing has
    client.check("C: done\nS: a OK IDLE done\nC: b NOOP\nS: b OK NOOP done");
}

#[test]
fn idle_without_a_mailbox() {
    let mut client = Client::logged_in(Store::new());
    client.check("C: a IDLE\nS: + idling\nC: DONE\nS: a OK IDLE done");
}

#[test]
fn idle_ends_with_done_only() {
    let mut client = Client::logged_in(Store::new());
    client.check("C: a IDLE\nS: + idling\nC: b NOOP\nS: a BAD IDLE ends with DONE\nC: c NOOP\nS: c OK NOOP done");
}

#[test]
fn changes_during_a_question_are_told_afterwards() {
    let mut client = Client::selected(numbered(1));
    client.check("C: a IDLE\nS: + idling");
    client.store.rows("INBOX")[0].flags.push("\\Seen".into());
    client.hold = true;
    client.changed();
    let answer = client.store.answer(client.held.take().unwrap());
    client.store.deliver("INBOX", b"A: b\r\n\r\n", &[]);
    client.changed();
    client.send(b"DONE\r\n");
    client.hold = false;
    client.input(imap::Input::Answer(answer));
    client.check("S: * 1 FETCH (UID 1 FLAGS (\\Seen))\nS: * 2 EXISTS\nS: a OK IDLE done");
}

#[test]
fn without_idle_the_next_command_tells() {
    let mut client = Client::selected(numbered(1));
    client.store.deliver("INBOX", b"A: b\r\n\r\n", &[]);
    client.changed();
    client.check("");
    client.check("C: a LSUB \"\" *\nS: * 2 EXISTS\nS: a OK LSUB done");
}

#[test]
fn new_messages_behind_expunged_ones_that_wait() {
    let mut client = Client::selected(numbered(2));
    client.store.rows("INBOX").remove(0);
    client.store.deliver("INBOX", b"A: b\r\n\r\n", &[]);
    client.changed();
    client.check(
        "C: a SEARCH ALL
         S: * SEARCH 1 2
         S: * 3 EXISTS
         S: a OK SEARCH done
         C: b FETCH 3 UID
         S: * 3 FETCH (UID 3)
         S: b OK FETCH done
         C: c SEARCH ALL
         S: * SEARCH 2 3
         S: c OK SEARCH done
         C: d NAMESPACE
         S: * NAMESPACE ...
         S: * 1 EXPUNGE
         S: d OK NAMESPACE done",
    );
}

#[test]
fn a_mailbox_that_is_deleted_or_joined_ends_the_session() {
    let mut client = Client::selected(numbered(1));
    let inbox = client.store.id("INBOX");
    client.store.folders.remove(&inbox);
    client.check("C: a NOOP\nS: * BYE the selected mailbox was deleted");

    let mut client = Client::selected(numbered(1));
    let inbox = client.store.id("INBOX");
    client.store.folders.get_mut(&inbox).unwrap().snapshot =
        Snapshot { uid_validity: 999, version: 77, ..Snapshot::default() };
    client
        .check("C: a NOOP\nS: * BYE the selected mailbox was joined with another, select it again");
}

#[test]
fn a_look_that_fails_is_made_up_for() {
    let mut client = Client::selected(numbered(1));
    client.store.deliver("INBOX", b"A: b\r\n\r\n", &[]);
    client.store.fail_next = Some(Failure::Unavailable("rebuilding".into()));
    client.check(
        "C: a NOOP
         S: * NO [UNAVAILABLE] rebuilding
         S: a OK NOOP done
         C: b NOOP
         S: * 2 EXISTS
         S: b OK NOOP done",
    );
}
