//! IMAP (RFC 3501) over TLS: enough to read a mailbox whole.

use std::net::SocketAddr;
use std::time::Duration;

use super::stream::Stream;
use crate::Result;

/// A session that is logged in.
pub struct Imap {
    stream: Stream,
    last_tag: u32,
}

/// One message of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its UID.
    pub uid: u32,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

/// One untagged answer: its text, with each literal taken out and put in order beside it.
#[derive(Debug)]
struct Untagged {
    text: String,
    literals: Vec<Vec<u8>>,
}

impl Imap {
    /// Connects to an IMAPS port and logs in. `limit` holds for each read.
    pub fn login(address: SocketAddr, user: &str, password: &str, limit: Duration) -> Result<Imap> {
        let mut imap = Imap { stream: Stream::tls("IMAP", address, limit)?, last_tag: 0 };
        let greeting = imap.stream.line()?;
        if !greeting.starts_with(b"* OK") {
            return Err(imap.stream.unexpected("* OK", &greeting));
        }
        imap.command(&format!("LOGIN {} {}", quoted(user), quoted(password)))?;
        Ok(imap)
    }

    /// Opens a mailbox to read. Gives the number of messages in it.
    pub fn examine(&mut self, mailbox: &str) -> Result<u32> {
        let answers = self.command(&format!("EXAMINE {}", quoted(mailbox)))?;
        answers
            .iter()
            .find_map(|answer| answer.text.strip_suffix(" EXISTS")?.parse().ok())
            .ok_or_else(|| self.stream.unexpected("a number of messages", b"none"))
    }

    /// The UIDs of all messages, in ascending order.
    pub fn uids(&mut self) -> Result<Vec<u32>> {
        let answers = self.command("UID SEARCH ALL")?;
        let mut uids = Vec::new();
        for answer in &answers {
            let Some(list) = answer.text.strip_prefix("SEARCH") else { continue };
            for word in list.split_ascii_whitespace() {
                let uid = word.parse();
                uids.push(uid.map_err(|_| self.stream.unexpected("a UID", word.as_bytes()))?);
            }
        }
        uids.sort_unstable();
        Ok(uids)
    }

    /// All bytes of the messages whose UIDs lie in `from..=to`, in the order of the server.
    pub fn fetch(&mut self, from: u32, to: u32) -> Result<Vec<Message>> {
        let answers = self.command(&format!("UID FETCH {from}:{to} (UID BODY.PEEK[])"))?;
        answers
            .into_iter()
            .filter(|answer| answer.text.contains(" FETCH ("))
            .map(|answer| self.message(answer))
            .collect()
    }

    /// Says goodbye.
    pub fn logout(mut self) -> Result<()> {
        self.command("LOGOUT").map(drop)
    }

    fn message(&self, answer: Untagged) -> Result<Message> {
        let uid = number_after(&answer.text, "UID ");
        let mut literals = answer.literals.into_iter();
        match (uid, literals.next(), literals.next()) {
            (Some(uid), Some(bytes), None) => Ok(Message { uid, bytes }),
            // A server may send an empty or short body as a quoted string.
            (Some(uid), None, None) => match quoted_body(&answer.text) {
                Some(bytes) => Ok(Message { uid, bytes }),
                None => Err(self.stream.unexpected("a body", answer.text.as_bytes())),
            },
            _ => Err(self.stream.unexpected("UID and one body", answer.text.as_bytes())),
        }
    }

    /// Sends a command and reads to its tagged OK.
    fn command(&mut self, command: &str) -> Result<Vec<Untagged>> {
        self.last_tag += 1;
        let tag = format!("t{}", self.last_tag);
        self.stream.send(format!("{tag} {command}\r\n").as_bytes())?;
        let mut answers = Vec::new();
        loop {
            let answer = self.answer()?;
            if let Some(text) = answer.text.strip_prefix("* ") {
                let text = text.to_owned();
                answers.push(Untagged { text, literals: answer.literals });
            } else if answer.text.starts_with(&format!("{tag} OK")) {
                return Ok(answers);
            } else {
                let verb = command.split(' ').next().unwrap_or_default();
                return Err(self
                    .stream
                    .unexpected(format!("OK to {verb}"), answer.text.as_bytes()));
            }
        }
    }

    /// One line with its literals (RFC 3501 §4.3).
    fn answer(&mut self) -> Result<Untagged> {
        let (mut text, mut literals) = (String::new(), Vec::new());
        loop {
            let line = self.stream.line()?;
            let line = String::from_utf8_lossy(&line);
            match literal_length(&line) {
                None => {
                    text.push_str(&line);
                    return Ok(Untagged { text, literals });
                }
                Some((before, length)) => {
                    text.push_str(before);
                    literals.push(self.stream.exactly(length)?);
                }
            }
        }
    }
}

/// `… {123}` at the end of a line: what stands before it, and the length.
fn literal_length(line: &str) -> Option<(&str, usize)> {
    let (before, number) = line.strip_suffix('}')?.rsplit_once('{')?;
    Some((before, number.parse().ok()?))
}

fn number_after(text: &str, word: &str) -> Option<u32> {
    let (_, rest) = text.split_once(word)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// `BODY[] "…"`.
fn quoted_body(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("BODY[] \"")?;
    let mut bytes = Vec::new();
    let mut rest = rest.bytes();
    loop {
        match rest.next()? {
            b'"' => return Some(bytes),
            b'\\' => bytes.push(rest.next()?),
            byte => bytes.push(byte),
        }
    }
}

/// A quoted string (RFC 3501 §4.3); CR and LF cannot stand in one and are not asked for here.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_answers() {
        assert_eq!(literal_length("* 1 FETCH (BODY[] {12}"), Some(("* 1 FETCH (BODY[] ", 12)));
        assert_eq!(literal_length("* OK {x}"), None);
        assert_eq!(number_after("1 FETCH (UID 7 BODY[] )", "UID "), Some(7));
        assert_eq!(quoted_body(r#"1 FETCH (UID 7 BODY[] "a\"b")"#), Some(b"a\"b".to_vec()));
        assert_eq!(quoted_body("1 FETCH (UID 7 BODY[] NIL)"), None);
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }
}
