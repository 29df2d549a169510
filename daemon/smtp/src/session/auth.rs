//! AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616).
//!
//! Refused outright without TLS, so that no password is even asked for in the clear.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Phase, Question, Session, Taken, printable};
use crate::limits::AUTH_LINE_BYTES_MAX;
use crate::{Ask, AuthenticateAnswer, Password};
use message::line::Line;

/// What the next line of the exchange is.
pub(super) enum Step {
    Plain,
    LoginUser,
    LoginPassword { user: String },
}

impl Session {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        if !self.tls {
            return self.bad_command("538 5.7.11 encryption required, use STARTTLS first");
        }
        if self.helo.is_none() {
            return self.bad_command("503 5.5.1 EHLO first");
        }
        if self.account.is_some() || self.transaction.is_some() {
            return self.bad_command("503 5.5.1 not now");
        }
        let step = match mechanism {
            "PLAIN" => Step::Plain,
            "LOGIN" => Step::LoginUser,
            _ => return self.bad_command("504 5.5.4 PLAIN and LOGIN are supported"),
        };
        match initial {
            // A single equals sign is a response of no bytes (§4).
            Some("=") => self.auth_response(step, b""),
            Some(response) => self.auth_response(step, response.as_bytes()),
            None => self.challenge(step),
        }
    }

    pub(super) fn next_auth_line(&mut self) -> Taken {
        let Some(line) = self.input.take_line(AUTH_LINE_BYTES_MAX) else {
            return Taken::Nothing;
        };
        let Phase::Auth(step) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return Taken::Nothing;
        };
        match line {
            Line::Text(text) if text == b"*" => self.reply("501 5.7.0 as you wish"),
            Line::Text(text) => self.auth_response(step, &text),
            Line::TooLong => self.bad_command("500 5.5.6 line too long"),
            Line::BareLineFeed => self.bad_command("500 5.5.2 lines end in CRLF"),
        }
        Taken::Progress
    }

    fn challenge(&mut self, step: Step) {
        self.reply(match &step {
            Step::Plain => "334 ",
            Step::LoginUser => "334 VXNlcm5hbWU6",
            Step::LoginPassword { .. } => "334 UGFzc3dvcmQ6",
        });
        self.phase = Phase::Auth(step);
    }

    fn auth_response(&mut self, step: Step, response: &[u8]) {
        let decoded = BASE64.decode(response).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = decoded else {
            return self.bad_command("501 5.5.2 not base64");
        };
        match step {
            Step::LoginUser => self.challenge(Step::LoginPassword { user: text }),
            Step::LoginPassword { user } => self.ask_authenticate(user, text),
            Step::Plain => match text.split('\0').collect::<Vec<_>>()[..] {
                [on_behalf, user, password] if on_behalf.is_empty() || on_behalf == user => {
                    self.ask_authenticate(user.to_owned(), password.to_owned());
                }
                // Nobody may act for another account here.
                [_, _, _] => self.authenticated(AuthenticateAnswer::Denied),
                _ => self.bad_command("501 5.5.2 not a PLAIN response"),
            },
        }
    }

    fn ask_authenticate(&mut self, user: String, password: String) {
        if user.is_empty() || password.is_empty() {
            return self.authenticated(AuthenticateAnswer::Denied);
        }
        let password = Password::new(password);
        self.ask(Question::Authenticate, Ask::Authenticate { user, password });
    }

    pub(super) fn authenticated(&mut self, answer: AuthenticateAnswer) {
        match answer {
            AuthenticateAnswer::Accepted { account, address } => {
                self.account = Some(account);
                self.reply(&format!("235 2.7.0 welcome, {}", printable(&address)));
            }
            AuthenticateAnswer::Unavailable => {
                self.reply("454 4.7.0 cannot check this at the moment");
            }
            AuthenticateAnswer::Denied => {
                self.reply("535 5.7.8 wrong name or password");
                self.failed_authentications += 1;
                if self.failed_authentications >= self.config.limits.failed_authentications_max {
                    self.end("4.7.0", "too many failed authentications");
                }
            }
        }
    }
}
