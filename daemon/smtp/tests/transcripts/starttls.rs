use crate::client::{Client, check, mx, submission};
use smtp::Input;

#[test]
fn the_client_greets_again_and_may_then_authenticate() {
    check(
        &submission(),
        "
        S: 220 mx.example.test ESMTP twinpost
        C: EHLO client.example
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-STARTTLS
        S: 250-ENHANCEDSTATUSCODES
        S: 250 8BITMIME
        C: STARTTLS now
        S: 501 5.5.4 expected: STARTTLS
        C: starttls
        S: 220 2.0.0 go ahead
        [tls]
        C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
        S: 503 5.5.1 EHLO first
        C: EHLO client.example
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-AUTH PLAIN LOGIN
        S: 250-ENHANCEDSTATUSCODES
        S: 250 8BITMIME
        C: STARTTLS
        S: 503 5.5.1 TLS is active already
        C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
        S: 235 2.7.0 welcome, alice@example.test",
    );
}

#[test]
fn plaintext_behind_the_command_is_never_carried_out() {
    let client = check(
        &mx(),
        "
        S: 220 mx.example.test ESMTP twinpost
        C: HELO client.example
        S: 250 mx.example.test
        C: MAIL FROM:<a@example.org>
        S: 250 2.1.0 sender accepted
        C: STARTTLS
        C: RCPT TO:<alice@example.test>
        C: QUIT
        S: 220 2.0.0 go ahead
        [tls]
        C: RCPT TO:<alice@example.test>
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<a@example.org>
        S: 503 5.5.1 EHLO first",
    );
    assert!(!client.closed);
}

#[test]
fn half_a_line_does_not_survive_the_handshake_either() {
    let mut client = Client::new(mx(), usize::MAX);
    client.hear();
    assert_eq!(client.say(b"STARTTLS\r\nNOOP"), "220 2.0.0 go ahead\r\n");
    assert_eq!(client.say(b" injected"), "");
    assert_eq!(client.input(Input::TlsStarted), "");
    assert_eq!(client.say(b"HELP\r\n").get(..3), Some("214"));
}

#[test]
fn a_handshake_that_takes_too_long_is_cut_without_a_word() {
    for ending in ["[wait 300]", "[closing handover]"] {
        check(
            &mx(),
            &format!(
                "
                S: 220 mx.example.test ESMTP twinpost
                C: STARTTLS
                S: 220 2.0.0 go ahead
                {ending}
                [closed]"
            ),
        );
    }
}
