//! Addresses and paths of RFC 5321 §4.1.2.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::Error;
use crate::limits::{DOMAIN_BYTES_MAX, LOCAL_PART_BYTES_MAX};

/// A mailbox `local@domain`; one that exists is right, and printable ASCII throughout.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    local: String,
    domain: String,
}

/// What stands between `<` and `>` in MAIL and RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    /// `<>`: nobody, the sender of bounces.
    Null,
    /// `<Postmaster>`, which every server takes without a domain (§4.5.1).
    Postmaster,
    Address(Address),
}

impl Address {
    /// `Mailbox = Local-part "@" ( Domain / address-literal )`
    ///
    /// The quotes of a quoted local part are taken away, the domain is made lower case.
    pub fn parse(text: &str) -> Result<Address, Error> {
        if !text.is_ascii() {
            return Err(Error::NeedsSmtpUtf8);
        }
        let (local, rest) = match text.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (local, rest) = text.split_at(text.find('@').ok_or(Error::Address)?);
                (local.to_owned(), rest)
            }
        };
        let was_quoted = text.starts_with('"');
        let domain = rest.strip_prefix('@').ok_or(Error::Address)?;
        if local.len() > LOCAL_PART_BYTES_MAX || !(was_quoted || is_dot_string(&local)) {
            return Err(Error::Address);
        }
        Ok(Address { local, domain: parse_domain(domain)? })
    }

    /// `<Postmaster>` given without a domain: this server's own.
    pub(crate) fn postmaster(hostname: &str) -> Address {
        Address { local: "Postmaster".to_owned(), domain: hostname.to_ascii_lowercase() }
    }

    /// The local part as given (its case matters to its own server only), without quotes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain in lower case, or an address literal with its brackets.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// As it stands in a command: the local part is quoted when it has to be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        f.write_str("\"")?;
        for character in self.local.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        write!(f, "\"@{}", self.domain)
    }
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`; also gives what follows. A source route is ignored
/// (§4.1.1.3).
pub(crate) fn parse_path(text: &str) -> Result<(Path, &str), Error> {
    let inner = text.strip_prefix('<').ok_or(Error::Address)?;
    let end = end_of_path(inner).ok_or(Error::Address)?;
    let (inner, rest) = (&inner[..end], &inner[end + 1..]);
    let path = if inner.is_empty() {
        Path::Null
    } else if inner.eq_ignore_ascii_case("postmaster") {
        Path::Postmaster
    } else if inner.starts_with('@') {
        let (_route, mailbox) = inner.split_once(':').ok_or(Error::Address)?;
        Path::Address(Address::parse(mailbox)?)
    } else {
        Path::Address(Address::parse(inner)?)
    };
    Ok((path, rest))
}

/// Where the `>` stands that is not in a quoted string.
fn end_of_path(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// `Quoted-string` behind its first quote: what it means, and what follows the last quote.
fn unquote(text: &str) -> Result<(String, &str), Error> {
    let mut local = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        let meant = match character {
            '"' => return Ok((local, &text[at + 1..])),
            '\\' => characters.next().ok_or(Error::Address)?.1,
            _ => character,
        };
        if !matches!(meant, ' '..='~') {
            return Err(Error::Address);
        }
        local.push(meant);
    }
    Err(Error::Address)
}

/// `Dot-string = Atom *("." Atom)`
fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_byte))
}

fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// `Domain`, or `address-literal` of IPv4 or IPv6.
fn parse_domain(text: &str) -> Result<String, Error> {
    if let Some(literal) = text.strip_prefix('[') {
        return parse_literal(literal.strip_suffix(']').ok_or(Error::Address)?);
    }
    let good = text.len() <= DOMAIN_BYTES_MAX && text.split('.').all(is_label);
    if good { Ok(text.to_ascii_lowercase()) } else { Err(Error::Address) }
}

/// Quirk: an underscore passes; it stands in real host names, against RFC 5321.
fn is_label(label: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|&byte| byte != b'-');
    let bytes = label.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn parse_literal(text: &str) -> Result<String, Error> {
    let tag = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    if tag.is_some() {
        let address: Ipv6Addr = text[5..].parse().map_err(|_| Error::Address)?;
        return Ok(format!("[IPv6:{address}]"));
    }
    let address: Ipv4Addr = text.parse().map_err(|_| Error::Address)?;
    Ok(format!("[{address}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, local, domain, again) in [
            ("a@example.org", "a", "example.org", "a@example.org"),
            ("John.Doe@EXAMPLE.org", "John.Doe", "example.org", "John.Doe@example.org"),
            ("a+b=c@x-y.example", "a+b=c", "x-y.example", "a+b=c@x-y.example"),
            (r#""a b"@example.org"#, "a b", "example.org", r#""a b"@example.org"#),
            (r#""plain"@example.org"#, "plain", "example.org", "plain@example.org"),
            (r#""a\"\\\>@"@example.org"#, r#"a"\>@"#, "example.org", r#""a\"\\>@"@example.org"#),
            (r#"""@example.org"#, "", "example.org", r#"""@example.org"#),
            ("a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[ipv6:2001:DB8::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
            ("a@host_name.example", "a", "host_name.example", "a@host_name.example"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.local(), address.domain()), (local, domain), "{text}");
            assert_eq!(address.to_string(), again);
            assert_eq!(Address::parse(again), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@example.org",
            "a b@example.org",
            ".a@example.org",
            "a.@example.org",
            "a..b@example.org",
            "a@b@example.org",
            "a@.example",
            "a@example.",
            "a@-x.example",
            "a@x-.example",
            "a@exa mple",
            "a@[1.2.3]",
            "a@[1.2.3.4",
            "a@[IPv6:1.2.3.4]",
            "a@[tag:x]",
            "a@[]",
            r#""a@example.org"#,
            r#""a"b@example.org"#,
            "\"a\r\"@example.org",
            r#""a\"#,
            "a\0@example.org",
            "a@example.org\r\nX: y",
            "(c)a@example.org",
            "a@example.org>",
        ] {
            assert_eq!(Address::parse(text), Err(Error::Address), "{text:?}");
        }
        assert_eq!(Address::parse("jörg@example.org"), Err(Error::NeedsSmtpUtf8));
        assert_eq!(Address::parse("a@exämple.org"), Err(Error::NeedsSmtpUtf8));
        assert!(Address::parse(&format!("{}@example.org", "a".repeat(256))).is_err());
        assert!(Address::parse(&format!("a@{}", "a".repeat(64))).is_err());
    }

    #[test]
    fn paths_are_read_with_what_follows() {
        let address = |text| Path::Address(Address::parse(text).unwrap());
        for (text, path, rest) in [
            ("<>", Path::Null, ""),
            ("<> SIZE=1", Path::Null, " SIZE=1"),
            ("<postMaster>", Path::Postmaster, ""),
            ("<a@b.example> BODY=7BIT", address("a@b.example"), " BODY=7BIT"),
            ("<@x.example,@y.example:a@b.example>", address("a@b.example"), ""),
            (r#"<"a>b\">"@b.example>x"#, address(r#""a>b\">"@b.example"#), "x"),
        ] {
            assert_eq!(parse_path(text), Ok((path, rest)), "{text}");
        }
        for text in
            ["", "<", "a@b.example", "<a@b.example", "<@x.example>", "<\"a@b.example>", "< >"]
        {
            assert_eq!(parse_path(text), Err(Error::Address), "{text}");
        }
    }
}
