use crate::client::{check, check_as_alice, tls};

#[test]
fn sizes_and_ids() {
    check_as_alice(
        "
        C: STAT
        S: +OK 5 63
        C: LIST
        S: +OK 5 messages (63 octets)
        S: 1 39
        S: 2 16
        S: 3 0
        S: 4 4
        S: 5 4
        S: .
        C: LIST 2
        S: +OK 2 16
        C: UIDL
        S: +OK 5 messages (63 octets)
        S: 1 0000000000000000000000000000ab00
        S: 2 0000000000000000000000000000ab01
        S: 3 0000000000000000000000000000ab02
        S: 4 0000000000000000000000000000ab03
        S: 5 0000000000000000000000000000ab04
        S: .
        C: uidl 5
        S: +OK 5 0000000000000000000000000000ab04",
    );
}

#[test]
fn numbers_that_no_message_has() {
    check_as_alice(
        "
        C: LIST 0
        S: -ERR no such message
        C: LIST 6
        S: -ERR no such message
        C: UIDL 99999999999999999999999
        S: -ERR no such message
        C: LIST -1
        S: -ERR expected: LIST [number]
        C: LIST 1 2
        S: -ERR expected: LIST [number]
        C: STAT 1
        S: -ERR expected: STAT",
    );
}

#[test]
fn an_empty_maildrop() {
    check(
        &tls(),
        "
        C: USER bob
        C: PASS se cret
        S: +OK
        S: +OK 0 messages (0 octets)
        C: STAT
        S: +OK 0 0
        C: LIST
        S: +OK 0 messages (0 octets)
        S: .
        C: RETR 1
        S: -ERR no such message",
    );
}

#[test]
fn deleted_messages_are_left_out_and_numbers_stay() {
    check_as_alice(
        "
        C: DELE 1
        S: +OK will be deleted at QUIT
        C: DELE 4
        S: +OK will be deleted at QUIT
        C: STAT
        S: +OK 3 20
        C: LIST
        S: +OK 3 messages (20 octets)
        S: 2 16
        S: 3 0
        S: 5 4
        S: .
        C: UIDL 1
        S: -ERR no such message",
    );
}
