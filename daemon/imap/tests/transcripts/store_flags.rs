//! STORE, UID STORE.

use imap::Failure;

use crate::{Client, numbered};

#[test]
fn add_remove_replace() {
    let mut client = Client::selected(numbered(3));
    client.check(
        "C: a STORE 1:2 +FLAGS (\\Seen)
         S: * 1 FETCH (FLAGS (\\Seen))
         S: * 2 FETCH (FLAGS (\\Seen))
         S: a OK STORE done
         C: b STORE 1 FLAGS (\\deleted \\Recent \\Deleted)
         S: * 1 FETCH (FLAGS (\\Deleted))
         S: b OK STORE done
         C: c UID STORE 2 -FLAGS \\Seen
         S: * 2 FETCH (UID 2 FLAGS ())
         S: c OK STORE done
         C: d STORE 3 +FLAGS ($Junk work)
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work)
         S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk work \\*)] these can be set
         S: * 3 FETCH (FLAGS ($Junk work))
         S: d OK STORE done
         C: e STORE 3 FLAGS ()
         S: * 3 FETCH (FLAGS ())
         S: e OK STORE done
         C: f STORE 1 +FLAGS (\\Deleted)
         S: * 1 FETCH (FLAGS (\\Deleted))
         S: f OK STORE done",
    );
}

#[test]
fn silent_means_silent_about_the_expected() {
    let mut client = Client::selected(numbered(3));
    client.check("C: a STORE 1 +FLAGS.SILENT (\\Seen)\nS: a OK STORE done");
    client.check("C: b STORE 1 -FLAGS.SILENT (\\Seen)\nS: b OK STORE done");
    // Somebody else changed flags of the same and of another message.
    client.store.rows("INBOX")[0].flags = vec!["\\Flagged".into()];
    client.store.rows("INBOX")[2].flags = vec!["\\Draft".into()];
    client.check(
        "C: c STORE 1:2 +FLAGS.SILENT (\\Seen)
         S: * 1 FETCH (FLAGS (\\Flagged \\Seen))
         S: * 3 FETCH (FLAGS (\\Draft))
         S: c OK STORE done",
    );
}

#[test]
fn numbers_stay_while_storing() {
    let mut client = Client::selected(numbered(3));
    client.store.rows("INBOX").remove(0);
    client.changed();
    client.check(
        "C: a STORE 1:2 +FLAGS (\\Seen)
         S: * 2 FETCH (FLAGS (\\Seen))
         S: a OK STORE done
         C: b STORE 1 +FLAGS (\\Seen)
         S: b OK STORE done
         C: c UID STORE 3 +FLAGS (\\Seen)
         S: * 1 EXPUNGE
         S: * 2 FETCH (UID 3 FLAGS (\\Seen))
         S: c OK STORE done",
    );
}

#[test]
fn what_cannot_be_stored() {
    let mut client = Client::selected(numbered(1));
    client.check(
        "C: a STORE 1 +FLAGS (\\Foo)
         S: a BAD there is no such system flag
         C: b STORE 2 +FLAGS (\\Seen)
         S: b BAD there is no message with that number
         C: c STORE 1 FOO (\\Seen)
         S: c BAD STORE changes FLAGS only
         C: d UID STORE 99 +FLAGS (\\Seen)
         S: d OK STORE done
         C: e STORE 1 +FLAGS (a]b)
         S: e BAD ...
         C: f STORE 1 +FLAGS
         S: f BAD a space is missing",
    );
    client.store.fail_next = Some(Failure::Unavailable("the other box is away".into()));
    client.check("C: g STORE 1 +FLAGS (\\Seen)\nS: g NO [UNAVAILABLE] the other box is away");
}
