use crate::client::{check, check_as_alice, tls};

#[test]
fn by_user_and_pass() {
    check(
        &tls(),
        "
        C: PASS se cret
        S: -ERR USER first
        C: USER
        S: -ERR expected: USER name
        C: user bob
        S: +OK
        C: pass
        S: -ERR expected: PASS password
        C: pass se cret
        S: +OK 0 messages (0 octets)
        C: USER alice
        S: -ERR logged in already
        C: AUTH PLAIN
        S: -ERR logged in already",
    );
    check(
        &tls(),
        "
        C: USER bob
        C: PASS se cret
        C: NOOP
        S: +OK
        S: +OK 0 messages (0 octets)
        S: +OK",
    );
    // Every space of a password counts.
    check(
        &tls(),
        "
        C: USER bob
        C: PASS  se cret
        S: +OK
        S: -ERR [AUTH] wrong name or password
        C: PASS se cret
        S: -ERR USER first",
    );
}

#[test]
fn by_auth_plain() {
    check(
        &tls(),
        "
        C: AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=
        S: +OK 5 messages (63 octets)",
    );
    check(
        &tls(),
        "
        C: AUTH
        S: -ERR expected: AUTH mechanism [initial-response]
        C: AUTH LOGIN
        S: -ERR PLAIN is supported
        C: auth plain
        S: +
        C: *
        S: -ERR as you wish
        C: AUTH PLAIN =
        S: -ERR not a PLAIN response
        C: AUTH PLAIN Ym9iAGFsaWNlAHNlIGNyZXQ=
        S: -ERR [AUTH] wrong name or password
        C: AUTH PLAIN
        S: +
        C: not base64!
        S: -ERR not base64
        C: AUTH PLAIN
        S: +
        C: AGFsaWNlAHNlIGNyZXQ=
        S: +OK 5 messages (63 octets)",
    );
}

#[test]
fn the_third_refusal_is_the_last() {
    check(
        &tls(),
        "
        C: USER alice
        C: PASS guess
        S: +OK
        S: -ERR [AUTH] wrong name or password
        C: USER nobody
        C: PASS se cret
        S: +OK
        S: -ERR [AUTH] wrong name or password
        C: AUTH PLAIN AAA=
        S: -ERR [AUTH] wrong name or password
        [closed]",
    );
}

#[test]
fn the_box_may_be_unable() {
    check(
        &tls(),
        "
        C: USER busy
        C: PASS se cret
        S: +OK
        S: -ERR [SYS/TEMP] cannot check this at the moment
        C: USER locked
        C: PASS se cret
        S: +OK
        S: -ERR [IN-USE] the maildrop is open in another session
        C: USER half
        C: PASS se cret
        S: +OK
        S: -ERR [SYS/TEMP] joining??+OK
        C: STAT
        S: -ERR log in first",
    );
}

#[test]
fn nothing_else_before() {
    check(
        &tls(),
        "
        C: STAT
        S: -ERR log in first
        C: RETR 1
        S: -ERR log in first
        C: DELE 1
        S: -ERR log in first
        C: NOOP
        S: -ERR log in first
        C: QUIT
        S: +OK goodbye
        [closed]",
    );
    check_as_alice(
        "
        C: QUIT
        S: +OK goodbye
        [closed]",
    );
}
