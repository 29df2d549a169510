//! IMAP as a conversation: for tests that change something at one box and look at the other. (For reading a mailbox
//! whole there is [`rack::client::Imap`].)

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rack::client::Stream;

use super::maild::Maild;
use super::pair::Account;
use super::{PATIENCE, until_sure};

/// A session that is logged in.
pub struct Imap {
    stream: Stream,
    last_tag: u32,
}

/// The box answered a command with something else than `OK`; after any other error nobody knows what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct No(pub String);

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for No {}

/// One untagged answer: its text with each literal taken out, and the literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untagged {
    pub text: String,
    pub literals: Vec<Vec<u8>>,
}

/// What SELECT says of a mailbox (RFC 3501 §6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    pub exists: u32,
    pub uid_validity: u32,
    pub uid_next: u32,
}

impl Imap {
    /// # Errors
    /// When the box does not take the login.
    pub fn login(at: &Maild, account: &Account) -> Result<Imap> {
        Self::login_at(at.port(993), account)
    }

    /// The same at the address of a box's port 993.
    ///
    /// # Errors
    /// When the box does not take the login.
    pub fn login_at(imaps: SocketAddr, account: &Account) -> Result<Imap> {
        Self::login_within(PATIENCE, imaps, account)
    }

    /// The same with this patience for each answer.
    ///
    /// # Errors
    /// When the box does not take the login.
    pub fn login_within(limit: Duration, imaps: SocketAddr, account: &Account) -> Result<Imap> {
        until_sure("[UNAVAILABLE]", || {
            let mut imap = Imap { stream: Stream::tls("IMAP", imaps, limit)?, last_tag: 0 };
            let greeting = imap.stream.text()?;
            ensure!(greeting.starts_with("* OK"), "greeting {greeting:?}");
            imap.command(&format!("LOGIN \"{}\" \"{}\"", account.address, account.password))?;
            Ok(imap)
        })
    }

    /// Sends a command and reads to its tagged `OK`.
    ///
    /// # Errors
    /// Any other answer.
    pub fn command(&mut self, command: &str) -> Result<Vec<Untagged>> {
        let tag = self.begin(command)?;
        self.finish(&tag).with_context(|| command.to_owned())
    }

    /// # Errors
    /// When there is no such mailbox.
    pub fn select(&mut self, mailbox: &str) -> Result<Selected> {
        let answers = self.command(&format!("SELECT \"{mailbox}\""))?;
        let number = |before: &str, after: &str| {
            let find = |answer: &Untagged| {
                let (_, rest) = answer.text.split_once(before)?;
                rest.split_once(after)?.0.parse().ok()
            };
            answers.iter().find_map(find).with_context(|| format!("{before:?} in {answers:?}"))
        };
        Ok(Selected {
            exists: number("* ", " EXISTS")?,
            uid_validity: number("[UIDVALIDITY ", "]")?,
            uid_next: number("[UIDNEXT ", "]")?,
        })
    }

    /// `flags` as in the command: `\Seen \Flagged`.
    ///
    /// # Errors
    /// When the box does not take the message.
    pub fn append(&mut self, mailbox: &str, flags: &str, message: &[u8]) -> Result<()> {
        let length = message.len();
        let tag = self.begin(&format!("APPEND \"{mailbox}\" ({flags}) {{{length}}}"))?;
        let go_on = self.stream.text()?;
        ensure!(go_on.starts_with('+'), "APPEND: {go_on}");
        self.stream.send(&[message, b"\r\n"].concat())?;
        self.finish(&tag).context("APPEND").map(drop)
    }

    /// The UIDs of the selected mailbox, in ascending order.
    ///
    /// # Errors
    /// When the answer is none.
    pub fn uids(&mut self) -> Result<Vec<u32>> {
        let answers = self.command("UID SEARCH ALL")?;
        let mut uids = Vec::new();
        for list in answers.iter().filter_map(|answer| answer.text.strip_prefix("* SEARCH")) {
            for word in list.split_ascii_whitespace() {
                uids.push(word.parse().with_context(|| format!("UID {word:?}"))?);
            }
        }
        uids.sort_unstable();
        Ok(uids)
    }

    /// The flags of a message, `\Recent` left out.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn flags(&mut self, uid: u32) -> Result<BTreeSet<String>> {
        let answers = self.command(&format!("UID FETCH {uid} (UID FLAGS)"))?;
        let of_this = |answer: &&Untagged| answer.text.contains(&format!("UID {uid}"));
        let answer = answers.iter().find(of_this).with_context(|| format!("no message {uid}"))?;
        let (_, rest) = answer.text.split_once("FLAGS (").context("no flags")?;
        let (list, _) = rest.split_once(')').context("no end of flags")?;
        let flags = list.split_ascii_whitespace().filter(|flag| *flag != "\\Recent");
        Ok(flags.map(str::to_owned).collect())
    }

    /// A message's bytes.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn body(&mut self, uid: u32) -> Result<Vec<u8>> {
        let answers = self.command(&format!("UID FETCH {uid} (UID BODY.PEEK[])"))?;
        let bodies = answers.into_iter().flat_map(|answer| answer.literals);
        bodies.into_iter().next().with_context(|| format!("no message {uid}"))
    }

    /// Begins to wait for changes (RFC 2177).
    ///
    /// # Errors
    /// When the box does not go into IDLE.
    pub fn idle(mut self) -> Result<Idle> {
        let tag = self.begin("IDLE")?;
        // The box may have something to tell before it says that it waits.
        let mut early = Vec::new();
        loop {
            let line = self.stream.text()?;
            match line.as_bytes().first() {
                Some(b'+') => return Ok(Idle { imap: self, tag, early }),
                Some(b'*') => early.push(line),
                _ => bail!("IDLE: {line}"),
            }
        }
    }

    fn begin(&mut self, command: &str) -> Result<String> {
        self.last_tag += 1;
        let tag = format!("t{}", self.last_tag);
        self.stream.send(format!("{tag} {command}\r\n").as_bytes())?;
        Ok(tag)
    }

    fn finish(&mut self, tag: &str) -> Result<Vec<Untagged>> {
        let mut answers = Vec::new();
        loop {
            let answer = self.answer()?;
            if answer.text.starts_with("* ") {
                answers.push(answer);
            } else if answer.text.starts_with(&format!("{tag} OK")) {
                return Ok(answers);
            } else {
                bail!(No(answer.text));
            }
        }
    }

    fn answer(&mut self) -> Result<Untagged> {
        let (mut text, mut literals) = (String::new(), Vec::new());
        loop {
            let line = self.stream.text()?;
            let literal = line.strip_suffix('}').and_then(|line| line.rsplit_once('{'));
            match literal.and_then(|(before, length)| Some((before, length.parse().ok()?))) {
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

/// A session that waits for changes of its mailbox.
pub struct Idle {
    imap: Imap,
    tag: String,
    early: Vec<String>,
}

impl Idle {
    /// Waits for an untagged answer that is as wanted; each read has the usual patience.
    ///
    /// # Errors
    /// When the connection ends or says nothing for too long.
    pub fn wait(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        loop {
            let line = match self.early.pop() {
                Some(line) => line,
                None => self.imap.stream.text().context("waiting in IDLE")?,
            };
            if wanted(&line) {
                return Ok(line);
            }
        }
    }

    /// Ends the wait.
    ///
    /// # Errors
    /// When the box does not agree.
    pub fn done(mut self) -> Result<Imap> {
        self.imap.stream.send(b"DONE\r\n")?;
        self.imap.finish(&self.tag).context("DONE")?;
        Ok(self.imap)
    }
}
