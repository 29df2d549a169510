use smtp::{Config, Limits};

use crate::client::{check, check_as_alice, check_greeted, mx};

#[test]
fn the_box_decides_who_gets_mail() {
    let client = check_greeted(
        "
        C: RCPT TO:<alice@example.test>
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<>
        S: 250 2.1.0 sender accepted
        C: RCPT TO:<nobody@example.test>
        S: 550 5.1.1 no such user here
        C: RCPT TO:<alice@example.org>
        S: 550 5.7.1 this server does not relay mail to that domain
        C: RCPT TO:<alice@[192.0.2.1]>
        S: 550 5.7.1 this server does not relay mail to that domain
        C: RCPT TO:<alice%example.org@example.test>
        S: 550 5.1.1 no such user here
        C: RCPT TO:<busy@example.test>
        S: 451 4.3.0 ask later
        C: RCPT TO:<elsewhere@example.org>
        S: 550 5.7.1 no mail??250 to ?lsewhere
        C: RCPT TO:<alice@EXAMPLE.test>
        S: 250 2.1.5 recipient accepted
        C: RCPT TO:<@relay.example:bob@example.test>
        S: 250 2.1.5 recipient accepted
        C: RCPT TO:<alice@example.test>
        S: 250 2.1.5 recipient accepted
        C: RCPT TO:<postmaster>
        S: 250 2.1.5 recipient accepted
        C: DATA
        S: 354 send the message, end with a line of one dot
        C: .
        S: 250 2.0.0 message accepted",
    );
    let envelope = &client.delivered[0].0;
    assert_eq!(envelope.from, None);
    let recipients = envelope.recipients.iter();
    assert_eq!(
        recipients.map(|to| format!("{} {}", to.account, to.address)).collect::<Vec<_>>(),
        ["1 alice@example.test", "2 bob@example.test", "1 Postmaster@mx.example.test"]
    );
}

#[test]
fn what_is_no_recipient() {
    check_greeted(
        "
        C: MAIL FROM:<a@example.org>
        S: 250 2.1.0 sender accepted
        C: RCPT TO:<>
        S: 501 5.1.3 bad address syntax
        C: RCPT TO:alice@example.test
        S: 501 5.1.3 bad address syntax
        C: RCPT FROM:<alice@example.test>
        S: 501 5.5.4 expected: RCPT TO:<address>
        C: RCPT TO:<alice@example.test> NOTIFY=NEVER
        S: 555 5.5.4 parameter not supported
        C: RCPT TO:<älice@example.test>
        S: 553 5.6.7 addresses outside ASCII are not supported
        C: DATA
        S: 554 5.5.1 no valid recipients",
    );
}

#[test]
fn an_account_does_not_relay_for_now_either() {
    check_as_alice(
        "
        C: MAIL FROM:<alice@example.test>
        S: 250 2.1.0 sender accepted
        C: RCPT TO:<someone@example.org>
        S: 550 5.7.1 this server does not relay mail to that domain
        C: RCPT TO:<bob@example.test>
        S: 250 2.1.5 recipient accepted",
    );
}

#[test]
fn no_more_than_allowed() {
    let config = Config { limits: Limits { recipients_max: 2, ..Limits::default() }, ..mx() };
    let client = check(
        &config,
        "
        S: 220 mx.example.test ESMTP twinpost
        C: HELO client.example
        S: 250 mx.example.test
        C: MAIL FROM:<a@example.org>
        C: RCPT TO:<alice@example.test>
        C: RCPT TO:<bob@example.test>
        C: RCPT TO:<postmaster@example.test>
        C: DATA
        S: 250 2.1.0 sender accepted
        S: 250 2.1.5 recipient accepted
        S: 250 2.1.5 recipient accepted
        S: 452 4.5.3 too many recipients
        S: 354 send the message, end with a line of one dot
        C: .
        S: 250 2.0.0 message accepted",
    );
    assert_eq!(client.delivered[0].0.recipients.len(), 2);
}
