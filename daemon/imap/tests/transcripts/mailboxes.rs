//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.

use crate::{Client, Store, numbered};

fn names(client: &Client) -> Vec<String> {
    let infos = client.store.folders.values().filter_map(|folder| folder.info.as_ref());
    infos.map(|info| info.name.clone()).collect()
}

#[test]
fn create_makes_the_levels_above() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a CREATE Work/2024/May/
         S: a OK CREATE done
         C: b CREATE Work/2024
         S: b NO [ALREADYEXISTS] there is such a mailbox already
         C: c CREATE inbox/&AOQ-
         S: c OK CREATE done
         C: d CREATE \"a*b\"
         S: d NO [CANNOT] the name has characters that no mailbox name can have
         C: e CREATE a//b
         S: e NO [CANNOT] a level of the name is empty
         C: f CREATE \"\"
         S: f NO [CANNOT] a level of the name is empty
         C: g CREATE inbox
         S: g NO [ALREADYEXISTS] there is such a mailbox already",
    );
    assert_eq!(names(&client), ["INBOX", "Work", "Work/2024", "Work/2024/May", "INBOX/\u{e4}"]);
}

#[test]
fn delete() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a CREATE x
         S: a OK CREATE done
         C: b DELETE inbox
         S: b NO [CANNOT] the inbox cannot be deleted
         C: c DELETE y
         S: c NO [NONEXISTENT] there is no such mailbox",
    );
    client.send(b"d SELECT x\r\n");
    client.take();
    client.check("C: e DELETE x\nS: e OK DELETE done\nC: f CHECK\nS: f BAD select a mailbox first");
    assert_eq!(names(&client), ["INBOX"]);
}

#[test]
fn rename_takes_what_is_below_along() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a CREATE a/b/c
         S: a OK CREATE done
         C: b CREATE ab
         S: b OK CREATE done
         C: c RENAME a x/y
         S: c OK RENAME done
         C: d RENAME a z
         S: d NO [NONEXISTENT] there is no such mailbox
         C: e RENAME x/y x/y/z
         S: e NO [CANNOT] a mailbox cannot go below itself
         C: f RENAME x/y ab
         S: f NO [ALREADYEXISTS] there is such a mailbox already
         C: g RENAME ab inbox
         S: g NO [ALREADYEXISTS] there is such a mailbox already",
    );
    let mut names = names(&client);
    names.sort();
    assert_eq!(names, ["INBOX", "ab", "x", "x/y", "x/y/b", "x/y/b/c"]);
}

#[test]
fn renaming_the_inbox_empties_it() {
    let mut client = Client::selected(numbered(2));
    client.check(
        "C: a RENAME inbox old/mail
         S: * 2 EXPUNGE
         S: * 1 EXPUNGE
         S: a OK RENAME done
         C: b STATUS old/mail (MESSAGES)
         S: * STATUS old/mail (MESSAGES 2)
         S: b OK STATUS done",
    );
    assert_eq!(names(&client), ["INBOX", "old", "old/mail"]);
}

#[test]
fn subscriptions() {
    let mut client = Client::logged_in(Store::new());
    client.check(
        "C: a SUBSCRIBE INBOX
         S: a OK SUBSCRIBE done
         C: b LSUB \"\" *
         S: * LSUB () \"/\" INBOX
         S: b OK LSUB done
         C: c UNSUBSCRIBE INBOX
         S: c OK UNSUBSCRIBE done
         C: d LSUB \"\" *
         S: d OK LSUB done
         C: e SUBSCRIBE nowhere
         S: e NO [NONEXISTENT] there is no such mailbox",
    );
}
