//! LIST, LSUB, STATUS.

use imap::SpecialUse;

use crate::{Client, Store, numbered};

fn folders() -> Store {
    let mut store = numbered(2);
    store.create("Sent", Some(SpecialUse::Sent));
    store.create("Work/2024/May", None);
    store.create("Work", None);
    store.create("Entw\u{fc}rfe", Some(SpecialUse::Drafts));
    for name in ["INBOX", "Work/2024/May"] {
        let id = store.id(name);
        store.folders.get_mut(&id).unwrap().info.as_mut().unwrap().subscribed = true;
    }
    store
}

#[test]
fn all_names() {
    let mut client = Client::logged_in(folders());
    client.check(
        "C: a LIST \"\" *
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: * LIST (\\Drafts \\HasNoChildren) \"/\" Entw&APw-rfe
         S: * LIST (\\Sent \\HasNoChildren) \"/\" Sent
         S: * LIST (\\HasChildren) \"/\" Work
         S: * LIST (\\NonExistent \\NoSelect \\HasChildren) \"/\" Work/2024
         S: * LIST (\\HasNoChildren) \"/\" Work/2024/May
         S: a OK LIST done
         C: b LIST \"\" \"\"
         S: * LIST (\\NoSelect) \"/\" \"\"
         S: b OK LIST done",
    );
}

#[test]
fn patterns() {
    let mut client = Client::logged_in(folders());
    client.check(
        "C: a LIST Work/ %
         S: * LIST (\\NonExistent \\NoSelect \\HasChildren) \"/\" Work/2024
         S: a OK LIST done
         C: b LIST \"\" \"inb%\"
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: b OK LIST done
         C: c LIST \"\" (Sent Entw&APw-*)
         S: * LIST (\\Drafts \\HasNoChildren) \"/\" Entw&APw-rfe
         S: * LIST (\\Sent \\HasNoChildren) \"/\" Sent
         S: c OK LIST done
         C: d LIST \"\" nothing
         S: d OK LIST done",
    );
}

#[test]
fn extended() {
    let mut client = Client::logged_in(folders());
    client.check(
        "C: a LIST (SUBSCRIBED) \"\" *
         S: * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX
         S: * LIST (\\Subscribed \\HasNoChildren) \"/\" Work/2024/May
         S: a OK LIST done
         C: b LIST (SPECIAL-USE) \"\" * RETURN (CHILDREN SPECIAL-USE)
         S: * LIST (\\Drafts \\HasNoChildren) \"/\" Entw&APw-rfe
         S: * LIST (\\Sent \\HasNoChildren) \"/\" Sent
         S: b OK LIST done
         C: c LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %
         S: * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX
         S: * LIST (\\HasChildren) \"/\" Work (\"CHILDINFO\" (\"SUBSCRIBED\"))
         S: c OK LIST done
         C: d LIST \"\" (INBOX Work/2024) RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))
         S: * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX
         S: * STATUS INBOX (MESSAGES 2 UIDNEXT 3)
         S: * LIST (\\NonExistent \\NoSelect \\HasChildren) \"/\" Work/2024
         S: d OK LIST done
         C: e LIST (RECURSIVEMATCH) \"\" *
         S: e BAD ...
         C: f LIST (FOO) \"\" *
         S: f BAD there is no such selection option",
    );
}

#[test]
fn lsub() {
    let mut client = Client::logged_in(folders());
    client.check(
        "C: a LSUB \"\" *
         S: * LSUB () \"/\" INBOX
         S: * LSUB () \"/\" Work/2024/May
         S: a OK LSUB done
         C: b LSUB \"\" %
         S: * LSUB () \"/\" INBOX
         S: * LSUB (\\NoSelect) \"/\" Work
         S: b OK LSUB done",
    );
}

#[test]
fn status() {
    let mut client = Client::logged_in(folders());
    client.check(
        "C: a STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE)
         S: * STATUS INBOX (MESSAGES 2 RECENT 0 UIDNEXT 3 UIDVALIDITY 101 UNSEEN 2 DELETED 0 SIZE 36)
         S: a OK STATUS done
         C: b STATUS nowhere (MESSAGES)
         S: b NO [NONEXISTENT] there is no such mailbox
         C: c STATUS INBOX (FOO)
         S: c BAD there is no such status item
         C: d STATUS INBOX MESSAGES
         S: d BAD ...",
    );
}
