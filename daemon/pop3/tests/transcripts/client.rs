//! A client and a box around one session, and the transcripts that they play.
//!
//! | line | means |
//! |---|---|
//! | `C: text` | the client sends the line; lines in a row leave as one chunk |
//! | `S: text` | the server's next line |
//! | `[tls]` | the server waits for a handshake, which then succeeds |
//! | `[wait N]` | N seconds pass |
//! | `[closing TEXT]` | the box stops serving |
//! | `[closed]` | the server has closed |
//!
//! Each is played three times: with chunks as they stand, in threes of bytes, and byte by byte.

use std::time::{Duration, Instant};

use pop3::{
    Answer, Ask, Config, DeleteAnswer, Input, Limits, LoginAnswer, MaildropAnswer, Output, Part,
    ReadAnswer, Row, Session,
};

/// alice (account 1) has [`MESSAGES`], bob (2) has none, both with the password `se cret`. Other
/// names make the box answer otherwise; see [`answer`].
pub struct Client {
    pub session: Session,
    pub now: Instant,
    chunk_bytes: usize,
    pub deleted: Vec<u128>,
    pub read: Vec<(u128, Part)>,
    pub closed: bool,
    pub starting_tls: bool,
}

/// alice's messages. The entry of the one at index n is 0xab00 + n; the last is Gone, the one
/// before it cannot be read.
pub const MESSAGES: [&[u8]; 5] = [
    b"Subject: one\r\n\r\nfirst\r\n.second\r\n.\r\nlast",
    b"Subject: two\r\n\r\n",
    b"",
    b"busy",
    b"gone",
];

pub fn tls() -> Config {
    let limits = Limits::default();
    Config { hostname: "pop.example.test".to_owned(), tls_active: true, limits }
}

pub fn plaintext() -> Config {
    Config { tls_active: false, ..tls() }
}

/// Plays a transcript behind the greeting; the last playing's client comes back for a closer look.
pub fn check(config: &Config, transcript: &str) -> Client {
    play(config, transcript, usize::MAX);
    play(config, transcript, 3);
    play(config, transcript, 1)
}

/// As [`check`], behind the login of alice.
pub fn check_as_alice(transcript: &str) -> Client {
    let start = "
        C: USER alice
        S: +OK
        C: PASS se cret
        S: +OK 5 messages (63 octets)";
    check(&tls(), &format!("{start}\n{transcript}"))
}

fn play(config: &Config, transcript: &str, chunk_bytes: usize) -> Client {
    let mut client = Client::new(config.clone(), chunk_bytes);
    assert_eq!(client.hear(), "+OK pop.example.test POP3 twinpost\r\n");
    let mut heard = String::new();
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
            deleted: Vec::new(),
            read: Vec::new(),
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
                    match ask {
                        Ask::Read { entry, part, .. } => self.read.push((entry, part)),
                        Ask::Delete { entries, .. } => self.deleted = entries,
                        _ => {}
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
        Ask::Login { user, password } => Answer::Login(match user.as_str() {
            "busy" => LoginAnswer::Unavailable,
            _ if password.as_str() != "se cret" => LoginAnswer::Denied,
            "alice" => LoginAnswer::Accepted { account: 1 },
            "bob" => LoginAnswer::Accepted { account: 2 },
            "locked" => LoginAnswer::Accepted { account: 3 },
            "half" => LoginAnswer::Accepted { account: 4 },
            _ => LoginAnswer::Denied,
        }),
        Ask::OpenMaildrop { account } => Answer::OpenMaildrop(match account {
            1 => MaildropAnswer::Open(
                (0..).zip(MESSAGES).map(|(at, message)| row(at, message)).collect(),
            ),
            2 => MaildropAnswer::Open(Vec::new()),
            3 => MaildropAnswer::InUse,
            _ => MaildropAnswer::Unavailable("joining\r\n+OK".to_owned()),
        }),
        Ask::Read { account, entry, .. } => {
            assert_eq!(*account, 1);
            Answer::Read(match entry - 0xab00 {
                4 => ReadAnswer::Gone,
                3 => ReadAnswer::Unavailable("disk".to_owned()),
                at => ReadAnswer::Message(MESSAGES[at as usize].to_vec()),
            })
        }
        Ask::Delete { account, entries } => {
            assert_eq!(*account, 1);
            Answer::Delete(match entries.contains(&0xab03) {
                true => DeleteAnswer::Unavailable("one copy only".to_owned()),
                false => DeleteAnswer::Deleted,
            })
        }
    }
}

fn row(at: u128, message: &[u8]) -> Row {
    Row { entry: 0xab00 + at, size_bytes: message.len() as u32 }
}
