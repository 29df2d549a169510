//! Command lines (RFC 1939 and the extensions).

use crate::Error;
use crate::limits::COMMAND_LINE_BYTES_MAX;

/// One command that is right in itself; whether it may come now is for the session to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Capa,
    Stls,
    User(String),
    Pass(String),
    Auth { mechanism: String, initial: Option<String> },
    Stat,
    List(Option<Number>),
    Uidl(Option<Number>),
    Retr(Number),
    Top { number: Number, body_lines: usize },
    Dele(Number),
    Noop,
    Rset,
    Quit,
}

/// A message's number in its maildrop, from 1. Zero is a number too; no message has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) usize);

/// Reads one line without its CRLF.
pub(crate) fn parse(line: &[u8]) -> Result<Command, Error> {
    let text = std::str::from_utf8(line).map_err(|_| Error::NotText)?;
    if text.chars().any(char::is_control) {
        return Err(Error::NotText);
    }
    let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
    let verb = verb.to_ascii_uppercase();
    if line.len() > COMMAND_LINE_BYTES_MAX && verb != "AUTH" {
        return Err(Error::LineTooLong);
    }
    match verb.as_str() {
        // A password is everything behind the one space, further spaces included (RFC 1939 §7).
        "PASS" if argument.is_empty() => Err(Error::Arguments { expected: "PASS password" }),
        "PASS" => Ok(Command::Pass(argument.to_owned())),
        "USER" if argument.trim().is_empty() => Err(Error::Arguments { expected: "USER name" }),
        "USER" => Ok(Command::User(argument.trim().to_owned())),
        "AUTH" => auth(argument),
        "CAPA" => alone(argument, Command::Capa, "CAPA"),
        "STLS" => alone(argument, Command::Stls, "STLS"),
        "STAT" => alone(argument, Command::Stat, "STAT"),
        "LIST" => Ok(Command::List(optional_number(argument, "LIST [number]")?)),
        "UIDL" => Ok(Command::Uidl(optional_number(argument, "UIDL [number]")?)),
        "RETR" => Ok(Command::Retr(Number(number(argument, "RETR number")?))),
        "DELE" => Ok(Command::Dele(Number(number(argument, "DELE number")?))),
        "TOP" => top(argument),
        "NOOP" => alone(argument, Command::Noop, "NOOP"),
        "RSET" => alone(argument, Command::Rset, "RSET"),
        "QUIT" => alone(argument, Command::Quit, "QUIT"),
        _ => Err(Error::UnknownCommand),
    }
}

fn alone(argument: &str, command: Command, expected: &'static str) -> Result<Command, Error> {
    if argument.trim().is_empty() { Ok(command) } else { Err(Error::Arguments { expected }) }
}

/// `"AUTH" SP mechanism [SP initial-response]` (RFC 5034 §4)
fn auth(argument: &str) -> Result<Command, Error> {
    let mut words = argument.split_whitespace();
    let (Some(mechanism), initial, None) = (words.next(), words.next(), words.next()) else {
        return Err(Error::Arguments { expected: "AUTH mechanism [initial-response]" });
    };
    Ok(Command::Auth {
        mechanism: mechanism.to_ascii_uppercase(),
        initial: initial.map(str::to_owned),
    })
}

fn top(argument: &str) -> Result<Command, Error> {
    let expected = "TOP number lines";
    let (first, second) = argument.trim().split_once(' ').ok_or(Error::Arguments { expected })?;
    let (number_given, body_lines) = (number(first, expected)?, number(second, expected)?);
    Ok(Command::Top { number: Number(number_given), body_lines })
}

fn optional_number(argument: &str, expected: &'static str) -> Result<Option<Number>, Error> {
    if argument.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(Number(number(argument, expected)?)))
}

/// Digits and nothing else; what does not fit is more than anyone has.
fn number(text: &str, expected: &'static str) -> Result<usize, Error> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::Arguments { expected });
    }
    Ok(digits.parse().unwrap_or(usize::MAX))
}
