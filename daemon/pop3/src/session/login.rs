//! USER and PASS (RFC 1939 §7), AUTH PLAIN (RFC 5034), and the opening of the maildrop.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Maildrop, Message, Phase, Question, Session, printable};
use crate::{Ask, LoginAnswer, MaildropAnswer, Password};
use message::line::Line;

impl Session {
    pub(super) fn user(&mut self, name: String) {
        if self.may_log_in() {
            self.user = Some(name);
            // The same for every name, so that none can be tried out.
            self.reply("+OK");
        }
    }

    pub(super) fn pass(&mut self, password: String) {
        if !self.may_log_in() {
            return;
        }
        match self.user.take() {
            Some(user) => self.ask_login(user, password),
            None => self.bad_command("USER first"),
        }
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        if !self.may_log_in() {
            return;
        }
        if mechanism != "PLAIN" {
            return self.bad_command("PLAIN is supported");
        }
        match initial {
            // A single equals sign is a response of no bytes.
            Some("=") => self.plain(b""),
            Some(response) => self.plain(response.as_bytes()),
            None => {
                self.reply("+ ");
                self.phase = Phase::AuthResponse;
            }
        }
    }

    pub(super) fn auth_line(&mut self, line: Line) {
        match line {
            Line::Text(text) if text == b"*" => self.reply("-ERR as you wish"),
            Line::Text(text) => self.plain(&text),
            Line::TooLong => self.bad_command("line too long"),
            Line::BareLineFeed => self.bad_command("lines end in CRLF"),
        }
    }

    fn plain(&mut self, response: &[u8]) {
        let decoded = BASE64.decode(response).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = decoded else {
            return self.bad_command("not base64");
        };
        match text.split('\0').collect::<Vec<_>>()[..] {
            [on_behalf, user, password] if on_behalf.is_empty() || on_behalf == user => {
                self.ask_login(user.to_owned(), password.to_owned());
            }
            // Nobody may act for another account here.
            [_, _, _] => self.logged_in(LoginAnswer::Denied),
            _ => self.bad_command("not a PLAIN response"),
        }
    }

    fn may_log_in(&mut self) -> bool {
        if self.maildrop.is_some() {
            self.bad_command("logged in already");
        } else if !self.tls {
            self.bad_command("no passwords in plaintext, use STLS first");
        }
        self.maildrop.is_none() && self.tls
    }

    fn ask_login(&mut self, user: String, password: String) {
        if user.is_empty() || password.is_empty() {
            return self.logged_in(LoginAnswer::Denied);
        }
        let password = Password::new(password);
        self.ask(Question::Login, Ask::Login { user, password });
    }

    pub(super) fn logged_in(&mut self, answer: LoginAnswer) {
        match answer {
            LoginAnswer::Accepted { account } => {
                self.ask(Question::Open { account }, Ask::OpenMaildrop { account });
            }
            LoginAnswer::Unavailable => {
                self.reply("-ERR [SYS/TEMP] cannot check this at the moment");
            }
            LoginAnswer::Denied => {
                self.reply("-ERR [AUTH] wrong name or password");
                self.failed_logins += 1;
                if self.failed_logins >= self.config.limits.failed_logins_max {
                    self.close();
                }
            }
        }
    }

    pub(super) fn opened(&mut self, account: u128, answer: MaildropAnswer) {
        match answer {
            MaildropAnswer::Open(rows) => {
                let messages =
                    rows.into_iter().map(|row| Message { row, deleted: false }).collect();
                self.maildrop = Some(Maildrop { account, messages });
                self.reply_with_totals();
            }
            MaildropAnswer::InUse => {
                self.reply("-ERR [IN-USE] the maildrop is open in another session");
            }
            MaildropAnswer::Unavailable(text) => {
                self.reply(&format!("-ERR [SYS/TEMP] {}", printable(&text)));
            }
        }
    }
}
