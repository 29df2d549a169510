use pop3::Input;

use crate::client::{Client, check, plaintext, tls};

#[test]
fn passwords_only_behind_it() {
    check(
        &plaintext(),
        "
        C: USER alice
        S: -ERR no passwords in plaintext, use STLS first
        C: PASS se cret
        S: -ERR no passwords in plaintext, use STLS first
        C: AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=
        S: -ERR no passwords in plaintext, use STLS first
        C: STLS
        S: +OK go ahead
        [tls]
        C: USER alice
        S: +OK
        C: PASS se cret
        S: +OK 5 messages (63 octets)",
    );
    check(
        &tls(),
        "
        C: STLS
        S: -ERR TLS is active already",
    );
}

#[test]
fn plaintext_behind_the_command_is_never_carried_out() {
    let mut client = Client::new(plaintext(), usize::MAX);
    client.hear();
    assert_eq!(client.say(b"STLS\r\nUSER alice\r\nQU"), "+OK go ahead\r\n");
    assert_eq!(client.say(b"IT\r\nUSER alice\r\n"), "");
    assert_eq!(client.input(Input::TlsStarted), "");
    assert_eq!(client.say(b"PASS se cret\r\n"), "-ERR USER first\r\n");
}

#[test]
fn a_handshake_that_takes_too_long_is_cut_without_a_word() {
    for ending in ["[wait 600]", "[closing handover]"] {
        check(
            &plaintext(),
            &format!(
                "
                C: STLS
                S: +OK go ahead
                {ending}
                [closed]"
            ),
        );
    }
}
