//! Address lists as the envelope wants them (RFC 5322 §3.4, RFC 9051 §7.5.2).
//!
//! Names stay as they were sent: encoded words are the client's to decode. What is not an address by
//! the grammar still yields something to show, never an error.

use crate::limits::ADDRESSES_MAX;

/// One element of an envelope's address list. `None` is NIL there.
///
/// A group begins with an element whose host is `None` and whose mailbox is its name, and ends with
/// one whose host and mailbox are both `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name, or the comment that old mail has in its place.
    pub name: Option<Vec<u8>>,
    /// The source route, with its `@` and commas, without the colon.
    pub route: Option<Vec<u8>>,
    /// The local part without its quoting, or a group's name.
    pub mailbox: Option<Vec<u8>>,
    /// The domain; empty where the message gives none.
    pub host: Option<Vec<u8>>,
}

/// Appends the addresses of an unfolded field value to `list`, up to [`ADDRESSES_MAX`] in all.
///
/// ```text
/// address-list = (address *("," address))
/// address      = mailbox / group
/// mailbox      = name-addr / addr-spec
/// name-addr    = [display-name] "<" [route ":"] addr-spec ">"
/// group        = display-name ":" [mailbox-list] ";"
/// ```
pub fn parse_list(value: &[u8], list: &mut Vec<Address>) {
    let mut reader = Reader { value, at: 0 };
    let mut one = Collected::default();
    let mut in_group = false;
    while list.len() < ADDRESSES_MAX {
        match reader.token() {
            None => break,
            Some(Token::Special(b',')) => one.finish(list),
            Some(Token::Special(b':')) if !in_group => {
                list.push(Address { mailbox: Some(one.phrase()), ..Address::default() });
                one = Collected::default();
                in_group = true;
            }
            Some(Token::Special(b';')) => {
                one.finish(list);
                if std::mem::take(&mut in_group) {
                    list.push(Address::default());
                }
            }
            Some(Token::Special(b'<')) => one.angle = Some(reader.angle()),
            Some(Token::Special(b'>')) => {}
            Some(token) => one.take(token),
        }
    }
    one.finish(list);
    if in_group {
        list.push(Address::default());
    }
}

/// What stands between two commas.
#[derive(Default)]
struct Collected {
    words: Vec<Word>,
    comment: Option<Vec<u8>>,
    angle: Option<Angle>,
}

struct Word {
    text: Vec<u8>,
    /// An unquoted `@`, the only one that separates local part and domain.
    at_sign: bool,
    space_before: bool,
}

#[derive(Default)]
struct Angle {
    route: Option<Vec<u8>>,
    words: Vec<Word>,
}

enum Token {
    Word(Word),
    Comment(Vec<u8>),
    Special(u8),
}

impl Collected {
    fn take(&mut self, token: Token) {
        match token {
            Token::Word(word) => self.words.push(word),
            Token::Comment(text) => self.comment = Some(text),
            Token::Special(byte) => {
                self.words.push(Word { text: vec![byte], at_sign: false, space_before: false });
            }
        }
    }

    /// The words as a display name: one blank wherever there was white space.
    fn phrase(&self) -> Vec<u8> {
        let mut phrase = Vec::new();
        for word in &self.words {
            if word.space_before && !phrase.is_empty() {
                phrase.push(b' ');
            }
            phrase.extend_from_slice(&word.text);
        }
        phrase
    }

    fn finish(&mut self, list: &mut Vec<Address>) {
        let one = std::mem::take(self);
        let comment = one.comment.clone().filter(|text| !text.is_empty());
        if let Some(angle) = &one.angle {
            let name = Some(one.phrase()).filter(|name| !name.is_empty()).or(comment);
            let (mailbox, host) = split_address(&angle.words);
            let route = angle.route.clone();
            list.push(Address { name, route, mailbox: Some(mailbox), host: Some(host) });
        } else if one.words.len() > 1 && !one.words.iter().any(|word| word.at_sign) {
            // A name and no address: something to show, and nothing that looks like a domain.
            let name = Some(one.phrase());
            let empty = Some(Vec::new());
            list.push(Address { name, route: None, mailbox: empty.clone(), host: empty });
        } else if !one.words.is_empty() {
            let (mailbox, host) = split_address(&one.words);
            let (mailbox, host) = (Some(mailbox), Some(host));
            list.push(Address { name: comment, route: None, mailbox, host });
        }
    }
}

/// Local part and domain, split at the last unquoted `@`; white space inside is dropped.
fn split_address(words: &[Word]) -> (Vec<u8>, Vec<u8>) {
    let join = |words: &[Word]| {
        words.iter().flat_map(|word| word.text.iter().copied()).collect::<Vec<u8>>()
    };
    match words.iter().rposition(|word| word.at_sign) {
        Some(at) => (join(&words[..at]), join(&words[at + 1..])),
        None => (join(words), Vec::new()),
    }
}

struct Reader<'a> {
    value: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn token(&mut self) -> Option<Token> {
        let before = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let space_before = self.at > before;
        let word = |text, at_sign| Token::Word(Word { text, at_sign, space_before });
        let byte = self.peek()?;
        Some(match byte {
            b'"' => word(self.quoted(b'"'), false),
            b'(' => Token::Comment(self.comment()),
            b'[' => word(self.domain_literal(), false),
            b'@' => {
                self.at += 1;
                word(vec![b'@'], true)
            }
            b',' | b':' | b';' | b'<' | b'>' => {
                self.at += 1;
                Token::Special(byte)
            }
            _ => {
                let start = self.at;
                while self.peek().is_some_and(|byte| !b" \t\"(,:;<>@".contains(&byte)) {
                    self.at += 1;
                }
                word(self.value[start..self.at].to_vec(), false)
            }
        })
    }

    /// `angle-addr` after its `<`, up to `>`; without one up to the next comma.
    fn angle(&mut self) -> Angle {
        let mut angle = Angle::default();
        let mut route = Vec::new();
        loop {
            let start = self.at;
            match self.token() {
                None | Some(Token::Special(b'>')) => return angle,
                Some(Token::Special(b',')) => {
                    // Only a route has commas here: `<@a,@b:user@c>`.
                    if !angle.words.first().is_some_and(|word| word.at_sign) {
                        self.at = start;
                        return angle;
                    }
                    route.extend(angle.words.drain(..).flat_map(|word| word.text));
                    route.push(b',');
                }
                Some(Token::Special(b':')) => {
                    route.extend(angle.words.drain(..).flat_map(|word| word.text));
                    angle.route = Some(std::mem::take(&mut route)).filter(|r| !r.is_empty());
                }
                Some(Token::Word(word)) => angle.words.push(word),
                Some(Token::Special(_) | Token::Comment(_)) => {}
            }
        }
    }

    /// A quoted string without its quotes and backslashes; a missing end quote is the value's end.
    fn quoted(&mut self, close: u8) -> Vec<u8> {
        let mut text = Vec::new();
        self.at += 1;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => text.extend(self.next()),
                _ if byte == close => break,
                _ => text.push(byte),
            }
        }
        text
    }

    /// `[192.0.2.1]`, with its brackets.
    fn domain_literal(&mut self) -> Vec<u8> {
        let mut text = vec![b'['];
        text.extend(self.quoted(b']'));
        text.push(b']');
        text
    }

    /// A comment without its outer parentheses. Nesting is counted, not recursed into.
    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 0_usize;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => {
                    text.extend(self.next());
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if !(byte == b'(' && depth == 1) {
                text.push(byte);
            }
        }
        text.trim_ascii().to_vec()
    }

    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each address as `name|route|mailbox|host`, NIL as `-`.
    fn check(value: &str, expected: &[&str]) {
        let mut list = Vec::new();
        parse_list(value.as_bytes(), &mut list);
        let show = |text: &Option<Vec<u8>>| {
            text.as_ref().map_or("-".into(), |text| String::from_utf8_lossy(text).into_owned())
        };
        let shown: Vec<String> = list
            .iter()
            .map(|a| [&a.name, &a.route, &a.mailbox, &a.host].map(show).join("|"))
            .collect();
        assert_eq!(shown, expected, "for {value:?}");
    }

    #[test]
    fn ordinary_addresses() {
        check("a@b.c", &["-|-|a|b.c"]);
        check("<a@b.c>", &["-|-|a|b.c"]);
        check("Ann Lee <ann@b.c>, bob@d", &["Ann Lee|-|ann|b.c", "-|-|bob|d"]);
        check("\"Lee, Ann\" <ann@b.c>", &["Lee, Ann|-|ann|b.c"]);
        check("J. R. Lee <j@b>", &["J. R. Lee|-|j|b"]);
        check("=?utf-8?Q?J=C3=BCrgen?= <j@b>", &["=?utf-8?Q?J=C3=BCrgen?=|-|j|b"]);
        check("ann@b.c (Ann Lee)", &["Ann Lee|-|ann|b.c"]);
        check("ann@[192.0.2.1]", &["-|-|ann|[192.0.2.1]"]);
        check("\"a@b\"@c", &["-|-|a@b|c"]);
        check("Müller <m@b>", &["Müller|-|m|b"]);
    }

    #[test]
    fn groups_have_marks() {
        check("undisclosed-recipients:;", &["-|-|undisclosed-recipients|-", "-|-|-|-"]);
        check(
            "My Team: a@b, Bo <c@d>; e@f",
            &["-|-|My Team|-", "-|-|a|b", "Bo|-|c|d", "-|-|-|-", "-|-|e|f"],
        );
        check("open: a@b", &["-|-|open|-", "-|-|a|b", "-|-|-|-"]);
    }

    #[test]
    fn old_and_broken_forms() {
        check("Ann <@x,@y:ann@b>", &["Ann|@x,@y|ann|b"]);
        check("root", &["-|-|root|"]);
        check("Ann Lee", &["Ann Lee|-||"]);
        check("<>", &["-|-||"]);
        check("a @ b . c", &["-|-|a|b.c"]);
        check("Ann <ann@b, bob@c", &["Ann|-|ann|b", "-|-|bob|c"]);
        check("a@b (one (two) \\) three)", &["one (two) ) three|-|a|b"]);
        check("\"open <a@b>", &["-|-|open <a@b>|"]);
        check(",,;,", &[]);
        check("", &[]);
        check("(only a comment", &[]);
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let mut list = Vec::new();
        parse_list("a@b,".repeat(ADDRESSES_MAX + 10).as_bytes(), &mut list);
        assert!(list.len() <= ADDRESSES_MAX + 1);
        parse_list("(".repeat(100_000).as_bytes(), &mut list);
    }
}
