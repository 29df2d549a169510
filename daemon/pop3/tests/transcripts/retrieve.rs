use pop3::Part;

use crate::client::check_as_alice;

#[test]
fn whole_messages() {
    let client = check_as_alice(
        "
        C: RETR 1
        S: +OK 39 octets
        S: Subject: one
        S:
        S: first
        S: ..second
        S: ..
        S: last
        S: .
        C: RETR 3
        S: +OK 0 octets
        S: .
        C: RETR 4
        S: -ERR [SYS/TEMP] disk
        C: RETR 5
        S: -ERR that message is no longer there
        C: RETR 6
        S: -ERR no such message
        C: RETR
        S: -ERR expected: RETR number
        C: NOOP
        S: +OK",
    );
    assert_eq!(client.read[0], (0xab00, Part::Whole));
}

#[test]
fn tops() {
    let client = check_as_alice(
        "
        C: TOP 1 0
        S: +OK 16 octets
        S: Subject: one
        S:
        S: .
        C: TOP 1 2
        S: +OK 32 octets
        S: Subject: one
        S:
        S: first
        S: ..second
        S: .
        C: TOP 2 1000000000000000000000
        S: +OK 16 octets
        S: Subject: two
        S:
        S: .
        C: TOP 5 1
        S: -ERR that message is no longer there
        C: TOP 9 1
        S: -ERR no such message
        C: TOP 1
        S: -ERR expected: TOP number lines
        C: TOP 1 -1
        S: -ERR expected: TOP number lines",
    );
    assert_eq!(client.read[..2], [(0xab00, Part::Header), (0xab00, Part::Whole)]);
}

#[test]
fn a_deleted_message_is_not_sent() {
    check_as_alice(
        "
        C: DELE 2
        S: +OK will be deleted at QUIT
        C: RETR 2
        S: -ERR no such message
        C: TOP 2 0
        S: -ERR no such message",
    );
}
