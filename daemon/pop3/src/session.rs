//! One connection: what has been said so far and what may come next.
//!
//! The commands stand below `session/`. All input goes through [`Session::handle`]; `run` then
//! takes line after line as long as nothing has to be waited for.

mod capa;
mod delete;
mod list;
mod login;
mod retrieve;
mod stls;

use std::collections::VecDeque;
use std::time::Instant;

use crate::command::{self, Command};
use crate::content::Content;
use crate::limits::{
    AUTH_LINE_BYTES_MAX, BUFFERED_INPUT_BYTES_MAX, QUEUED_REPLY_BYTES_MAX, REPLY_TEXT_BYTES_MAX,
};
use crate::{Answer, Ask, Error, Limits, Row};
use message::line::{Line, LineBuffer};

/// What a session has to know of its place.
#[derive(Debug, Clone)]
pub struct Config {
    /// This server's own name, in the greeting.
    pub hostname: String,
    /// Whether the connection began with TLS (port 995).
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
    /// This box stops serving: `-ERR` with the reason. A QUIT under way is finished first.
    Closing {
        /// For the client to read.
        reason: String,
    },
    /// [`Session::deadline`] may have passed.
    Tick,
}

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these to the client.
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
    /// USER, waiting for its PASS.
    user: Option<String>,
    /// There from the login on: the TRANSACTION state of RFC 1939.
    maildrop: Option<Maildrop>,
    input: LineBuffer,
    outputs: VecDeque<Queued>,
    /// The latest moment heard of.
    now: Instant,
    deadline: Option<Instant>,
    /// A message was taken since the last input. Sending it may take long, and the client's time
    /// begins when it has it: the deadline starts again with the next input, be it only a Tick.
    sent_message: bool,
    bad_commands: u32,
    failed_logins: u32,
}

/// What the next input means.
enum Phase {
    Command,
    /// The response of AUTH PLAIN.
    AuthResponse,
    Asking(Question),
    StartingTls,
    Closed,
}

/// What the answer outstanding is for.
enum Question {
    Login,
    Open { account: u128 },
    Read(retrieve::Wanted),
    Delete { messages: usize },
}

enum Queued {
    Output(Output),
    Message(Content),
}

struct Maildrop {
    account: u128,
    messages: Vec<Message>,
}

struct Message {
    row: Row,
    deleted: bool,
}

impl Session {
    /// A new connection; the greeting is the first output.
    pub fn new(config: Config, now: Instant) -> Session {
        let mut session = Session {
            phase: Phase::Command,
            tls: config.tls_active,
            user: None,
            maildrop: None,
            input: LineBuffer::default(),
            outputs: VecDeque::new(),
            now,
            deadline: None,
            sent_message: false,
            bad_commands: 0,
            failed_logins: 0,
            config,
        };
        session.restart_deadline();
        session.reply(&format!("+OK {} POP3 twinpost", session.config.hostname));
        session
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        if std::mem::take(&mut self.sent_message) {
            self.restart_deadline();
        }
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            // Without a word and without deleting anything (RFC 1939 §3).
            return self.close();
        }
        match input {
            Input::Bytes(bytes) => self.receive(bytes),
            Input::Answer(answer) => self.answered(answer),
            Input::TlsStarted => self.tls_started(),
            Input::Closing { reason } => self.stop_serving(&reason),
            Input::Tick => {}
        }
        self.run();
    }

    /// The next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            // Commands that had to wait until earlier replies were taken.
            self.run();
        }
        if let Some(Queued::Message(content)) = self.outputs.front_mut() {
            if let Some(chunk) = content.next_chunk() {
                self.sent_message = true;
                return Some(Output::Send(chunk));
            }
            self.outputs.pop_front();
            return self.poll();
        }
        match self.outputs.pop_front() {
            Some(Queued::Output(output)) => Some(output),
            Some(Queued::Message(_)) | None => None,
        }
    }

    /// When [`Input::Tick`] is due. `None` while a question is outstanding and after the end. The
    /// first Tick behind a message ends nothing: sending it may have taken the whole time.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether reading on makes sense now. Whoever polls until there is nothing and reads only then
    /// never meets [`BUFFERED_INPUT_BYTES_MAX`] and never reads a TLS handshake as text.
    pub fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Command | Phase::AuthResponse) && !self.is_backed_up()
    }

    fn receive(&mut self, bytes: &[u8]) {
        // Plaintext behind STLS: somebody in between may have put it there (RFC 2595 §2.4).
        if matches!(self.phase, Phase::StartingTls | Phase::Closed) {
            return;
        }
        if !self.wants_input() && self.input.rest().len() + bytes.len() > BUFFERED_INPUT_BYTES_MAX {
            return self.stop_serving("too much input");
        }
        self.input.push(bytes);
    }

    /// Takes lines until more input or an answer is needed, or enough replies are waiting.
    fn run(&mut self) {
        while self.wants_input() {
            let auth = matches!(self.phase, Phase::AuthResponse);
            let Some(line) = self.input.take_line(AUTH_LINE_BYTES_MAX) else {
                return;
            };
            if auth {
                self.phase = Phase::Command;
                self.auth_line(line);
            } else {
                self.command_line(line);
            }
            self.restart_deadline();
        }
    }

    fn is_backed_up(&self) -> bool {
        let waiting = self.outputs.iter().map(|queued| match queued {
            Queued::Output(Output::Send(bytes)) => bytes.len(),
            Queued::Output(_) => 0,
            Queued::Message(_) => QUEUED_REPLY_BYTES_MAX,
        });
        waiting.sum::<usize>() >= QUEUED_REPLY_BYTES_MAX
    }

    fn restart_deadline(&mut self) {
        self.deadline = match self.phase {
            Phase::Asking(_) | Phase::Closed => None,
            _ => Some(self.now + self.config.limits.command_timeout),
        };
    }

    fn command_line(&mut self, line: Line) {
        let parsed = match line {
            Line::Text(text) => command::parse(&text),
            Line::BareLineFeed => Err(Error::BareLineFeed),
            Line::TooLong => Err(Error::LineTooLong),
        };
        match parsed {
            Ok(command) => self.command(command),
            Err(error) => self.bad_command(&error.to_string()),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Capa => self.capa(),
            Command::Quit => self.quit(),
            Command::Stls => self.stls(),
            Command::User(name) => self.user(name),
            Command::Pass(password) => self.pass(password),
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial.as_deref()),
            _ if self.maildrop.is_none() => self.bad_command("log in first"),
            Command::Stat => self.stat(),
            Command::List(number) => self.list(number),
            Command::Uidl(number) => self.uidl(number),
            Command::Retr(number) => self.retr(number),
            Command::Top { number, body_lines } => self.top(number, body_lines),
            Command::Dele(number) => self.dele(number),
            Command::Noop => self.reply("+OK"),
            Command::Rset => self.rset(),
        }
    }

    fn answered(&mut self, answer: Answer) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let Phase::Asking(question) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return self.stop_serving("an answer came to no question");
        };
        match (question, answer) {
            (Question::Login, Answer::Login(answer)) => self.logged_in(answer),
            (Question::Open { account }, Answer::OpenMaildrop(answer)) => {
                self.opened(account, answer);
            }
            (Question::Read(wanted), Answer::Read(answer)) => self.read(wanted, answer),
            (Question::Delete { messages }, Answer::Delete(answer)) => {
                self.deleted(messages, answer);
            }
            // Ours is the fault; the client may try again.
            _ => self.stop_serving("an answer came to another question"),
        }
        self.restart_deadline();
    }

    /// Within a TLS handshake there is no way to say anything, and a QUIT closes by itself.
    fn stop_serving(&mut self, reason: &str) {
        match self.phase {
            Phase::Closed | Phase::Asking(Question::Delete { .. }) => return,
            Phase::StartingTls => {}
            _ => self.reply(&format!("-ERR [SYS/TEMP] {}", printable(reason))),
        }
        self.close();
    }

    fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed) {
            self.outputs.push_back(Queued::Output(Output::Close));
        }
        self.phase = Phase::Closed;
        self.input.clear();
        self.deadline = None;
    }

    fn ask(&mut self, question: Question, ask: Ask) {
        self.phase = Phase::Asking(question);
        self.outputs.push_back(Queued::Output(Output::Ask(ask)));
    }

    /// An `-ERR` that counts against [`Limits::bad_commands_max`].
    fn bad_command(&mut self, text: &str) {
        self.reply(&format!("-ERR {text}"));
        self.bad_commands += 1;
        if self.bad_commands >= self.config.limits.bad_commands_max {
            self.close();
        }
    }

    /// Sends one line; replies to a pipelined group leave together.
    fn reply(&mut self, line: &str) {
        if let Some(Queued::Output(Output::Send(bytes))) = self.outputs.back_mut() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
            return;
        }
        let bytes = format!("{line}\r\n").into_bytes();
        self.outputs.push_back(Queued::Output(Output::Send(bytes)));
    }
}

/// Text from elsewhere as it may stand in a reply: one line of printable ASCII.
fn printable(text: &str) -> String {
    let plain = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    text.chars().take(REPLY_TEXT_BYTES_MAX).map(plain).collect()
}
