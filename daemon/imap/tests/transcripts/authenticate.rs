//! STARTTLS, LOGIN, AUTHENTICATE.

use imap::Input;

use crate::{Client, Store};

#[test]
fn no_password_without_tls() {
    let mut client = Client::connect(Store::new(), false);
    client.check(
        "C: a LOGIN ann secret
         S: a NO [PRIVACYREQUIRED] start TLS first
         C: b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
         S: b NO [PRIVACYREQUIRED] start TLS first",
    );
    assert!(client.events.is_empty());
}

#[test]
fn starttls_forgets_what_came_in_the_clear() {
    let mut client = Client::connect(Store::new(), false);
    client.send(b"a STARTTLS\r\nb LOGIN ann secret\r\n");
    assert_eq!(client.take(), "a OK begin TLS now\r\n");
    assert_eq!(client.events, ["StartTls"]);
    client.send(b"c LOGIN ann secret\r\n"); // still in the clear
    client.input(Input::TlsStarted);
    assert_eq!(client.take(), "");
    client.check(
        "C: d STARTTLS
         S: d BAD TLS is active already
         C: e CAPABILITY
         S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH APPENDLIMIT=100000 AUTH=PLAIN AUTH=LOGIN
         S: e OK CAPABILITY done
         C: f LOGIN ann secret
         S: f OK [CAPABILITY IMAP4rev1 ...",
    );
}

#[test]
fn login_takes_any_string() {
    for login in
        ["ann secret", "\"ann\" \"secret\"", "{3+}\r\nann {6+}\r\nsecret", "\"a\\nn\" secret"]
    {
        let mut client = Client::connect(Store::new(), true);
        client.send(format!("a LOGIN {login}\r\n").as_bytes());
        client.check("S: a OK [CAPABILITY ...");
    }
    let mut client = Client::connect(Store::new(), true);
    client.check(
        "C: a LOGIN {3}
         S: + go ahead
         C: ann {6}
         S: + go ahead
         C: secret
         S: a OK [CAPABILITY ...",
    );
}

#[test]
fn wrong_passwords_end_the_session() {
    let mut client = Client::connect(Store::new(), true);
    client.check(
        "C: a LOGIN ann wrong
         S: a NO [AUTHENTICATIONFAILED] user or password is wrong
         C: b LOGIN bob secret
         S: b NO [AUTHENTICATIONFAILED] user or password is wrong
         C: c AUTHENTICATE PLAIN AGFubgB3cm9uZw==
         S: c NO [AUTHENTICATIONFAILED] user or password is wrong
         S: * BYE too many wrong passwords",
    );
}

#[test]
fn authenticate_plain() {
    for transcript in [
        "C: a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\nS: a OK [CAPABILITY ...",
        "C: a authenticate plain YW5uAGFubgBzZWNyZXQ=\nS: a OK [CAPABILITY ...",
        "C: a AUTHENTICATE PLAIN\nS: + \nC: AGFubgBzZWNyZXQ=\nS: a OK [CAPABILITY ...",
        "C: a AUTHENTICATE PLAIN\nS: + \nC: *\nS: a BAD cancelled",
        "C: a AUTHENTICATE PLAIN\nS: + \nC: %%\nS: a BAD the response is not base64",
        "C: a AUTHENTICATE PLAIN =\nS: a BAD the response is not PLAIN",
        "C: a AUTHENTICATE PLAIN Ym9iAGFubgBzZWNyZXQ=\nS: a NO [AUTHORIZATIONFAILED] ...",
        "C: a AUTHENTICATE GSSAPI\nS: a NO [CANNOT] this mechanism is not known",
    ] {
        Client::connect(Store::new(), true).check(transcript);
    }
}

#[test]
fn authenticate_login() {
    for transcript in [
        "C: a AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: YW5u\nS: + UGFzc3dvcmQ6\nC: c2VjcmV0\nS: a OK [CAPABILITY ...",
        "C: a AUTHENTICATE LOGIN YW5u\nS: + UGFzc3dvcmQ6\nC: c2VjcmV0\nS: a OK [CAPABILITY ...",
        "C: a AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: *\nS: a BAD cancelled",
    ] {
        Client::connect(Store::new(), true).check(transcript);
    }
}

#[test]
fn passwords_are_not_shown() {
    let mut client = Client::connect(Store::new(), true);
    client.hold = true;
    client.send(b"a LOGIN ann secret\r\n");
    let shown = format!("{:?}", client.held);
    assert!(shown.contains("ann") && !shown.contains("secret"), "{shown}");
}
