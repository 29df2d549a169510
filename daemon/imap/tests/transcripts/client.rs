//! A session with a store behind it, driven by transcripts.

use std::time::{Duration, Instant};

use imap::{Ask, Config, Input, Limits, Output, Session};

use crate::store::Store;

pub struct Client {
    pub session: Session,
    pub store: Store,
    pub now: Instant,
    /// Watched mailboxes, questions and the end, as they came.
    pub events: Vec<String>,
    /// Questions are kept for later instead of being answered.
    pub hold: bool,
    pub held: Option<Ask>,
    received: Vec<u8>,
}

impl Client {
    /// A fresh connection; the greeting is read.
    pub fn connect(store: Store, tls_active: bool) -> Self {
        let now = Instant::now();
        let config = Config {
            hostname: "mail.example.test".into(),
            tls_active,
            limits: Limits { message_bytes_max: 100_000, ..Limits::default() },
        };
        let mut client = Self {
            session: Session::new(config, now),
            store,
            now,
            events: Vec::new(),
            hold: false,
            held: None,
            received: Vec::new(),
        };
        client.run();
        let greeting = client.take();
        assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev1 "), "{greeting}");
        client
    }

    pub fn logged_in(store: Store) -> Self {
        let mut client = Self::connect(store, true);
        client.check("C: 0 LOGIN ann secret\nS: 0 OK [CAPABILITY IMAP4rev1 ...");
        client
    }

    /// Logged in, with INBOX selected.
    pub fn selected(store: Store) -> Self {
        let mut client = Self::logged_in(store);
        client.send(b"0 SELECT INBOX\r\n");
        let answer = client.take();
        assert!(answer.ends_with("0 OK [READ-WRITE] SELECT done\r\n"), "{answer}");
        client
    }

    /// Plays a transcript: `C:` lines are sent, `S:` lines must come, in order and all of them. An
    /// expected line that ends in `...` is the beginning of one. Blank lines do not count.
    #[track_caller]
    pub fn check(&mut self, transcript: &str) {
        let mut expected = Vec::new();
        for line in transcript.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            if let Some(line) = line.strip_prefix("S:") {
                expected.push(line.strip_prefix(' ').unwrap_or(line));
                continue;
            }
            let line = line.strip_prefix("C:").expect("a transcript has C: and S: lines only");
            self.compare(&expected, transcript);
            expected.clear();
            self.send(format!("{}\r\n", line.strip_prefix(' ').unwrap_or(line)).as_bytes());
        }
        self.compare(&expected, transcript);
    }

    #[track_caller]
    fn compare(&mut self, expected: &[&str], transcript: &str) {
        let received = self.take();
        let received: Vec<&str> = received.split_terminator("\r\n").collect();
        let same = |(expected, received): (&&str, &&str)| match expected.strip_suffix("...") {
            Some(beginning) => received.starts_with(beginning),
            None => expected == received,
        };
        let all = expected.len() == received.len();
        assert!(
            all && expected.iter().zip(&received).all(same),
            "in {transcript}\nexpected {expected:#?}\nreceived {received:#?}"
        );
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.input(Input::Bytes(bytes));
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        self.run();
    }

    /// Says that the selected mailbox changed.
    pub fn changed(&mut self) {
        self.input(Input::Changed);
    }

    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        self.input(Input::Tick);
    }

    /// What came since the last call.
    pub fn take(&mut self) -> String {
        String::from_utf8_lossy(&self.take_bytes()).into_owned()
    }

    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    pub fn answer_held(&mut self) {
        self.hold = false;
        let ask = self.held.take().expect("a question is held");
        let answer = self.store.answer(ask);
        self.input(Input::Answer(answer));
    }

    fn run(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Send(bytes) => self.received.extend(bytes),
                Output::Ask(ask) => {
                    let name = format!("{ask:?}");
                    let end = name.find([' ', '{']).unwrap_or(name.len());
                    self.events.push(name[..end].to_owned());
                    assert!(self.held.is_none(), "one question at a time");
                    if self.hold {
                        self.held = Some(ask);
                        continue;
                    }
                    let answer = self.store.answer(ask);
                    self.session.handle(self.now, Input::Answer(answer));
                }
                other => self.events.push(format!("{other:?}")),
            }
        }
    }
}
