//! SEARCH, UID SEARCH.

use crate::{Client, MIXED, PLAIN, Store, numbered};

fn store() -> Store {
    let mut store = Store::new();
    store.deliver("INBOX", PLAIN.as_bytes(), &["\\Seen", "$Work"]);
    store.deliver("INBOX", MIXED.as_bytes(), &["\\Flagged"]);
    store.deliver("INBOX", b"no header at all", &["\\Deleted", "\\Answered", "\\Draft"]);
    store.rows("INBOX")[0].internal_date_s = 86_400 * 10; // 11-Jan-1970
    store.rows("INBOX")[1].internal_date_s = 86_400 * 20 + 86_399; // 21-Jan-1970, late
    store.rows("INBOX")[2].internal_date_s = 86_400 * 30; // 31-Jan-1970
    store
}

#[track_caller]
fn check(client: &mut Client, keys: &str, expected: &str) {
    let found = if expected.is_empty() { String::new() } else { format!(" {expected}") };
    client.check(&format!("C: a SEARCH {keys}\nS: * SEARCH{found}\nS: a OK SEARCH done"));
}

#[test]
fn flags() {
    let mut client = Client::selected(store());
    for (keys, expected) in [
        ("ALL", "1 2 3"),
        ("SEEN", "1"),
        ("UNSEEN", "2 3"),
        ("FLAGGED", "2"),
        ("UNFLAGGED", "1 3"),
        ("DELETED", "3"),
        ("UNDELETED", "1 2"),
        ("ANSWERED", "3"),
        ("UNANSWERED", "1 2"),
        ("DRAFT", "3"),
        ("UNDRAFT", "1 2"),
        ("KEYWORD $work", "1"),
        ("UNKEYWORD $Work", "2 3"),
        ("RECENT", ""),
        ("NEW", ""),
        ("OLD", "1 2 3"),
    ] {
        check(&mut client, keys, expected);
    }
    assert!(!client.events.contains(&"Read".to_owned()), "flags need no reading");
}

#[test]
fn sets_sizes_and_dates() {
    let mut client = Client::selected(store());
    for (keys, expected) in [
        ("1:2", "1 2"),
        ("*", "3"),
        ("UID 2:*", "2 3"),
        ("UID 77:*", "3"),
        ("99", ""),
        ("LARGER 100", "2"),
        ("SMALLER 68", "3"),
        ("BEFORE 21-Jan-1970", "1"),
        ("ON \"21-Jan-1970\"", "2"),
        ("SINCE 21-jan-1970", "2 3"),
        ("SENTBEFORE 18-Jul-1996", "2"),
        ("SENTON 17-Jul-1996", "2"),
        ("SENTSINCE 18-Jul-1996", ""),
    ] {
        check(&mut client, keys, expected);
    }
}

#[test]
fn texts() {
    let mut client = Client::selected(store());
    for (keys, expected) in [
        ("FROM ANN", "2"),
        ("FROM example.test", "1 2"),
        ("TO carl", "2"),
        ("CC carl", ""),
        ("SUBJECT hello", "1"),
        ("HEADER X-Note FIRST", "1"),
        ("HEADER Message-Id \"\"", "2"),
        ("BODY \"hello ann\"", "1"),
        ("BODY \"inner text\"", "2"),
        ("BODY header", "3"),
        ("TEXT hello", "1"),
        ("TEXT x-note", "1"),
        ("TEXT boundary", "2"),
        ("BODY boundary", ""),
        ("SUBJECT \"\"", "1 2"),
    ] {
        check(&mut client, keys, expected);
    }
    client.check(
        "C: b SEARCH CHARSET UTF-8 SUBJECT {7+}
         C: GR\u{dc}\u{df}E
         S: * SEARCH 2
         S: b OK SEARCH done
         C: c SEARCH BODY \"sch\u{f6}ne\"
         S: * SEARCH 2
         S: c OK SEARCH done
         C: d SEARCH CHARSET KOI8-R SUBJECT {1+}
         C: x
         S: d NO [BADCHARSET (US-ASCII UTF-8)] this character set is not known",
    );
}

#[test]
fn combinations() {
    let mut client = Client::selected(store());
    for (keys, expected) in [
        ("SEEN FLAGGED", ""),
        ("NOT SEEN NOT DELETED", "2"),
        ("OR SEEN DELETED", "1 3"),
        ("OR (SEEN 1) (DELETED 3)", "1 3"),
        ("NOT (OR SEEN DELETED)", "2"),
        ("NOT BODY inner", "1 3"),
        ("OR SUBJECT hello BODY inner", "1 2"),
        ("(1:3 ( ( UNSEEN ) ) )", "2 3"),
    ] {
        check(&mut client, keys, expected);
    }
    client.events.clear();
    check(&mut client, "2 BODY inner", "2");
    let reads = client.events.iter().filter(|event| *event == "Read").count();
    assert_eq!(reads, 1, "only what the numbers leave open is read");
}

#[test]
fn uids_and_extended_results() {
    let mut store = numbered(6);
    store.rows("INBOX").remove(0);
    let mut client = Client::selected(store);
    client.check(
        "C: a UID SEARCH 2:3
         S: * SEARCH 3 4
         S: a OK SEARCH done
         C: b SEARCH RETURN (MIN MAX COUNT) 2:4
         S: * ESEARCH (TAG \"b\") MIN 2 MAX 4 COUNT 3
         S: b OK SEARCH done
         C: c UID SEARCH RETURN () UID 2:3,5:*
         S: * ESEARCH (TAG \"c\") UID ALL 2:3,5:6
         S: c OK SEARCH done
         C: d SEARCH RETURN (COUNT ALL) SEEN
         S: * ESEARCH (TAG \"d\") COUNT 0
         S: d OK SEARCH done
         C: e SEARCH RETURN (FOO) ALL
         S: e BAD there is no such return option",
    );
}

#[test]
fn wrong_searches() {
    let mut client = Client::selected(store());
    for keys in [
        "",
        "FOO",
        "()",
        "SUBJECT",
        "OR SEEN",
        "NOT",
        "(SEEN",
        "SEEN)",
        "SINCE 1-1-1970",
        "LARGER x",
        "HEADER x",
        "UID x",
    ] {
        client.send(format!("a SEARCH {keys}\r\n").as_bytes());
        let answer = client.take();
        assert!(answer.starts_with("a BAD "), "{keys}: {answer}");
        client.check("C: n NOOP\nS: n OK NOOP done");
    }
    for deep in ["NOT ".repeat(5000), "(".repeat(5000), "OR ".repeat(5000), "SEEN ".repeat(5000)] {
        client.send(format!("a SEARCH {deep}\r\n").as_bytes());
        assert!(client.take().starts_with("a BAD "));
    }
}
