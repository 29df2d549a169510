//! One connection of one client.
//!
//! A command runs as a chain: it asks, and what to do with the answer is kept as a function until the
//! answer comes ([`Doing`]). Each verb's chain stands in the file of its name, in the order in which it
//! happens. Nothing goes on until all output so far was polled, so a slow client slows its own session
//! and holds no memory.

mod append;
mod authenticate;
mod copy;
mod create;
mod expunge;
mod fetch;
mod idle;
mod list;
mod outbox;
mod refresh;
mod rename;
mod run;
mod search;
mod select;
mod selected;
mod status;
mod store;

use std::time::Instant;

use crate::ask::{Answer, Ask, Failure, Mailbox};
use crate::limits::{BUFFERED_INPUT_BYTES_MAX, Limits};
use crate::parse;
use crate::reader::{Event, Reader};

use outbox::Outbox;
use refresh::Report;
use selected::Selected;

/// What a session has to know of its place.
#[derive(Debug, Clone)]
pub struct Config {
    /// This server's own name, for the greeting.
    pub hostname: String,
    /// Whether the connection began with TLS (port 993).
    pub tls_active: bool,
    /// How much of everything.
    pub limits: Limits,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The client has sent these.
    Bytes(&'a [u8]),
    /// The box's answer to the one [`Output::Ask`] outstanding.
    Answer(Answer),
    /// The handshake that [`Output::StartTls`] asked for has succeeded.
    TlsStarted,
    /// The mailbox of the last [`Output::Watch`] may have changed.
    Changed,
    /// This box stops serving: BYE with the reason, after the response being sent.
    Closing {
        /// For the user to read.
        reason: String,
    },
    /// [`Session::deadline`] may have passed.
    Tick,
}

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these to the client, before polling on.
    Send(Vec<u8>),
    /// Drop whatever plaintext was read ahead, and do the handshake as server.
    StartTls,
    /// Find out, and come back with [`Input::Answer`].
    Ask(Ask),
    /// From now on say [`Input::Changed`] when this mailbox changes; it is the only one.
    Watch { mailbox: u128 },
    /// No longer.
    Unwatch,
    /// Close the connection. Nothing follows.
    Close,
}

/// See the module.
pub struct Session {
    config: Config,
    tls: bool,
    state: State,
    doing: Doing,
    reader: Reader,
    out: Outbox,
    /// The selected mailbox may have changed since the last look.
    changed: bool,
    active_at: Instant,
    bad_commands: u32,
    failed_logins: u32,
}

/// RFC 9051 §3.
enum State {
    NotAuthenticated,
    Authenticated,
    Selected(Box<Selected>),
}

/// What the session waits for or works at.
enum Doing {
    /// The next command may run.
    Nothing,
    /// An [`Ask`] is outstanding.
    Asking(Then),
    /// The client's next line belongs to AUTHENTICATE.
    Line(LineThen),
    Idling {
        tag: String,
    },
    Fetching(Box<fetch::Fetch>),
    Searching(Box<search::Search>),
    StartingTls,
    Ended,
}

/// What follows an answer.
type Then = Box<dyn FnOnce(&mut Session, Answer) + Send + Sync>;
/// What follows a line of the client.
type LineThen = Box<dyn FnOnce(&mut Session, Vec<u8>) + Send + Sync>;

impl Session {
    /// A new connection; the greeting is the first output.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut session = Self {
            tls: config.tls_active,
            state: State::NotAuthenticated,
            doing: Doing::Nothing,
            reader: Reader::default(),
            out: Outbox::default(),
            changed: false,
            active_at: now,
            bad_commands: 0,
            failed_logins: 0,
            config,
        };
        let capabilities = session.capabilities();
        let hostname = session.config.hostname.clone();
        session.untagged(&format!("OK [CAPABILITY {capabilities}] {hostname} twinpost ready"));
        session
    }

    /// Takes one input. `now` never goes back. Poll afterwards until there is nothing.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            return self.bye("you were away too long");
        }
        match input {
            Input::Bytes(bytes) => self.receive(now, bytes),
            Input::Answer(answer) => self.answered(now, answer),
            Input::TlsStarted => self.tls_started(now),
            Input::Changed => self.changed = true,
            Input::Closing { reason } => self.bye(&reason),
            Input::Tick => {}
        }
    }

    /// The next thing to do, if there is one. `None` means that input is needed.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.out.pop() {
                return Some(output);
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// When [`Input::Tick`] is due. `None` while the session does not wait for its client.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = match self.doing {
            Doing::Nothing | Doing::Line(_) | Doing::Idling { .. } | Doing::StartingTls => true,
            Doing::Asking(_) | Doing::Fetching(_) | Doing::Searching(_) | Doing::Ended => false,
        };
        let limits = &self.config.limits;
        let timeout = match self.state {
            State::NotAuthenticated => limits.login_timeout,
            State::Authenticated | State::Selected(_) => limits.idle_timeout,
        };
        (waits && self.out.is_empty()).then(|| self.active_at + timeout)
    }

    /// Whether reading on makes sense now. Whoever reads only then never meets
    /// [`BUFFERED_INPUT_BYTES_MAX`] and never reads a TLS handshake as text.
    pub fn wants_input(&self) -> bool {
        match self.doing {
            Doing::StartingTls | Doing::Ended => false,
            _ => self.reader.waiting() < BUFFERED_INPUT_BYTES_MAX / 2,
        }
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        match self.doing {
            // Plaintext behind STARTTLS: somebody in between may have put it there.
            Doing::StartingTls | Doing::Ended => return,
            _ => {}
        }
        if self.reader.waiting() > BUFFERED_INPUT_BYTES_MAX {
            return self.bye("too much input");
        }
        if !matches!(self.state, State::NotAuthenticated) {
            self.active_at = now;
        }
        self.reader.push(bytes);
    }

    fn answered(&mut self, now: Instant, answer: Answer) {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Asking(then) => {
                self.active_at = now;
                then(self, answer);
            }
            other => self.doing = other,
        }
    }

    /// Does the next bit of work; `false` when there is none without input.
    fn step(&mut self) -> bool {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => self.next_command(),
            Doing::Line(then) => self.next_line(then),
            Doing::Idling { tag } => self.idle(tag),
            Doing::Fetching(fetch) => self.fetch_on(fetch),
            Doing::Searching(search) => self.search_on(search),
            waiting @ (Doing::Asking(_) | Doing::StartingTls | Doing::Ended) => {
                self.doing = waiting;
                false
            }
        }
    }

    fn next_command(&mut self) -> bool {
        let append_bytes_max = match self.state {
            State::NotAuthenticated => None,
            _ => Some(self.config.limits.message_bytes_max),
        };
        match self.reader.next_command(append_bytes_max) {
            None => return false,
            Some(Event::Continue) => self.out.send(b"+ go ahead\r\n"),
            Some(Event::LineTooLong) => self.bye("the command is too long"),
            Some(Event::LiteralTooLong { tag }) => match (tag, append_bytes_max) {
                (Some(tag), Some(_)) => self.tagged(&tag, "NO [TOOBIG] the literal is too long"),
                (tag, _) => self.bad(tag, "the literal is too long"),
            },
            Some(Event::Command(pieces)) => match parse::command(pieces) {
                Ok((tag, command)) => {
                    self.bad_commands = 0;
                    self.run(tag, command);
                }
                Err((tag, error)) => self.bad(tag, error.0),
            },
        }
        true
    }

    fn next_line(&mut self, then: LineThen) -> bool {
        match self.reader.next_line() {
            None => {
                self.doing = Doing::Line(then);
                return false;
            }
            Some(Ok(line)) => then(self, line),
            Some(Err(_)) => self.bye("the line is too long"),
        }
        true
    }

    /// The selected mailbox. Commands that need it run in that state only.
    fn selected(&mut self) -> Option<&mut Selected> {
        match &mut self.state {
            State::Selected(selected) => Some(selected),
            State::NotAuthenticated | State::Authenticated => None,
        }
    }

    /// Asks the box; `then` gets the answer.
    fn ask(&mut self, ask: Ask, then: impl FnOnce(&mut Self, Answer) + Send + Sync + 'static) {
        self.out.push(Output::Ask(ask));
        self.doing = Doing::Asking(Box::new(then));
    }

    /// Finds a mailbox by its name and goes on with it, or ends the command with NO and `absent`.
    fn look_up(
        &mut self,
        tag: String,
        name: String,
        absent: &'static str,
        then: impl FnOnce(&mut Self, String, Mailbox) + Send + Sync + 'static,
    ) {
        self.list_mailboxes(tag, move |session, tag, mailboxes| {
            match mailboxes.into_iter().find(|mailbox| mailbox.name == name) {
                Some(mailbox) => then(session, tag, mailbox),
                None => {
                    let text = format!("NO [{absent}] there is no such mailbox");
                    session.finish(tag, &text, Report::default());
                }
            }
        });
    }

    fn list_mailboxes(
        &mut self,
        tag: String,
        then: impl FnOnce(&mut Self, String, Vec<Mailbox>) + Send + Sync + 'static,
    ) {
        self.ask(Ask::ListMailboxes, move |session, answer| match answer {
            Answer::Mailboxes(mailboxes) => then(session, tag, mailboxes),
            other => session.failed(tag, other),
        });
    }

    /// The end of a command whose last question needs only success.
    fn done(&mut self, tag: String, answer: Answer, verb: &str) {
        match answer {
            Answer::Done | Answer::Created { .. } => {
                self.finish(tag, &format!("OK {verb} done"), Report::default());
            }
            other => self.failed(tag, other),
        }
    }

    /// The end of a command whose question was answered with no.
    fn failed(&mut self, tag: String, answer: Answer) {
        let text = failure_text(&answer, "NONEXISTENT");
        self.finish(tag, &text, Report::default());
    }

    fn untagged(&mut self, text: &str) {
        self.out.send(format!("* {text}\r\n").as_bytes());
    }

    fn tagged(&mut self, tag: &str, text: &str) {
        self.out.send(format!("{tag} {text}\r\n").as_bytes());
    }

    /// A command that is no command here. Too many in a row end the session.
    fn bad(&mut self, tag: Option<String>, text: &str) {
        self.bad_commands += 1;
        self.tagged(&tag.unwrap_or_else(|| "*".into()), &format!("BAD {text}"));
        if self.bad_commands >= self.config.limits.bad_commands_max {
            self.bye("too many wrong commands");
        }
    }

    fn bye(&mut self, reason: &str) {
        if !matches!(self.doing, Doing::Ended) {
            self.untagged(&format!("BYE {}", one_line(reason)));
            self.end();
        }
    }

    fn end(&mut self) {
        self.reader.clear();
        self.doing = Doing::Ended;
        self.out.push(Output::Close);
    }
}

/// The NO for a failure (response codes: RFC 5530, RFC 9051 §7.1). `absent` is the code for a mailbox
/// that is not there: NONEXISTENT, or TRYCREATE where the client may create it and try again.
fn failure_text(answer: &Answer, absent: &str) -> String {
    let Answer::Failed(failure) = answer else {
        return "NO [SERVERBUG] the answer was none to the question".into();
    };
    match failure {
        Failure::BadCredentials => "NO [AUTHENTICATIONFAILED] user or password is wrong".into(),
        Failure::NoSuchMailbox => format!("NO [{absent}] there is no such mailbox"),
        Failure::AlreadyExists => "NO [ALREADYEXISTS] there is such a mailbox already".into(),
        Failure::NoSuchMessage => "NO [EXPUNGEISSUED] the message is gone".into(),
        Failure::TooBig => "NO [TOOBIG] the message is too long".into(),
        Failure::OverQuota => "NO [OVERQUOTA] there is no room left".into(),
        Failure::Refused(reason) => format!("NO [CANNOT] {}", one_line(reason)),
        Failure::Unavailable(reason) => format!("NO [UNAVAILABLE] {}", one_line(reason)),
    }
}

/// Text that fits into a response line.
fn one_line(text: &str) -> String {
    text.chars().take(200).map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}
