//! EXPUNGE, UID EXPUNGE.

use crate::{Client, numbered};

#[test]
fn expunge_from_the_last_down() {
    let mut client = Client::selected(numbered(5));
    client.check(
        "C: a STORE 1,3:4 +FLAGS.SILENT (\\Deleted)
         S: a OK STORE done
         C: b EXPUNGE
         S: * 4 EXPUNGE
         S: * 3 EXPUNGE
         S: * 1 EXPUNGE
         S: b OK EXPUNGE done
         C: c EXPUNGE
         S: c OK EXPUNGE done
         C: d FETCH 1:* UID
         S: * 1 FETCH (UID 2)
         S: * 2 FETCH (UID 5)
         S: d OK FETCH done",
    );
}

#[test]
fn uid_expunge_takes_only_its_own() {
    let mut client = Client::selected(numbered(5));
    client.check(
        "C: a STORE 1:5 +FLAGS.SILENT (\\Deleted)
         S: a OK STORE done
         C: b UID EXPUNGE 2,4:9
         S: * 5 EXPUNGE
         S: * 4 EXPUNGE
         S: * 2 EXPUNGE
         S: b OK EXPUNGE done
         C: c UID EXPUNGE
         S: c BAD ...",
    );
}

#[test]
fn a_mark_that_somebody_else_took_away_counts_no_more() {
    let mut client = Client::selected(numbered(2));
    client.check("C: a STORE 1:2 +FLAGS.SILENT (\\Deleted)\nS: a OK STORE done");
    client.store.rows("INBOX")[0].flags.clear();
    client.check(
        "C: b EXPUNGE
         S: * 1 FETCH (UID 1 FLAGS ())
         S: * 2 EXPUNGE
         S: b OK EXPUNGE done",
    );
}
