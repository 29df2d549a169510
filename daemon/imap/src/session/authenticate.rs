//! STARTTLS, LOGIN and AUTHENTICATE (RFC 9051 §6.2). Passwords are taken over TLS only.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Doing, LineThen, Output, Session, State, failure_text};
use crate::ask::{Answer, Ask, Failure, Password};

const NEEDS_TLS: &str = "NO [PRIVACYREQUIRED] start TLS first";

impl Session {
    /// What the client sent behind the command is dropped: it came in the clear, perhaps from somebody
    /// else (RFC 9051 §11.1).
    pub(super) fn starttls(&mut self, tag: &str) {
        if self.tls {
            return self.bad(Some(tag.to_owned()), "TLS is active already");
        }
        self.tagged(tag, "OK begin TLS now");
        self.reader.clear();
        self.out.push(Output::StartTls);
        self.doing = Doing::StartingTls;
    }

    pub(super) fn tls_started(&mut self, now: Instant) {
        if matches!(self.doing, Doing::StartingTls) {
            self.tls = true;
            self.active_at = now;
            self.doing = Doing::Nothing;
        }
    }

    pub(super) fn login(&mut self, tag: String, user: String, password: Password) {
        if !self.tls {
            return self.tagged(&tag, NEEDS_TLS);
        }
        self.ask(Ask::Login { user, password }, move |session, answer| match answer {
            Answer::Done => {
                session.state = State::Authenticated;
                let capabilities = session.capabilities();
                session.tagged(&tag, &format!("OK [CAPABILITY {capabilities}] you are logged in"));
            }
            other => session.login_failed(&tag, &other),
        });
    }

    fn login_failed(&mut self, tag: &str, answer: &Answer) {
        self.tagged(tag, &failure_text(answer, "NONEXISTENT"));
        self.failed_logins += u32::from(*answer == Answer::Failed(Failure::BadCredentials));
        if self.failed_logins >= self.config.limits.failed_logins_max {
            self.bye("too many wrong passwords");
        }
    }

    /// PLAIN (RFC 4616) and LOGIN (never standardised, but some clients know nothing else), with or
    /// without an initial response (RFC 4959).
    pub(super) fn authenticate(&mut self, tag: String, mechanism: &str, initial: Option<String>) {
        if !self.tls {
            return self.tagged(&tag, NEEDS_TLS);
        }
        let then: fn(&mut Self, String, Vec<u8>) = match mechanism {
            "PLAIN" => Self::plain,
            "LOGIN" => Self::login_user,
            _ => return self.tagged(&tag, "NO [CANNOT] this mechanism is not known"),
        };
        match initial.as_deref() {
            None if mechanism == "PLAIN" => self.challenge(tag, "", then),
            None => self.challenge(tag, "Username:", then),
            Some("=") => then(self, tag, Vec::new()),
            Some(response) => self.response(tag, response.as_bytes(), then),
        }
    }

    /// `message = [authzid] NUL authcid NUL passwd`. Acting for somebody else is not possible.
    fn plain(&mut self, tag: String, message: Vec<u8>) {
        let parts: Vec<&[u8]> = message.split(|&byte| byte == 0).collect();
        let &[acting_for, user, password] = parts.as_slice() else {
            return self.bad(Some(tag), "the response is not PLAIN");
        };
        if !acting_for.is_empty() && acting_for != user {
            return self.tagged(&tag, "NO [AUTHORIZATIONFAILED] you cannot act for another user");
        }
        self.login_bytes(tag, user, password);
    }

    fn login_user(&mut self, tag: String, user: Vec<u8>) {
        self.challenge(tag, "Password:", move |session, tag, password| {
            session.login_bytes(tag, &user, &password);
        });
    }

    fn login_bytes(&mut self, tag: String, user: &[u8], password: &[u8]) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
        match (text(user), text(password)) {
            (Ok(user), Ok(password)) => self.login(tag, user, Password::new(password)),
            _ => self.bad(Some(tag), "user and password are no UTF-8"),
        }
    }

    /// Sends a challenge and goes on with the decoded response.
    fn challenge(
        &mut self,
        tag: String,
        challenge: &str,
        then: impl FnOnce(&mut Self, String, Vec<u8>) + Send + Sync + 'static,
    ) {
        self.out.send(format!("+ {}\r\n", STANDARD.encode(challenge)).as_bytes());
        let then: LineThen = Box::new(move |session, line| session.response(tag, &line, then));
        self.doing = Doing::Line(then);
    }

    fn response(
        &mut self,
        tag: String,
        line: &[u8],
        then: impl FnOnce(&mut Self, String, Vec<u8>),
    ) {
        match STANDARD.decode(line) {
            Ok(response) => then(self, tag, response),
            Err(_) if line == b"*" => self.bad(Some(tag), "cancelled"),
            Err(_) => self.bad(Some(tag), "the response is not base64"),
        }
    }
}
