//! SELECT, EXAMINE, CLOSE, UNSELECT.

use imap::Failure;

use crate::{Client, Store, numbered, two_messages};

#[test]
fn select_tells_what_is_there() {
    let mut store = two_messages();
    store.rows("INBOX")[0].flags.push("$Forwarded".into());
    let mut client = Client::logged_in(store);
    client.check(
        "C: a SELECT inbox
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded)
         S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded \\*)] these can be set
         S: * 2 EXISTS
         S: * 0 RECENT
         S: * OK [UNSEEN 2] the first without \\Seen
         S: * OK [UIDVALIDITY 101] UIDs are valid
         S: * OK [UIDNEXT 3] the next UID
         S: a OK [READ-WRITE] SELECT done",
    );
    assert_eq!(client.events, ["Login", "ListMailboxes", "Watch { mailbox: 1 }", "Select"]);
}

#[test]
fn examine_changes_nothing() {
    let mut client = Client::logged_in(two_messages());
    client.check(
        "C: a EXAMINE INBOX
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ()] these can be set
         S: * 2 EXISTS
         S: * 0 RECENT
         S: * OK [UNSEEN 2] the first without \\Seen
         S: * OK [UIDVALIDITY 101] UIDs are valid
         S: * OK [UIDNEXT 3] the next UID
         S: a OK [READ-ONLY] EXAMINE done
         C: b STORE 1 +FLAGS (\\Deleted)
         S: b NO the mailbox is open for reading only
         C: c EXPUNGE
         S: c NO the mailbox is open for reading only
         C: d MOVE 1 INBOX
         S: d NO the mailbox is open for reading only
         C: e FETCH 2 BODY[TEXT]<0.1>
         S: * 2 FETCH (BODY[TEXT]<0> {1}
         S: -)
         S: e OK FETCH done
         C: f CLOSE
         S: f OK CLOSE done",
    );
    assert!(client.store.rows("INBOX")[1].flags.is_empty());
}

#[test]
fn a_missing_mailbox_leaves_none_selected() {
    let mut client = Client::selected(numbered(1));
    client.events.clear();
    client.check(
        "C: a SELECT nowhere
         S: * OK [CLOSED] the mailbox before is closed
         S: a NO [NONEXISTENT] there is no such mailbox
         C: b FETCH 1 FLAGS
         S: b BAD select a mailbox first",
    );
    assert_eq!(client.events, ["Unwatch", "ListMailboxes"]);
}

#[test]
fn a_mailbox_that_vanishes_while_it_is_opened() {
    let mut client = Client::logged_in(Store::new());
    client.hold = true;
    client.send(b"a SELECT INBOX\r\n");
    client.answer_held();
    client.take();
    client.events.clear();
    client.hold = true;
    client.send(b"a SELECT INBOX\r\n");
    let answer = client.store.answer(client.held.take().unwrap());
    client.input(imap::Input::Answer(answer));
    client.store.fail_next = Some(Failure::NoSuchMailbox);
    client.answer_held();
    assert!(client.take().ends_with("a NO [NONEXISTENT] there is no such mailbox\r\n"));
    assert_eq!(client.events.last().map(String::as_str), Some("Unwatch"));
}

#[test]
fn close_expunges_silently_and_unselect_does_not() {
    let mut store = numbered(3);
    store.rows("INBOX")[1].flags.push("\\Deleted".into());
    let mut client = Client::selected(store);
    client.check("C: a UNSELECT\nS: a OK UNSELECT done");
    assert_eq!(client.store.rows("INBOX").len(), 3);
    client.send(b"b SELECT INBOX\r\n");
    client.take();
    client.check("C: c CLOSE\nS: c OK CLOSE done\nC: d CLOSE\nS: d BAD select a mailbox first");
    let uids: Vec<u32> = client.store.rows("INBOX").iter().map(|row| row.uid).collect();
    assert_eq!(uids, [1, 3]);
}

#[test]
fn close_tells_when_it_could_not_expunge() {
    let mut client = Client::selected(numbered(1));
    client.check("C: a STORE 1 +FLAGS.SILENT (\\Deleted)\nS: a OK STORE done");
    client.hold = true;
    client.send(b"b CLOSE\r\n");
    let refreshed = client.store.answer(client.held.take().unwrap());
    client.input(imap::Input::Answer(refreshed));
    client.store.fail_next = Some(Failure::Unavailable("no disk".into()));
    client.answer_held();
    assert_eq!(client.take(), "b NO [UNAVAILABLE] no disk\r\n");
    client.check("C: c CHECK\nS: c BAD select a mailbox first");
}
