use crate::client::{check, check_as_alice, mx, submission};

#[test]
fn each_port_announces_what_it_offers() {
    check(
        &mx(),
        "
        S: 220 mx.example.test ESMTP twinpost
        C: EHLO [192.0.2.7]
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-STARTTLS
        S: 250-ENHANCEDSTATUSCODES
        S: 250 8BITMIME
        C: helo client
        S: 250 mx.example.test",
    );
    // AUTH is offered once there is TLS; `check_as_alice` begins with that.
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
        S: 250 8BITMIME",
    );
}

#[test]
fn the_name_is_one_word() {
    check(
        &mx(),
        "
        S: 220 mx.example.test ESMTP twinpost
        C: EHLO
        S: 501 5.5.4 expected: EHLO domain
        C: EHLO two words
        S: 501 5.5.4 expected: EHLO domain
        C: HELO clïent
        S: 501 5.5.4 expected: EHLO domain
        C: MAIL FROM:<a@example.org>
        S: 503 5.5.1 EHLO first
        C: HELO not_quite-a.domain
        S: 250 mx.example.test",
    );
}

#[test]
fn a_second_greeting_ends_the_transaction_and_not_the_authentication() {
    check_as_alice(
        "
        C: MAIL FROM:<alice@example.test>
        S: 250 2.1.0 sender accepted
        C: HELO again
        S: 250 mx.example.test
        C: RCPT TO:<bob@example.test>
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<alice@example.test>
        S: 250 2.1.0 sender accepted",
    );
}
