//! COPY, MOVE and their UID forms.

use imap::Failure;

use crate::{Client, numbered};

#[test]
fn copy_tells_the_new_uids() {
    let mut store = numbered(4);
    store.create("Archiv/\u{e4}lter", None);
    let mut client = Client::selected(store);
    client.check(
        "C: a COPY 2:3 Archiv/&AOQ-lter
         S: a OK [COPYUID 106 2:3 1:2] COPY done
         C: b UID COPY 4,1 \"Archiv/&AOQ-lter\"
         S: b OK [COPYUID 106 1,4 3:4] COPY done
         C: c UID COPY 99 Archiv/&AOQ-lter
         S: c OK COPY done, of nothing
         C: d COPY 1 nowhere
         S: d NO [TRYCREATE] there is no such mailbox
         C: e COPY 5 INBOX
         S: e BAD there is no message with that number
         C: f COPY 1 INBOX
         S: * 5 EXISTS
         S: f OK [COPYUID 101 1 5] COPY done",
    );
}

#[test]
fn moved_messages_vanish_after_their_copyuid() {
    let mut store = numbered(4);
    store.create("Archive", None);
    let mut client = Client::selected(store);
    client.check(
        "C: a MOVE 2:3 Archive
         S: * OK [COPYUID 106 2:3 1:2] moved
         S: * 3 EXPUNGE
         S: * 2 EXPUNGE
         S: a OK MOVE done
         C: b UID MOVE 4 Archive
         S: * OK [COPYUID 106 4 3] moved
         S: * 2 EXPUNGE
         S: b OK MOVE done
         C: c MOVE 1 nowhere
         S: c NO [TRYCREATE] there is no such mailbox",
    );
    assert_eq!(client.store.rows("Archive").len(), 3);
}

#[test]
fn failures() {
    let mut client = Client::selected(numbered(1));
    client.hold = true;
    client.send(b"a COPY 1 INBOX\r\n");
    let mailboxes = client.store.answer(client.held.take().unwrap());
    client.input(imap::Input::Answer(mailboxes));
    client.store.fail_next = Some(Failure::OverQuota);
    client.answer_held();
    assert_eq!(client.take(), "a NO [OVERQUOTA] there is no room left\r\n");
}
