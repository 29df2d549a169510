//! A client and a box around one session, and the transcripts that they play.
//!
//! A transcript has a line for each thing that happens:
//!
//! | line | means |
//! |---|---|
//! | `C: text` | the client sends the line; lines in a row leave as one chunk |
//! | `S: text` | the server's next reply line |
//! | `[tls]` | the server waits for a handshake, which then succeeds |
//! | `[wait N]` | N seconds pass |
//! | `[closing TEXT]` | the box stops serving |
//! | `[closed]` | the server has closed |
//!
//! Each is played three times: with chunks as they stand, in threes of bytes, and byte by byte.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use smtp::{
    Answer, Ask, AuthenticateAnswer, Config, DeliverAnswer, Envelope, Input, Limits, Output,
    RecipientAnswer, Role, SenderAnswer, Session,
};

/// The box has alice (account 1) and bob (2) in example.test, both with the password `secret`.
/// Other names make it answer otherwise; see [`answer`].
pub struct Client {
    session: Session,
    now: Instant,
    chunk_bytes: usize,
    pub delivered: Vec<(Envelope, Vec<u8>)>,
    pub closed: bool,
    pub starting_tls: bool,
}

pub fn mx() -> Config {
    Config {
        hostname: "mx.example.test".to_owned(),
        role: Role::Mx,
        tls_active: false,
        client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        limits: Limits::default(),
    }
}

pub fn submission() -> Config {
    Config { role: Role::Submission, ..mx() }
}

pub fn submission_tls() -> Config {
    Config { tls_active: true, ..submission() }
}

/// Plays a transcript; the last playing's client comes back for a closer look.
pub fn check(config: &Config, transcript: &str) -> Client {
    play(config, transcript, usize::MAX);
    play(config, transcript, 3);
    play(config, transcript, 1)
}

/// As [`check`], behind EHLO and AUTH as alice.
pub fn check_as_alice(transcript: &str) -> Client {
    let start = "
        S: 220 mx.example.test ESMTP twinpost
        C: EHLO client.example
        S: 250-mx.example.test
        S: 250-PIPELINING
        S: 250-SIZE 52428800
        S: 250-AUTH PLAIN LOGIN
        S: 250-ENHANCEDSTATUSCODES
        S: 250 8BITMIME
        C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
        S: 235 2.7.0 welcome, alice@example.test";
    check(&submission_tls(), &format!("{start}\n{transcript}"))
}

/// As [`check`], on port 25 and behind HELO.
pub fn check_greeted(transcript: &str) -> Client {
    let start = "
        S: 220 mx.example.test ESMTP twinpost
        C: HELO client.example
        S: 250 mx.example.test";
    check(&mx(), &format!("{start}\n{transcript}"))
}

fn play(config: &Config, transcript: &str, chunk_bytes: usize) -> Client {
    let mut client = Client::new(config.clone(), chunk_bytes);
    let mut heard = client.hear();
    let mut lines = transcript.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        if let Some(expected) = line.strip_prefix("S:") {
            let expected = expected.strip_prefix(' ').unwrap_or(expected);
            let got = heard.split_once("\r\n").map(|(got, rest)| (got.to_owned(), rest.to_owned()));
            let (got, rest) = got.unwrap_or_else(|| panic!("heard nothing, expected {expected}"));
            assert_eq!(got.trim_end(), expected, "in chunks of {chunk_bytes}:\n{transcript}");
            heard = rest;
            continue;
        }
        assert_eq!(heard, "", "not in the transcript, before {line}");
        if line.starts_with("C:") {
            let mut chunk = Vec::new();
            push_line(&mut chunk, line);
            while let Some(line) = lines.next_if(|line| line.starts_with("C:")) {
                push_line(&mut chunk, line);
            }
            heard = client.say(&chunk);
        } else if line == "[tls]" {
            assert!(std::mem::take(&mut client.starting_tls), "no handshake asked for");
            heard = client.input(Input::TlsStarted);
        } else if line == "[closed]" {
            assert!(client.closed, "still open");
        } else if let Some(seconds) = argument(line, "[wait ") {
            heard = client.wait(Duration::from_secs(seconds.parse().unwrap()));
        } else if let Some(reason) = argument(line, "[closing ") {
            heard = client.input(Input::Closing { reason: reason.to_owned() });
        } else {
            panic!("what is {line}?");
        }
    }
    assert_eq!(heard, "", "not in the transcript");
    client
}

fn push_line(chunk: &mut Vec<u8>, line: &str) {
    let line = &line["C:".len()..];
    chunk.extend_from_slice(line.strip_prefix(' ').unwrap_or(line).as_bytes());
    chunk.extend_from_slice(b"\r\n");
}

fn argument<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_suffix(']')
}

impl Client {
    pub fn new(config: Config, chunk_bytes: usize) -> Client {
        let now = start();
        Client {
            session: Session::new(config, now),
            now,
            chunk_bytes,
            delivered: Vec::new(),
            closed: false,
            starting_tls: false,
        }
    }

    /// Sends bytes, in chunks, and hears all replies.
    pub fn say(&mut self, bytes: &[u8]) -> String {
        bytes.chunks(self.chunk_bytes).map(|chunk| self.input(Input::Bytes(chunk))).collect()
    }

    pub fn input(&mut self, input: Input<'_>) -> String {
        self.session.handle(self.now, input);
        self.hear()
    }

    pub fn wait(&mut self, time: Duration) -> String {
        self.now += time;
        self.input(Input::Tick)
    }

    /// Takes all outputs and answers every question at once.
    pub fn hear(&mut self) -> String {
        let mut heard = String::new();
        while let Some(output) = self.session.poll() {
            assert!(!self.closed, "nothing follows Close");
            match output {
                Output::Send(bytes) => heard.push_str(std::str::from_utf8(&bytes).unwrap()),
                Output::StartTls => self.starting_tls = true,
                Output::Close => self.closed = true,
                Output::Ask(ask) => {
                    assert_eq!(self.session.deadline(), None, "the box takes the time it needs");
                    assert!(!self.session.wants_input());
                    let answer = answer(&ask);
                    if let Ask::Deliver { envelope, message } = ask {
                        self.delivered.push((envelope, message));
                    }
                    self.session.handle(self.now, Input::Answer(answer));
                }
            }
        }
        heard
    }
}

/// Time is an input: any beginning will do.
#[allow(clippy::disallowed_methods)]
pub fn start() -> Instant {
    Instant::now()
}

pub fn answer(ask: &Ask) -> Answer {
    match ask {
        Ask::Authenticate { user, password } => Answer::Authenticate(match user.as_str() {
            "alice" if password.as_str() == "secret" => AuthenticateAnswer::Accepted {
                account: 1,
                address: "alice@example.test".to_owned(),
            },
            "busy" => AuthenticateAnswer::Unavailable,
            _ => AuthenticateAnswer::Denied,
        }),
        Ask::Sender { account, address } => {
            assert_eq!(*account, 1);
            Answer::Sender(match address.local() {
                "alice" => SenderAnswer::Allowed,
                "busy" => SenderAnswer::Unavailable("ask later".to_owned()),
                _ => SenderAnswer::Refused,
            })
        }
        Ask::Recipient { address, .. } => {
            let here = ["example.test", "mx.example.test"].contains(&address.domain());
            Answer::Recipient(match address.local() {
                "elsewhere" => RecipientAnswer::Refused("no mail\r\n250 to élsewhere".to_owned()),
                _ if !here => RecipientAnswer::NotLocal,
                "alice" | "Postmaster" => RecipientAnswer::Accepted { account: 1 },
                "busy" => RecipientAnswer::Unavailable("ask later".to_owned()),
                "bob" | "later" | "full" | "never" => RecipientAnswer::Accepted { account: 2 },
                _ => RecipientAnswer::NoSuchUser,
            })
        }
        Ask::Deliver { envelope, .. } => {
            Answer::Deliver(match envelope.recipients[0].address.local() {
                "later" => DeliverAnswer::Unavailable("one copy only".to_owned()),
                "full" => DeliverAnswer::StorageFull,
                "never" => DeliverAnswer::Rejected("not wanted".to_owned()),
                _ => DeliverAnswer::Delivered,
            })
        }
    }
}
