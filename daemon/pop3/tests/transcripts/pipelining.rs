use pop3::limits::{QUEUED_REPLY_BYTES_MAX, SEND_CHUNK_BYTES};
use pop3::{Answer, Ask, Input, LoginAnswer, MaildropAnswer, Output, ReadAnswer, Row, Session};

use crate::client::{Client, start, tls};

#[test]
fn a_whole_conversation_in_one_chunk() {
    let conversation =
        b"CAPA\r\nUSER alice\r\nPASS se cret\r\nSTAT\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\n\
        RETR 2\r\nDELE 2\r\nRETR 2\r\nLIST\r\nQUIT\r\nNOOP\r\n";
    let play = |chunk_bytes| {
        let mut client = Client::new(tls(), chunk_bytes);
        let heard = client.hear() + &client.say(conversation);
        assert!(client.closed);
        assert_eq!(client.deleted, [0xab01]);
        heard
    };
    let heard = play(usize::MAX);
    let replies = heard.lines().filter(|line| line.starts_with(['+', '-'])).count();
    assert_eq!(replies, 13, "{heard}");
    assert!(heard.ends_with("+OK 1 deleted, goodbye\r\n"));
    for chunk_bytes in [1, 2, 5, 17, 100] {
        assert_eq!(play(chunk_bytes), heard);
    }
}

/// Logs in to a maildrop of `messages` messages of `message_bytes` each; gives the replies to
/// `commands` with the most that waited at any time.
fn play(commands: &str, messages: usize, message_bytes: usize) -> (usize, usize) {
    let mut session = Session::new(tls(), start());
    let input = format!("AUTH PLAIN AGEAYg==\r\n{commands}");
    session.handle(start(), Input::Bytes(input.as_bytes()));
    let (mut heard_bytes, mut biggest_bytes) = (0, 0);
    while let Some(output) = session.poll() {
        let answer = match output {
            Output::Send(bytes) => {
                heard_bytes += bytes.len();
                biggest_bytes = biggest_bytes.max(bytes.len());
                continue;
            }
            Output::Ask(Ask::Login { .. }) => Answer::Login(LoginAnswer::Accepted { account: 1 }),
            Output::Ask(Ask::OpenMaildrop { .. }) => {
                let size_bytes = message_bytes as u32;
                let rows = (0..messages).map(|at| Row { entry: at as u128, size_bytes });
                Answer::OpenMaildrop(MaildropAnswer::Open(rows.collect()))
            }
            Output::Ask(Ask::Read { .. }) => {
                Answer::Read(ReadAnswer::Message(vec![b'x'; message_bytes]))
            }
            other => panic!("{other:?}"),
        };
        session.handle(start(), Input::Answer(answer));
    }
    (heard_bytes, biggest_bytes)
}

#[test]
fn replies_do_not_pile_up_behind_a_client_that_does_not_read() {
    let (all_bytes, biggest_bytes) = play(&"UIDL\r\n".repeat(200), 1000, 1);
    assert!(all_bytes > 200 * 30_000);
    assert!(biggest_bytes < QUEUED_REPLY_BYTES_MAX + 50_000, "{biggest_bytes}");

    let (all_bytes, biggest_bytes) = play(&"RETR 1\r\n".repeat(10), 1, 1_000_000);
    assert!(all_bytes > 10_000_000);
    assert!(biggest_bytes <= 2 * SEND_CHUNK_BYTES, "{biggest_bytes}");
}
