use smtp::{Config, Role};

use crate::client::{check, check_as_alice, mx, submission, submission_tls};

const TLS_START: &str = "
    S: 220 mx.example.test ESMTP twinpost
    C: HELO client.example
    S: 250 mx.example.test";

fn check_tls(transcript: &str) {
    check(&submission_tls(), &format!("{TLS_START}\n{transcript}"));
}

#[test]
fn plain_with_and_without_initial_response() {
    check_tls(
        "
        C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
        S: 235 2.7.0 welcome, alice@example.test",
    );
    check_tls(
        "
        C: auth plain
        S: 334
        C: AGFsaWNlAHNlY3JldA==
        S: 235 2.7.0 welcome, alice@example.test",
    );
    // Acting for oneself is allowed, for bob is not.
    check_tls(
        "
        C: AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==
        S: 535 5.7.8 wrong name or password
        C: AUTH PLAIN YWxpY2UAYWxpY2UAc2VjcmV0
        S: 235 2.7.0 welcome, alice@example.test",
    );
}

#[test]
fn login_with_and_without_initial_response() {
    check_tls(
        "
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: YWxpY2U=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 235 2.7.0 welcome, alice@example.test",
    );
    check_tls(
        "
        C: AUTH LOGIN YWxpY2U=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 235 2.7.0 welcome, alice@example.test",
    );
}

#[test]
fn the_exchange_may_be_given_up_or_go_wrong() {
    check_tls(
        "
        C: AUTH PLAIN
        S: 334
        C: *
        S: 501 5.7.0 as you wish
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: not base64!
        S: 501 5.5.2 not base64
        C: AUTH PLAIN c2VjcmV0
        S: 501 5.5.2 not a PLAIN response
        C: AUTH PLAIN =
        S: 501 5.5.2 not a PLAIN response
        C: AUTH PLAIN /w==
        S: 501 5.5.2 not base64
        C: AUTH
        S: 501 5.5.4 expected: AUTH mechanism [initial-response]
        C: AUTH CRAM-MD5
        S: 504 5.5.4 PLAIN and LOGIN are supported
        C: AUTH PLAIN AGJ1c3kAc2VjcmV0
        S: 454 4.7.0 cannot check this at the moment
        C: NOOP
        S: 250 2.0.0 still here",
    );
}

#[test]
fn the_third_refusal_is_the_last() {
    check_tls(
        "
        C: AUTH PLAIN AGFsaWNlAHdyb25n
        S: 535 5.7.8 wrong name or password
        C: AUTH LOGIN YWxpY2U=
        S: 334 UGFzc3dvcmQ6
        C: d3Jvbmc=
        S: 535 5.7.8 wrong name or password
        C: AUTH PLAIN AAA=
        S: 535 5.7.8 wrong name or password
        S: 421 4.7.0 mx.example.test too many failed authentications
        [closed]",
    );
}

#[test]
fn on_port_25_over_tls_too() {
    check(
        &Config { role: Role::Mx, tls_active: true, ..mx() },
        &format!(
            "{TLS_START}
            C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
            S: 235 2.7.0 welcome, alice@example.test"
        ),
    );
}

#[test]
fn never_in_plaintext() {
    check(
        &submission(),
        &format!(
            "{TLS_START}
            C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
            S: 538 5.7.11 encryption required, use STARTTLS first
            C: MAIL FROM:<alice@example.test>
            S: 530 5.7.0 use STARTTLS first, then AUTH"
        ),
    );
}

#[test]
fn once_and_outside_of_a_transaction() {
    check_as_alice(
        "
        C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
        S: 503 5.5.1 not now",
    );
}

#[test]
fn long_responses_pass_and_too_long_ones_do_not() {
    let long = "A".repeat(12_000);
    check_tls(&format!(
        "
        C: AUTH PLAIN {long}
        S: 501 5.5.2 not a PLAIN response
        C: AUTH PLAIN {long}{long}
        S: 500 5.5.2 line too long
        C: AUTH PLAIN
        S: 334
        C: {long}{long}
        S: 500 5.5.6 line too long
        C: NOOP
        S: 250 2.0.0 still here"
    ));
}
