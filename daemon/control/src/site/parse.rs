//! From TOML text to a checked [`Site`], with the field and the line of what is wrong.

use serde::Deserialize;
use toml::Spanned;

use super::values::host_address;
use super::{Crossover, Lan, Secret, Service, Site, Timing};
use crate::limits;
use crate::status::Side;

/// What is wrong with a site file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("site file, line {line}, {field}: {problem}")]
pub struct SiteError {
    /// Counted from 1.
    pub line: usize,
    /// As it is written in the documentation: `lan.address`. "the file" when it is no single field.
    pub field: String,
    /// What was expected, and what was got where that is no secret.
    pub problem: String,
}

pub(super) fn site(text: &str) -> Result<Site, SiteError> {
    if text.len() > limits::SITE_BYTES_MAX {
        let problem = format!("{} bytes, expected at most {}", text.len(), limits::SITE_BYTES_MAX);
        return Err(SiteError { line: 1, field: WHOLE.into(), problem });
    }
    let raw: RawSite = toml::from_str(text).map_err(|error| from_toml(text, &error))?;
    let at = Checker { text };
    let site = Site {
        side: at.parsed("side", &raw.side, side)?,
        hostname: at.parsed("hostname", &raw.hostname, own_name)?,
        domain: at.parsed("domain", &raw.domain, domain_name)?,
        pair_token: at.parsed("pair_token", &raw.pair_token, pair_token)?,
        first: raw.first,
        admin_password: at.optional("admin_password", raw.admin_password.as_ref(), password)?,
        lan: Lan {
            mac: at.optional("lan.mac", raw.lan.mac.as_ref(), value)?,
            address: at.parsed("lan.address", &raw.lan.address, value)?,
            gateway: at.optional("lan.gateway", raw.lan.gateway.as_ref(), |text| {
                host_address(text).map_err(|problem| got(problem, text))
            })?,
            peer: at.parsed("lan.peer", &raw.lan.peer, |text| {
                host_address(text).map_err(|problem| got(problem, text))
            })?,
        },
        service: Service {
            a: at.parsed("service.a", &raw.service.a, value)?,
            b: at.parsed("service.b", &raw.service.b, value)?,
        },
        crossover: Crossover {
            mac: at.optional("crossover.mac", raw.crossover.mac.as_ref(), value)?,
        },
        timing: timing(at, &raw.timing)?,
    };
    agreement(at, &raw, &site)?;
    Ok(site)
}

/// What each value by itself cannot show: that the values fit each other.
fn agreement(at: Checker<'_>, raw: &RawSite, site: &Site) -> Result<(), SiteError> {
    let own = site.lan.address;
    if let (Some(gateway), Some(raw)) = (site.lan.gateway, &raw.lan.gateway)
        && !own.contains(gateway)
    {
        let problem = format!("{gateway} is not on the network of lan.address {own}");
        return Err(at.error("lan.gateway", raw, problem));
    }
    if !own.contains(site.lan.peer) {
        let problem = format!("{} is not on the network of lan.address {own}", site.lan.peer);
        return Err(at.error("lan.peer", &raw.lan.peer, problem));
    }
    let mut used = vec![("lan.address", own.address)];
    let mut distinct = |field, raw: &Spanned<String>, address| {
        if let Some((other, _)) = used.iter().find(|(_, used)| *used == address) {
            return Err(at.error(field, raw, format!("{address} is {other} too")));
        }
        used.push((field, address));
        Ok(())
    };
    if let (Some(gateway), Some(raw)) = (site.lan.gateway, &raw.lan.gateway) {
        distinct("lan.gateway", raw, gateway)?;
    }
    distinct("lan.peer", &raw.lan.peer, site.lan.peer)?;
    distinct("service.a", &raw.service.a, site.service.a.address)?;
    distinct("service.b", &raw.service.b, site.service.b.address)?;
    if let (Some(lan), Some(crossover), Some(raw)) =
        (site.lan.mac, site.crossover.mac, &raw.crossover.mac)
        && lan == crossover
    {
        return Err(at.error("crossover.mac", raw, format!("{crossover} is lan.mac too")));
    }
    Ok(())
}

fn timing(at: Checker<'_>, raw: &RawTiming) -> Result<Timing, SiteError> {
    let bounded =
        |field, raw: &Option<Spanned<u64>>, default, range: std::ops::RangeInclusive<u64>| {
            let Some(raw) = raw else { return Ok(default) };
            let value = *raw.get_ref();
            if range.contains(&value) {
                return Ok(value);
            }
            let (low, high) = (range.start(), range.end());
            Err(at.error(field, raw, format!("expected {low} to {high}, got {value}")))
        };
    Ok(Timing {
        dead_after_ms: bounded(
            "timing.dead_after_ms",
            &raw.dead_after_ms,
            limits::DEAD_AFTER_MS_DEFAULT,
            limits::DEAD_AFTER_MS_MIN..=limits::DEAD_AFTER_MS_MAX,
        )?,
        cold_start_wait_ms: bounded(
            "timing.cold_start_wait_ms",
            &raw.cold_start_wait_ms,
            limits::COLD_START_WAIT_MS_DEFAULT,
            0..=limits::COLD_START_WAIT_MS_MAX,
        )?,
    })
}

fn side(text: &str) -> Result<Side, String> {
    match text {
        "a" => Ok(Side::A),
        "b" => Ok(Side::B),
        _ => Err(got("expected \"a\" or \"b\"", text)),
    }
}

fn own_name(text: &str) -> Result<String, String> {
    if text.len() > limits::KERNEL_HOSTNAME_BYTES_MAX {
        let longest = limits::KERNEL_HOSTNAME_BYTES_MAX;
        return Err(got(&format!("expected at most {longest} characters"), text));
    }
    domain_name(text)
}

/// RFC 1123 §2.1: labels of letters, digits and inner hyphens, joined by dots. In lower case,
/// because names are compared.
fn domain_name(text: &str) -> Result<String, String> {
    let label_is_good = |label: &str| {
        (1..=limits::HOSTNAME_LABEL_BYTES_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let all_numeric = text.split('.').next_back().is_some_and(|last| last.parse::<u64>().is_ok());
    if text.len() > limits::HOSTNAME_BYTES_MAX || all_numeric || !text.split('.').all(label_is_good)
    {
        return Err(got("expected a name like \"mail-a.example.org\"", text));
    }
    Ok(text.to_ascii_lowercase())
}

/// The token's own text is never shown, not even a wrong one.
fn pair_token(text: &str) -> Result<Secret, String> {
    secret(text, limits::PAIR_TOKEN_CHARACTERS_MIN..=limits::PAIR_TOKEN_CHARACTERS_MAX)
}

fn password(text: &str) -> Result<Secret, String> {
    secret(text, limits::ADMIN_PASSWORD_CHARACTERS_MIN..=limits::ADMIN_PASSWORD_CHARACTERS_MAX)
}

fn secret(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Result<Secret, String> {
    let length = text.chars().count();
    if !lengths.contains(&length) {
        let (shortest, longest) = (lengths.start(), lengths.end());
        return Err(format!("expected {shortest} to {longest} characters, got {length}"));
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character in it".into());
    }
    Ok(Secret::new(text))
}

fn value<T: std::str::FromStr<Err = &'static str>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|problem| got(problem, text))
}

fn got(problem: &str, text: &str) -> String {
    format!("{problem}, got {text:?}")
}

/// Turns a span of the text into the line that an error names.
#[derive(Clone, Copy)]
struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn parsed<T>(
        self,
        field: &str,
        raw: &Spanned<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, SiteError> {
        parse(raw.get_ref()).map_err(|problem| self.error(field, raw, problem))
    }

    fn optional<T>(
        self,
        field: &str,
        raw: Option<&Spanned<String>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SiteError> {
        raw.map(|raw| self.parsed(field, raw, parse)).transpose()
    }

    fn error<T>(self, field: &str, raw: &Spanned<T>, problem: String) -> SiteError {
        SiteError { line: line_of(self.text, raw.span().start), field: field.into(), problem }
    }
}

/// The parser's own complaints: bad TOML, a missing or unknown key, a value of the wrong type.
fn from_toml(text: &str, error: &toml::de::Error) -> SiteError {
    let start = error.span().map_or(0, |span| span.start);
    let line = line_of(text, start);
    let field = field_at(text, line);
    let problem = match field.as_str() {
        // The parser's message quotes a value of the wrong type.
        "pair_token" | "admin_password" => "expected a text in quotes".into(),
        _ => error.message().replace('\n', ", "),
    };
    SiteError { line, field, problem }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The key that stands at a line, with its table before it.
fn field_at(text: &str, line: usize) -> String {
    let mut table = String::new();
    let mut field = String::new();
    for content in text.lines().take(line).map(str::trim) {
        field.clear();
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.trim().clone_into(&mut table);
            field.clone_from(&table);
        } else if let Some((key, _)) = content.split_once('=') {
            let key = key.trim();
            field = if table.is_empty() { key.into() } else { format!("{table}.{key}") };
        }
    }
    if field.is_empty() { WHOLE.into() } else { field }
}

const WHOLE: &str = "the file";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSite {
    side: Spanned<String>,
    hostname: Spanned<String>,
    domain: Spanned<String>,
    pair_token: Spanned<String>,
    #[serde(default)]
    first: bool,
    admin_password: Option<Spanned<String>>,
    lan: RawLan,
    service: RawService,
    #[serde(default)]
    crossover: RawCrossover,
    #[serde(default)]
    timing: RawTiming,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLan {
    mac: Option<Spanned<String>>,
    address: Spanned<String>,
    gateway: Option<Spanned<String>>,
    peer: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    a: Spanned<String>,
    b: Spanned<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawCrossover {
    mac: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawTiming {
    dead_after_ms: Option<Spanned<u64>>,
    cold_start_wait_ms: Option<Spanned<u64>>,
}
