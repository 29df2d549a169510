//! POP3 over TLS (RFC 1939): enough to read a maildrop whole.

use anyhow::{Context, Result, bail};
use rack::client::Stream;

use super::maild::Maild;
use super::pair::Account;
use super::{PATIENCE, until_sure};

/// A session that is logged in.
pub struct Pop3 {
    stream: Stream,
}

impl Pop3 {
    /// # Errors
    /// When the box does not take the login.
    pub fn login(at: &Maild, account: &Account) -> Result<Pop3> {
        until_sure("[SYS/TEMP]", || {
            let mut pop3 = Pop3 { stream: Stream::tls("POP3", at.port(995), PATIENCE)? };
            pop3.ok().context("greeting")?;
            pop3.command(&format!("USER {}", account.address))?;
            pop3.command(&format!("PASS {}", account.password))?;
            Ok(pop3)
        })
    }

    /// The unique id of each message, in the order of their numbers.
    ///
    /// # Errors
    /// When the answer is none.
    pub fn ids(&mut self) -> Result<Vec<String>> {
        self.command("UIDL")?;
        let mut ids = Vec::new();
        loop {
            let line = self.stream.text()?;
            if line == "." {
                return Ok(ids);
            }
            let (_, id) = line.split_once(' ').with_context(|| format!("UIDL: {line}"))?;
            ids.push(id.to_owned());
        }
    }

    /// A message's bytes, by its number from 1 on.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn retrieve(&mut self, number: usize) -> Result<Vec<u8>> {
        self.command(&format!("RETR {number}"))?;
        let mut bytes = Vec::new();
        loop {
            let line = self.stream.line()?;
            match line.strip_prefix(b".") {
                Some(b"") => return Ok(bytes),
                Some(stuffed) => bytes.extend_from_slice(stuffed),
                None => bytes.extend_from_slice(&line),
            }
            bytes.extend_from_slice(b"\r\n");
        }
    }

    /// Ends the session, which is when deletions happen.
    ///
    /// # Errors
    /// When the box does not agree.
    pub fn quit(mut self) -> Result<()> {
        self.command("QUIT").map(drop)
    }

    /// Sends a command and reads its `+OK`.
    ///
    /// # Errors
    /// Any other answer.
    pub fn command(&mut self, command: &str) -> Result<String> {
        self.stream.send(format!("{command}\r\n").as_bytes())?;
        let verb = command.split(' ').next().unwrap_or_default();
        self.ok().with_context(|| verb.to_owned())
    }

    fn ok(&mut self) -> Result<String> {
        let line = self.stream.text()?;
        match line.strip_prefix("+OK") {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => bail!("{line}"),
        }
    }
}
