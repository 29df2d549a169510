use smtp::Address;

use crate::client::{check, check_as_alice, check_greeted, submission_tls};

#[test]
fn parameters() {
    for (parameters, reply) in [
        ("", "250 2.1.0 sender accepted"),
        (" SIZE=52428800", "250 2.1.0 sender accepted"),
        (" body=8bitmime size=0 auth=<>", "250 2.1.0 sender accepted"),
        ("  BODY=7BIT  AUTH=e+3Dmc2@example.org ", "250 2.1.0 sender accepted"),
        (" SIZE=52428801", "552 5.3.4 message too big"),
        (" SIZE=99999999999999999999", "552 5.3.4 message too big"),
        (" SIZE=", "501 5.5.4 bad value of parameter SIZE"),
        (" SIZE=-1", "501 5.5.4 bad value of parameter SIZE"),
        (" SIZE=999999999999999999999", "501 5.5.4 bad value of parameter SIZE"),
        (" SIZE=1 SIZE=1", "501 5.5.4 bad value of parameter SIZE"),
        (" BODY=BINARYMIME", "501 5.5.4 bad value of parameter BODY"),
        (" BODY=7BIT BODY=7BIT", "501 5.5.4 bad value of parameter BODY"),
        (" AUTH", "501 5.5.4 bad value of parameter AUTH"),
        (" SMTPUTF8", "555 5.5.4 parameter not supported"),
        (" RET=HDRS", "555 5.5.4 parameter not supported"),
        ("SIZE=1", "501 5.5.4 expected: MAIL FROM:<address> [parameters]"),
    ] {
        check_greeted(&format!(
            "
            C: MAIL FROM:<a@example.org>{parameters}
            S: {reply}"
        ));
    }
}

#[test]
fn senders() {
    for (path, reply) in [
        ("<>", "250 2.1.0 sender accepted"),
        (" <a@example.org>", "250 2.1.0 sender accepted"),
        ("<@relay.example,@b.example:a@example.org>", "250 2.1.0 sender accepted"),
        (r#"<"a b\">"@example.org>"#, "250 2.1.0 sender accepted"),
        ("<a@[192.0.2.9]>", "250 2.1.0 sender accepted"),
        ("<a@[IPv6:2001:db8::9]>", "250 2.1.0 sender accepted"),
        ("<jörg@example.org>", "553 5.6.7 addresses outside ASCII are not supported"),
        ("<a@example.org", "501 5.1.3 bad address syntax"),
        ("a@example.org", "501 5.1.3 bad address syntax"),
        ("<a b@example.org>", "501 5.1.3 bad address syntax"),
        ("<a>", "501 5.1.3 bad address syntax"),
        ("<postmaster>", "501 5.1.3 bad address syntax"),
        ("", "501 5.1.3 bad address syntax"),
    ] {
        check_greeted(&format!(
            "
            C: MAIL FROM:{path}
            S: {reply}"
        ));
    }
    check_greeted(
        "
        C: MAIL TO:<a@example.org>
        S: 501 5.5.4 expected: MAIL FROM:<address> [parameters]
        C: MAIL
        S: 501 5.5.4 expected: MAIL FROM:<address> [parameters]
        C: MAIL FRöM:<a@example.org>
        S: 501 5.5.4 expected: MAIL FROM:<address> [parameters]",
    );
}

#[test]
fn one_transaction_at_a_time() {
    check_greeted(
        "
        C: MAIL FROM:<a@example.org>
        S: 250 2.1.0 sender accepted
        C: MAIL FROM:<b@example.org>
        S: 503 5.5.1 one message at a time
        C: RSET
        S: 250 2.0.0 forgotten
        C: MAIL FROM:<b@example.org>
        S: 250 2.1.0 sender accepted",
    );
}

#[test]
fn an_account_sends_as_itself() {
    check_as_alice(
        "
        C: MAIL FROM:<bob@example.test>
        S: 553 5.7.1 this sender address is not yours
        C: MAIL FROM:<busy@example.test>
        S: 451 4.3.0 ask later
        C: MAIL FROM:<alice@example.test>
        S: 250 2.1.0 sender accepted
        C: RSET
        S: 250 2.0.0 forgotten
        C: MAIL FROM:<>
        S: 250 2.1.0 sender accepted",
    );
    check(
        &submission_tls(),
        "
        S: 220 mx.example.test ESMTP twinpost
        C: HELO client.example
        S: 250 mx.example.test
        C: MAIL FROM:<alice@example.test>
        S: 530 5.7.0 authentication required",
    );
}

#[test]
fn the_envelope_names_the_sender() {
    let client = check_greeted(
        r#"
        C: MAIL FROM:<"a \b"@EXAMPLE.org>
        S: 250 2.1.0 sender accepted
        C: RCPT TO:<alice@example.test>
        S: 250 2.1.5 recipient accepted
        C: DATA
        S: 354 send the message, end with a line of one dot
        C: .
        S: 250 2.0.0 message accepted"#,
    );
    let from = client.delivered[0].0.from.clone();
    assert_eq!(from, Some(Address::parse(r#""a b"@example.org"#).unwrap()));
}
