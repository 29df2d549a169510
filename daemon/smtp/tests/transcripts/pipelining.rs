use crate::client::{Client, check_greeted, mx, submission_tls};

#[test]
fn a_whole_conversation_in_one_chunk() {
    let conversation = b"EHLO client.example\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n\
        MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\n\
        RCPT TO:<nobody@example.test>\r\nDATA\r\n\
        Subject: one\r\n\r\n..\r\n.\r\n\
        MAIL FROM:<bob@example.test>\r\nRCPT TO:<bob@example.test>\r\n\
        MAIL FROM:<alice@example.test>\r\nRCPT TO:<later@example.test>\r\nDATA\r\n\
        Subject: two\r\n.\r\nRSET\r\nQUIT\r\n";
    let play = |chunk_bytes| {
        let mut client = Client::new(submission_tls(), chunk_bytes);
        let heard = client.hear() + &client.say(conversation);
        assert!(client.closed);
        (heard, client.delivered)
    };
    let (heard, delivered) = play(usize::MAX);
    let codes: Vec<&str> =
        heard.lines().filter(|line| &line[3..4] == " ").map(|line| &line[..3]).collect();
    assert_eq!(
        codes.join(" "),
        "220 250 235 250 250 550 354 250 553 503 250 250 354 451 250 221",
        "{heard}"
    );
    assert_eq!(delivered[0].1, b"Subject: one\r\n\r\n.\r\n");
    assert_eq!(delivered[1].1, b"Subject: two\r\n");
    for chunk_bytes in [1, 2, 5, 17, 100] {
        assert_eq!(play(chunk_bytes), (heard.clone(), delivered.clone()));
    }
}

#[test]
fn replies_to_a_group_leave_together() {
    let mut client = Client::new(mx(), usize::MAX);
    client.hear();
    assert_eq!(client.say(b"NOOP\r\nRSET\r\nNOOP\r\n").lines().count(), 3);
}

#[test]
fn a_refused_sender_makes_the_rest_of_its_group_harmless() {
    let recipients = "C: RCPT TO:<alice@example.test>\n".repeat(30);
    let replies = "S: 503 5.5.1 MAIL first\n".repeat(30);
    check_greeted(&format!(
        "
        C: MAIL FROM:<a@example.org> SIZE=99999999
        {recipients}
        C: DATA
        S: 552 5.3.4 message too big
        {replies}
        S: 503 5.5.1 MAIL first
        C: NOOP
        S: 250 2.0.0 still here"
    ));
}
