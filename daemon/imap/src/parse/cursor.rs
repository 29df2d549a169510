//! Atoms, strings, numbers and lists.

use std::collections::VecDeque;

use super::{Error, Result};
use crate::reader::Piece;
use crate::utf7;

/// A place in a command.
pub struct Cursor {
    /// The text being read.
    text: Vec<u8>,
    at: usize,
    later: VecDeque<Piece>,
}

impl Cursor {
    pub fn new(pieces: Vec<Piece>) -> Self {
        let mut cursor = Self { text: Vec::new(), at: 0, later: pieces.into() };
        cursor.next_text();
        cursor
    }

    /// The byte here; `None` at the end and where a literal begins.
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The text from here to its end, or to the next literal.
    pub fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    /// Steps over `byte` if it is here.
    pub fn skip(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Steps over `word` if it is here; case does not count.
    pub fn skip_word(&mut self, word: &str) -> bool {
        let here =
            self.rest().get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()));
        self.at += if here { word.len() } else { 0 };
        here
    }

    pub fn expect(&mut self, byte: u8, error: &'static str) -> Result<()> {
        if self.skip(byte) { Ok(()) } else { Err(Error(error)) }
    }

    /// `SP`
    pub fn space(&mut self) -> Result<()> {
        self.expect(b' ', "a space is missing")?;
        self.spaces();
        Ok(())
    }

    /// `*SP`
    pub fn spaces(&mut self) {
        while self.skip(b' ') {}
    }

    /// The command ends here.
    pub fn end(&mut self) -> Result<()> {
        self.spaces();
        if self.peek().is_none() && self.later.is_empty() {
            Ok(())
        } else {
            Err(Error("there is more than the command takes"))
        }
    }

    /// Bytes from here as long as `wanted` says so.
    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &[u8] {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// A command's or option's name in upper case; may be empty.
    pub fn word(&mut self) -> String {
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || b".-=+".contains(&c));
        String::from_utf8_lossy(word).to_ascii_uppercase()
    }

    /// `atom = 1*ATOM-CHAR`
    pub fn atom(&mut self) -> Result<String> {
        let atom = self.take_while(|c| is_astring_char(c) && c != b']');
        if atom.is_empty() { Err(Error("an atom is missing")) } else { into_text(atom.to_vec()) }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub fn astring(&mut self) -> Result<Vec<u8>> {
        if let Some(string) = self.string_if_any()? {
            return Ok(string);
        }
        let atom = self.take_while(is_astring_char);
        if atom.is_empty() { Err(Error("a string is missing")) } else { Ok(atom.to_vec()) }
    }

    /// `astring`, in UTF-8.
    pub fn text(&mut self) -> Result<String> {
        into_text(self.astring()?)
    }

    /// `mailbox = "INBOX" / astring`, decoded.
    pub fn mailbox(&mut self) -> Result<String> {
        mailbox_name(&self.astring()?)
    }

    /// `list-mailbox = 1*list-char / string`, where `list-char` is also `%`, `*` and `]`.
    pub fn list_mailbox(&mut self) -> Result<String> {
        let bytes = match self.string_if_any()? {
            Some(string) => string,
            None => self.take_while(|c| is_astring_char(c) || b"%*".contains(&c)).to_vec(),
        };
        utf7::decode(&bytes).ok_or(Error("the name is no UTF-7"))
    }

    /// `string = quoted / literal`; `None` when something else is here.
    pub fn string_if_any(&mut self) -> Result<Option<Vec<u8>>> {
        if self.peek() == Some(b'"') { self.quoted().map(Some) } else { Ok(self.literal()) }
    }

    /// `literal`, by value: messages are not copied.
    pub fn literal(&mut self) -> Option<Vec<u8>> {
        if self.peek().is_some() {
            return None;
        }
        match self.later.pop_front() {
            Some(Piece::Literal(bytes)) => {
                self.next_text();
                Some(bytes)
            }
            Some(text) => {
                self.later.push_front(text);
                None
            }
            None => None,
        }
    }

    /// ```text
    /// quoted = DQUOTE *( <any CHAR except CR, LF, quoted-specials> / "\" quoted-specials ) DQUOTE
    /// ```
    /// Leniency: a backslash before anything else stands for that character.
    fn quoted(&mut self) -> Result<Vec<u8>> {
        self.at += 1;
        let mut string = Vec::new();
        loop {
            let byte = self.peek().ok_or(Error("a quote is not closed"))?;
            self.at += 1;
            match byte {
                b'"' => return Ok(string),
                b'\\' => {
                    string.push(self.peek().ok_or(Error("a quote is not closed"))?);
                    self.at += 1;
                }
                0 => return Err(Error("a NUL is in a string")),
                _ => string.push(byte),
            }
        }
    }

    /// `number64 = 1*DIGIT`, below 2⁶³ (RFC 9051 §4.2)
    pub fn number64(&mut self) -> Result<u64> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        let text = str::from_utf8(digits).unwrap_or_default();
        let number: u64 = text.parse().map_err(|_| Error("a number is missing or too large"))?;
        if number < 1 << 63 { Ok(number) } else { Err(Error("a number is too large")) }
    }

    /// `number = 1*DIGIT`, below 2³²
    pub fn number(&mut self) -> Result<u32> {
        u32::try_from(self.number64()?).map_err(|_| Error("a number is too large"))
    }

    /// `nz-number`
    pub fn number_above_zero(&mut self) -> Result<u32> {
        let number = self.number()?;
        if number > 0 { Ok(number) } else { Err(Error("a number must not be 0")) }
    }

    /// `"(" [one *(SP one)] ")"`, at most `max` of them.
    pub fn list<T>(
        &mut self,
        max: usize,
        mut one: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect(b'(', "an opening parenthesis is missing")?;
        self.spaces();
        let mut list = Vec::new();
        while !self.skip(b')') {
            if list.len() >= max {
                return Err(Error("a list is too long"));
            }
            list.push(one(self)?);
            if self.peek() != Some(b')') {
                self.space()?;
            }
        }
        Ok(list)
    }

    fn next_text(&mut self) {
        self.at = 0;
        self.text = match self.later.pop_front() {
            Some(Piece::Text(text)) => text,
            Some(literal) => {
                self.later.push_front(literal);
                Vec::new()
            }
            None => Vec::new(),
        };
    }
}

/// A decoded mailbox name, with the inbox in upper case, also as the first of several levels.
fn mailbox_name(bytes: &[u8]) -> Result<String> {
    let name = utf7::decode(bytes).ok_or(Error("the mailbox name is no UTF-7"))?;
    let (first, below) = name.split_at(name.find('/').unwrap_or(name.len()));
    Ok(if first.eq_ignore_ascii_case("INBOX") { format!("INBOX{below}") } else { name })
}

pub fn into_text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error("a string is no UTF-8"))
}

/// `ASTRING-CHAR = ATOM-CHAR / "]"`, with bytes above 127.
pub fn is_astring_char(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"(){%*\"\\".contains(&byte)
}
