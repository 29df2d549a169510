//! One connection: what has been said so far and what may come next.
//!
//! The commands stand in one file each below `session/`. All input goes through
//! [`Session::handle`]; `run` then takes line after line as long as nothing has to be waited for.

mod auth;
mod data;
mod ehlo;
mod mail;
mod rcpt;
mod starttls;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use crate::command::{self, Command};
use crate::content::Content;
use crate::limits::{AUTH_LINE_BYTES_MAX, BUFFERED_INPUT_BYTES_MAX, REPLY_TEXT_BYTES_MAX};
use crate::{Address, Answer, Ask, Error, Limits, Recipient};
use message::line::{Line, LineBuffer};

/// What a session has to know of its place.
#[derive(Debug, Clone)]
pub struct Config {
    /// This server's own name: in the greeting, the answer to EHLO and 421.
    pub hostname: String,
    /// Which port it serves.
    pub role: Role,
    /// Whether the connection began with TLS (port 465).
    pub tls_active: bool,
    /// Where the connection comes from.
    pub client_ip: IpAddr,
    /// How much of everything.
    pub limits: Limits,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Port 25: other servers bring mail for local users. AUTH is taken over TLS, but needed for nothing.
    Mx,
    /// Ports 587 and 465: the box's own users send; nothing before TLS and AUTH (RFC 6409 §4.3).
    Submission,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The peer has sent these.
    Bytes(&'a [u8]),
    /// The box's answer to the one [`Output::Ask`] outstanding.
    Answer(Answer),
    /// The handshake that [`Output::StartTls`] asked for has succeeded.
    TlsStarted,
    /// This box stops serving: 421 with the reason, at once or after the answer outstanding.
    Closing {
        /// For the peer to read.
        reason: String,
    },
    /// [`Session::deadline`] may have passed.
    Tick,
}

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these to the peer.
    Send(Vec<u8>),
    /// Write out all before, drop whatever plaintext was read ahead, and do the handshake as
    /// server.
    StartTls,
    /// Find out, and come back with [`Input::Answer`].
    Ask(Ask),
    /// Write out all before and close. Nothing follows.
    Close,
}

/// See the module.
pub struct Session {
    config: Config,
    phase: Phase,
    tls: bool,
    helo: Option<Helo>,
    account: Option<u128>,
    transaction: Option<Transaction>,
    input: LineBuffer,
    outputs: VecDeque<Output>,
    deadline: Option<Instant>,
    bad_commands: u32,
    failed_authentications: u32,
    /// Why the session ends as soon as the question outstanding is answered.
    closing: Option<String>,
}

/// What the next input means.
enum Phase {
    Command,
    Auth(auth::Step),
    Data(Content),
    Asking(Question),
    StartingTls,
    Closed,
}

/// What the answer outstanding is for.
enum Question {
    Authenticate,
    Sender(Transaction),
    Recipient(Address),
    Deliver,
}

struct Helo {
    name: String,
    esmtp: bool,
}

/// From MAIL to the end of DATA.
struct Transaction {
    from: Option<Address>,
    recipients: Vec<Recipient>,
}

impl Session {
    /// A new connection; the greeting is the first output.
    pub fn new(config: Config, now: Instant) -> Session {
        let mut session = Session {
            phase: Phase::Command,
            tls: config.tls_active,
            helo: None,
            account: None,
            transaction: None,
            input: LineBuffer::default(),
            outputs: VecDeque::new(),
            deadline: Some(now + config.limits.command_timeout),
            bad_commands: 0,
            failed_authentications: 0,
            closing: None,
            config,
        };
        session.reply(&format!("220 {} ESMTP twinpost", session.config.hostname));
        session
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return self.end("4.4.2", "you took too long");
        }
        match input {
            Input::Bytes(bytes) => self.receive(bytes),
            Input::Answer(answer) => self.answered(now, answer),
            Input::TlsStarted => self.tls_started(now),
            Input::Closing { reason } => self.close_when_answered(reason),
            Input::Tick => {}
        }
        self.run(now);
    }

    /// The next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due. `None` while a question is outstanding and after the end.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether reading on makes sense now. Whoever reads only then never meets
    /// [`BUFFERED_INPUT_BYTES_MAX`] and never reads a TLS handshake as text.
    pub fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Command | Phase::Auth(_) | Phase::Data(_))
    }

    fn receive(&mut self, bytes: &[u8]) {
        match self.phase {
            // Plaintext behind STARTTLS: somebody in between may have put it there (RFC 3207 §4.2).
            Phase::StartingTls | Phase::Closed => return,
            Phase::Asking(_)
                if self.input.rest().len() + bytes.len() > BUFFERED_INPUT_BYTES_MAX =>
            {
                return self.close_when_answered("too much input".to_owned());
            }
            _ if self.closing.is_some() => return,
            _ => {}
        }
        self.input.push(bytes);
    }

    /// Takes lines and data until more input or an answer is needed.
    fn run(&mut self, now: Instant) {
        loop {
            let taken = match &mut self.phase {
                Phase::Command => self.next_command(),
                Phase::Auth(_) => self.next_auth_line(),
                Phase::Data(_) => self.next_data(),
                Phase::Asking(_) | Phase::StartingTls | Phase::Closed => return,
            };
            match taken {
                Taken::Nothing => return,
                Taken::Some => {}
                Taken::Progress => self.restart_deadline(now),
            }
        }
    }

    fn restart_deadline(&mut self, now: Instant) {
        let limits = &self.config.limits;
        self.deadline = match self.phase {
            Phase::Command | Phase::Auth(_) | Phase::StartingTls => {
                Some(now + limits.command_timeout)
            }
            Phase::Data(_) => Some(now + limits.data_timeout),
            Phase::Asking(_) | Phase::Closed => None,
        };
    }

    fn next_command(&mut self) -> Taken {
        let Some(line) = self.input.take_line(AUTH_LINE_BYTES_MAX) else {
            return Taken::Nothing;
        };
        let parsed = match line {
            Line::Text(text) if speaks_http(&text) => {
                self.end("4.7.0", "this is not a web server");
                return Taken::Progress;
            }
            Line::Text(text) => command::parse(&text),
            Line::BareLineFeed => Err(Error::BareLineFeed),
            Line::TooLong => Err(Error::LineTooLong),
        };
        match parsed {
            Ok(command) => self.command(command),
            Err(error) => self.bad_command(&format!("{} {error}", error.codes())),
        }
        Taken::Progress
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Ehlo(name) => self.ehlo(name),
            Command::Helo(name) => self.helo(name),
            Command::StartTls => self.starttls(),
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial.as_deref()),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(path) => self.rcpt(path),
            Command::Data => self.data(),
            Command::Rset => {
                self.transaction = None;
                self.reply("250 2.0.0 forgotten");
            }
            Command::Noop => self.reply("250 2.0.0 still here"),
            Command::Vrfy => self.reply("252 2.0.0 send some mail and see"),
            Command::Help => self
                .reply("214 2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"),
            Command::Quit => {
                self.reply(&format!("221 2.0.0 {} goodbye", self.config.hostname));
                self.close();
            }
        }
    }

    fn answered(&mut self, now: Instant, answer: Answer) {
        if !matches!(self.phase, Phase::Asking(_)) {
            return self.end("4.3.0", "an answer came to no question");
        }
        let Phase::Asking(question) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return;
        };
        match (question, answer) {
            (Question::Authenticate, Answer::Authenticate(answer)) => self.authenticated(answer),
            (Question::Sender(mail), Answer::Sender(answer)) => self.sender_known(mail, answer),
            (Question::Recipient(to), Answer::Recipient(answer)) => {
                self.recipient_known(to, answer)
            }
            (Question::Deliver, Answer::Deliver(answer)) => self.delivered(answer),
            // Ours is the fault; the peer may try again.
            _ => self.end("4.3.0", "an answer came to another question"),
        }
        if let Some(reason) = self.closing.take() {
            self.end("4.3.2", &reason);
        }
        self.restart_deadline(now);
    }

    fn close_when_answered(&mut self, reason: String) {
        if matches!(self.phase, Phase::Asking(_)) {
            // The peer has to learn what became of its message; it would send it again otherwise.
            self.closing = Some(reason);
        } else {
            self.end("4.3.2", &reason);
        }
    }

    /// 421 and the end (RFC 5321 §3.8). Within a TLS handshake there is no way to say anything.
    fn end(&mut self, status: &str, reason: &str) {
        if !matches!(self.phase, Phase::StartingTls | Phase::Closed) {
            let hostname = self.config.hostname.clone();
            self.reply(&format!("421 {status} {hostname} {}", printable(reason)));
        }
        self.close();
    }

    fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed) {
            self.outputs.push_back(Output::Close);
        }
        self.phase = Phase::Closed;
        self.transaction = None;
        self.input.clear();
        self.deadline = None;
    }

    fn ask(&mut self, question: Question, ask: Ask) {
        self.phase = Phase::Asking(question);
        self.outputs.push_back(Output::Ask(ask));
    }

    /// A reply that counts against [`Limits::bad_commands_max`].
    fn bad_command(&mut self, line: &str) {
        self.reply(line);
        self.bad_commands += 1;
        if self.bad_commands >= self.config.limits.bad_commands_max {
            self.end("4.7.0", "too many bad commands");
        }
    }

    /// Sends one line; replies to a pipelined group leave together (RFC 2920 §3.2).
    fn reply(&mut self, line: &str) {
        if !matches!(self.outputs.back(), Some(Output::Send(_))) {
            self.outputs.push_back(Output::Send(Vec::new()));
        }
        if let Some(Output::Send(bytes)) = self.outputs.back_mut() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
    }
}

/// What a step of [`Session::run`] found in the input.
enum Taken {
    Nothing,
    /// Something, but not enough to push the deadline on.
    Some,
    Progress,
}

/// A browser that was made to post a form to a mail port; its body could hold commands.
fn speaks_http(line: &[u8]) -> bool {
    let verb = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    [&b"GET"[..], b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT"].contains(&verb)
}

/// Text from elsewhere as it may stand in a reply: one line of printable ASCII.
fn printable(text: &str) -> String {
    let plain = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    text.chars().take(REPLY_TEXT_BYTES_MAX).map(plain).collect()
}
