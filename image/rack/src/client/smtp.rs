//! SMTP (RFC 5321): delivers messages and keeps the difference between "no" and "no answer".

use std::net::SocketAddr;
use std::time::Duration;

use super::stream::Stream;
use crate::{Error, Result};

/// A session after its EHLO.
pub struct Smtp {
    stream: Stream,
    pipelining: bool,
    eight_bit: bool,
}

/// What the server said about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `250` after the last dot: the server has it for every recipient.
    Accepted,
    /// Anything else: the server has it for nobody.
    Refused {
        /// The command that it refused.
        command: &'static str,
        /// The reply code.
        code: u16,
        /// The reply's text.
        text: String,
    },
}

/// The server did not answer, so nobody can know whether it has the message.
#[derive(Debug, thiserror::Error)]
#[error("no answer ({error}); the message was {}sent whole", if *whole { "" } else { "not " })]
pub struct Unanswered {
    /// How the connection failed.
    pub error: Error,
    /// Whether the last dot may have reached the server: if not, it cannot have taken the message.
    pub whole: bool,
}

struct Reply {
    code: u16,
    text: String,
}

impl Smtp {
    /// Connects, waits for the greeting, says EHLO. `limit` holds for each answer.
    pub fn connect(address: SocketAddr, limit: Duration) -> Result<Smtp> {
        let mut smtp = Self::greeted(address, limit)?;
        smtp.stream.send(b"EHLO client.example.test\r\n")?;
        let reply = smtp.reply()?;
        if reply.code != 250 {
            return Err(smtp.unexpected("250 to EHLO", &reply));
        }
        let offers = |word: &str| reply.text.lines().any(|line| line.eq_ignore_ascii_case(word));
        smtp.pipelining = offers("PIPELINING");
        smtp.eight_bit = offers("8BITMIME");
        Ok(smtp)
    }

    /// Connects and waits for the greeting only.
    pub fn greeted(address: SocketAddr, limit: Duration) -> Result<Smtp> {
        let stream = Stream::plain("SMTP", address, limit)?;
        let mut smtp = Smtp { stream, pipelining: false, eight_bit: false };
        let reply = smtp.reply()?;
        if reply.code != 220 {
            return Err(smtp.unexpected("a 220 greeting", &reply));
        }
        Ok(smtp)
    }

    /// Whether the server offers PIPELINING (RFC 2920).
    pub fn offers_pipelining(&self) -> bool {
        self.pipelining
    }

    /// Goes on one command at a time even if the server offers more.
    pub fn without_pipelining(mut self) -> Self {
        self.pipelining = false;
        self
    }

    /// Delivers one message. Its lines must end in CRLF; its dots are stuffed here. It is sent as
    /// [`as_sent`] says, and announced as 8-bit (RFC 6152) when it is that and the server offers
    /// it.
    pub fn deliver(
        &mut self,
        from: &str,
        to: &[&str],
        message: &[u8],
    ) -> Result<Answer, Unanswered> {
        let body = if self.eight_bit && !message.is_ascii() { " BODY=8BITMIME" } else { "" };
        let mail = format!("MAIL FROM:<{from}>{body}\r\n");
        let head = self.envelope(mail, to).map_err(|error| Unanswered { error, whole: false })?;
        if let Some(refused) = head {
            return Ok(refused);
        }
        self.body(message).map_err(|error| Unanswered { error, whole: true })
    }

    /// Says goodbye.
    pub fn quit(mut self) -> Result<()> {
        self.stream.send(b"QUIT\r\n")?;
        let reply = self.reply()?;
        if reply.code == 221 { Ok(()) } else { Err(self.unexpected("221 to QUIT", &reply)) }
    }

    /// MAIL, RCPT, DATA; gives the first refusal. A refused message leaves no transaction behind.
    fn envelope(&mut self, mail: String, to: &[&str]) -> Result<Option<Answer>> {
        let mut commands = vec![("MAIL", mail, 250)];
        commands.extend(to.iter().map(|to| ("RCPT", format!("RCPT TO:<{to}>\r\n"), 250)));
        commands.push(("DATA", "DATA\r\n".to_owned(), 354));
        if self.pipelining {
            let all: String = commands.iter().map(|(_, line, _)| line.as_str()).collect();
            self.stream.send(all.as_bytes())?;
        }
        let mut refused = None;
        for (command, line, expected) in commands {
            if !self.pipelining {
                if refused.is_some() {
                    break;
                }
                self.stream.send(line.as_bytes())?;
            }
            let reply = self.reply()?;
            if reply.code != expected && refused.is_none() {
                refused = Some(Answer::Refused { command, code: reply.code, text: reply.text });
            } else if reply.code == 354 && refused.is_some() {
                // The server takes data for the recipients it liked; it must not get any.
                return Err(Error::Server {
                    protocol: "SMTP",
                    expected: "DATA to be refused after a refused recipient".into(),
                    got: reply.text,
                });
            }
        }
        if refused.is_some() {
            self.stream.send(b"RSET\r\n")?;
            let reply = self.reply()?;
            if reply.code != 250 {
                return Err(self.unexpected("250 to RSET", &reply));
            }
        }
        Ok(refused)
    }

    fn body(&mut self, message: &[u8]) -> Result<Answer> {
        self.stream.send(&stuffed(message))?;
        let reply = self.reply()?;
        Ok(match reply.code {
            250 => Answer::Accepted,
            code => Answer::Refused { command: "message", code, text: reply.text },
        })
    }

    /// A whole reply: its code, and its lines without codes.
    fn reply(&mut self) -> Result<Reply> {
        let mut text = String::new();
        loop {
            let line = self.stream.line()?;
            let code = line.get(..3).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
            let (Some(code), Some(b' ' | b'-') | None) = (code, line.get(3)) else {
                return Err(self.stream.unexpected("a reply code", &line));
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&String::from_utf8_lossy(line.get(4..).unwrap_or_default()));
            if line.get(3) != Some(&b'-') {
                return Ok(Reply { code, text });
            }
        }
    }

    fn unexpected(&self, expected: &str, reply: &Reply) -> Error {
        self.stream.unexpected(expected, format!("{} {}", reply.code, reply.text).as_bytes())
    }
}

/// What a server gets when this client sends `file`: the same bytes, but each line ends in CRLF,
/// the last one too. Bare CR and NUL stay: it is the server's to refuse them.
pub fn as_sent(file: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(file.len() + file.len() / 32 + 2);
    let mut previous = 0;
    for &byte in file {
        if byte == b'\n' && previous != b'\r' {
            message.push(b'\r');
        }
        message.push(byte);
        previous = byte;
    }
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// RFC 5321 §4.5.2: a dot that begins a line is doubled, and a line with one dot ends the message.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 5);
    let mut line_begins = true;
    for &byte in message {
        if byte == b'.' && line_begins {
            out.push(b'.');
        }
        out.push(byte);
        line_begins = byte == b'\n' && out.ends_with(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_their_crlf_and_nothing_else_changes() {
        for (file, expect) in [
            (&b"a\nb\n"[..], &b"a\r\nb\r\n"[..]),
            (b"a\r\nb", b"a\r\nb\r\n"),
            (b"a\rb\n\n", b"a\rb\r\n\r\n"),
            (b"a\0\xff\r", b"a\0\xff\r\r\n"),
            (b"", b""),
        ] {
            assert_eq!(as_sent(file), expect);
        }
    }

    #[test]
    fn dots_at_line_beginnings_are_doubled() {
        assert_eq!(stuffed(b".a\r\n..\r\nb.\r\n\n."), b"..a\r\n...\r\nb.\r\n\n..\r\n");
        assert_eq!(stuffed(b""), b".\r\n");
    }
}
