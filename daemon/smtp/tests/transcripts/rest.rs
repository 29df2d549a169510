//! RSET, NOOP, VRFY, HELP, QUIT, and what is no command.

use crate::client::{Client, check_greeted, mx};

#[test]
fn the_small_commands() {
    let client = check_greeted(
        "
        C: NOOP
        S: 250 2.0.0 still here
        C: noop whatever this is
        S: 250 2.0.0 still here
        C: VRFY alice
        S: 252 2.0.0 send some mail and see
        C: VRFY
        S: 501 5.5.4 expected: VRFY name
        C: HELP MAIL
        S: 214 2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT
        C: RSET now
        S: 501 5.5.4 expected: RSET
        C: DATA now
        S: 501 5.5.4 expected: DATA
        C: EXPN staff
        S: 502 5.5.1 command not implemented
        C: BDAT 5 LAST
        S: 502 5.5.1 command not implemented
        C: XYZZY
        S: 500 5.5.1 command not recognized
        C:
        S: 500 5.5.1 command not recognized
        C: RSET
        S: 250 2.0.0 forgotten
        C: QUIT
        S: 221 2.0.0 mx.example.test goodbye
        [closed]",
    );
    assert!(client.delivered.is_empty());
}

#[test]
fn nothing_is_heard_after_quit() {
    check_greeted(
        "
        C: QUIT
        C: NOOP
        S: 221 2.0.0 mx.example.test goodbye
        [closed]
        C: NOOP
        [wait 900]
        [closing late]",
    );
}

#[test]
fn a_line_of_other_bytes_is_no_command() {
    for (line, reply) in [
        (&b"NOOP\n"[..], "500 5.5.2 lines end in CRLF\r\n"),
        (b"NO\rOP\r\n", "500 5.5.2 not a line of text\r\n"),
        (b"NOOP\0\r\n", "500 5.5.2 not a line of text\r\n"),
        (b"NOOP \xff\r\n", "500 5.5.2 not a line of text\r\n"),
        (b"\x16\x03\x01\x02\x00\r\n", "500 5.5.2 not a line of text\r\n"),
        (b"NOOP \r\n", "250 2.0.0 still here\r\n"),
    ] {
        let mut client = Client::new(mx(), usize::MAX);
        client.hear();
        assert_eq!(client.say(line), reply, "{line:?}");
    }
}

#[test]
fn a_browser_is_sent_away_at_its_first_line() {
    check_greeted(
        "
        C: POST / HTTP/1.1
        C: Host: mx.example.test
        C: MAIL FROM:<a@example.org>
        S: 421 4.7.0 mx.example.test this is not a web server
        [closed]",
    );
}
