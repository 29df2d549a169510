use crate::client::check_as_alice;

#[test]
fn at_quit_and_not_before() {
    let client = check_as_alice(
        "
        C: DELE 3
        S: +OK will be deleted at QUIT
        C: DELE 1
        S: +OK will be deleted at QUIT
        C: DELE 1
        S: -ERR no such message
        C: DELE 9
        S: -ERR no such message
        C: DELE
        S: -ERR expected: DELE number",
    );
    assert!(client.deleted.is_empty());
    let client = check_as_alice(
        "
        C: DELE 3
        C: DELE 1
        C: QUIT
        C: NOOP
        S: +OK will be deleted at QUIT
        S: +OK will be deleted at QUIT
        S: +OK 2 deleted, goodbye
        [closed]",
    );
    assert_eq!(client.deleted, [0xab00, 0xab02]);
}

#[test]
fn rset_takes_the_marks_away() {
    let client = check_as_alice(
        "
        C: DELE 1
        S: +OK will be deleted at QUIT
        C: RSET
        S: +OK 5 messages (63 octets)
        C: QUIT
        S: +OK goodbye
        [closed]",
    );
    assert!(client.deleted.is_empty());
}

#[test]
fn a_failure_is_told() {
    check_as_alice(
        "
        C: DELE 4
        C: QUIT
        S: +OK will be deleted at QUIT
        S: -ERR [SYS/TEMP] not deleted: one copy only
        [closed]",
    );
}

#[test]
fn every_other_end_deletes_nothing() {
    let client = check_as_alice(
        "
        C: DELE 1
        S: +OK will be deleted at QUIT
        [wait 600]
        [closed]",
    );
    assert!(client.deleted.is_empty());
    let client = check_as_alice(
        "
        C: DELE 1
        S: +OK will be deleted at QUIT
        [closing moving to the other box]
        S: -ERR [SYS/TEMP] moving to the other box
        [closed]",
    );
    assert!(client.deleted.is_empty());
}
