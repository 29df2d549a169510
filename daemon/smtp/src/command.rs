//! Command lines (RFC 5321 §4.1.1 and the extensions).

use crate::Error;
use crate::address::{Path, parse_path};
use crate::limits::{COMMAND_LINE_BYTES_MAX, DOMAIN_BYTES_MAX};

/// One command that is right in itself; whether it may come now is for the session to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ehlo(String),
    Helo(String),
    StartTls,
    Auth { mechanism: String, initial: Option<String> },
    Mail(Mail),
    Rcpt(Path),
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help,
}

/// `"MAIL FROM:" Reverse-path [SP Mail-parameters]`
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: Path,
    /// SIZE=: the client's estimate (RFC 1870 §4).
    pub(crate) size_bytes: Option<u64>,
}

/// Reads one line without its CRLF.
pub(crate) fn parse(line: &[u8]) -> Result<Command, Error> {
    let text = std::str::from_utf8(line).map_err(|_| Error::NotText)?;
    if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(Error::NotText);
    }
    // Trailing spaces are to be tolerated (§4.1.1).
    let text = text.trim_end_matches([' ', '\t']);
    let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
    let verb = verb.to_ascii_uppercase();
    if line.len() > COMMAND_LINE_BYTES_MAX && verb != "AUTH" {
        return Err(Error::LineTooLong);
    }
    match verb.as_str() {
        "EHLO" => Ok(Command::Ehlo(client_name(argument)?)),
        "HELO" => Ok(Command::Helo(client_name(argument)?)),
        "STARTTLS" => alone(argument, Command::StartTls, "STARTTLS"),
        "AUTH" => auth(argument),
        "MAIL" => mail(argument).map(Command::Mail),
        "RCPT" => rcpt(argument),
        "DATA" => alone(argument, Command::Data, "DATA"),
        "RSET" => alone(argument, Command::Rset, "RSET"),
        "QUIT" => alone(argument, Command::Quit, "QUIT"),
        "NOOP" => Ok(Command::Noop),
        "VRFY" if argument.is_empty() => Err(Error::Arguments { expected: "VRFY name" }),
        "VRFY" => Ok(Command::Vrfy),
        "HELP" => Ok(Command::Help),
        "EXPN" | "ETRN" | "TURN" | "ATRN" | "BDAT" | "BURL" | "LHLO" | "SEND" | "SOML" | "SAML" => {
            Err(Error::NotImplemented)
        }
        _ => Err(Error::UnknownCommand),
    }
}

fn alone(argument: &str, command: Command, expected: &'static str) -> Result<Command, Error> {
    if argument.is_empty() { Ok(command) } else { Err(Error::Arguments { expected }) }
}

/// Quirk: any printable ASCII word passes for `Domain / address-literal`. Clients give their
/// machine's name, whatever it is, and nothing is decided by it.
fn client_name(argument: &str) -> Result<String, Error> {
    let word = !argument.is_empty()
        && argument.len() <= DOMAIN_BYTES_MAX
        && argument.bytes().all(|byte| byte.is_ascii_graphic());
    if word { Ok(argument.to_owned()) } else { Err(Error::Arguments { expected: "EHLO domain" }) }
}

/// `"AUTH" SP sasl-mech [SP initial-response]` (RFC 4954 §4)
fn auth(argument: &str) -> Result<Command, Error> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let (Some(mechanism), initial, None) = (words.next(), words.next(), words.next()) else {
        return Err(Error::Arguments { expected: "AUTH mechanism [initial-response]" });
    };
    Ok(Command::Auth {
        mechanism: mechanism.to_ascii_uppercase(),
        initial: initial.map(str::to_owned),
    })
}

fn mail(argument: &str) -> Result<Mail, Error> {
    let expected = "MAIL FROM:<address> [parameters]";
    let (from, parameters) = path_argument(argument, "FROM:", expected)?;
    if from == Path::Postmaster {
        return Err(Error::Address);
    }
    let mut mail = Mail { from, size_bytes: None };
    let (mut body, mut auth) = (false, false);
    for (name, value) in parameters {
        match name.to_ascii_uppercase().as_str() {
            "SIZE" if mail.size_bytes.is_none() => mail.size_bytes = Some(size(value)?),
            "SIZE" => return Err(Error::ParameterValue { name: "SIZE" }),
            "BODY" if !std::mem::replace(&mut body, true) && is_body(value) => {}
            "BODY" => return Err(Error::ParameterValue { name: "BODY" }),
            // RFC 4954 §5: who is said to have submitted it first. Nothing here trusts that.
            "AUTH" if !std::mem::replace(&mut auth, true) && !value.is_empty() => {}
            "AUTH" => return Err(Error::ParameterValue { name: "AUTH" }),
            _ => return Err(Error::UnknownParameter),
        }
    }
    Ok(mail)
}

/// `size-value = 1*20DIGIT`; more than fits 64 bits is too much for anyone.
fn size(value: &str) -> Result<u64, Error> {
    let digits = matches!(value.len(), 1..=20) && value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(Error::ParameterValue { name: "SIZE" });
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn is_body(value: &str) -> bool {
    value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME")
}

fn rcpt(argument: &str) -> Result<Command, Error> {
    let (to, parameters) = path_argument(argument, "TO:", "RCPT TO:<address>")?;
    match to {
        Path::Null => Err(Error::Address),
        _ if !parameters.is_empty() => Err(Error::UnknownParameter),
        _ => Ok(Command::Rcpt(to)),
    }
}

/// Names and values, in order; a value that is not there is empty.
type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// `keyword Path *(SP esmtp-keyword ["=" esmtp-value])`
///
/// Quirk: spaces between the colon and the path pass; some clients send them.
fn path_argument<'a>(
    argument: &'a str,
    keyword: &str,
    expected: &'static str,
) -> Result<(Path, Parameters<'a>), Error> {
    let argument = argument.trim_start_matches(' ');
    let given = argument.get(..keyword.len()).unwrap_or("");
    if !given.eq_ignore_ascii_case(keyword) {
        return Err(Error::Arguments { expected });
    }
    let (path, rest) = parse_path(argument[keyword.len()..].trim_start_matches(' '))?;
    if !(rest.is_empty() || rest.starts_with(' ')) {
        return Err(Error::Arguments { expected });
    }
    let words = rest.split(' ').filter(|word| !word.is_empty());
    Ok((path, words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect()))
}
