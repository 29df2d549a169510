//! From TOML text to a checked [`Site`], with the field and the line of what is wrong.

use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::failover::{Failover, RawFailover, by_hand};
use super::values::host_address;
use super::{Crossover, Lan, Network, Own, Secret, Serial, Service, Site, Time, Timing, agreement};
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
        lan: lan(at, &raw.lan)?,
        service: Service {
            a: at.list("service.a", &raw.service.a, value)?,
            b: at.list("service.b", &raw.service.b, value)?,
        },
        crossover: Crossover {
            mac: at.optional("crossover.mac", raw.crossover.mac.as_ref(), value)?,
        },
        serial: match &raw.serial {
            Some(raw) => Some(Serial { device: at.parsed(SERIAL, &raw.device, serial_device)? }),
            None => None,
        },
        time: Time { servers: at.optional_list("time.servers", &raw.time.servers, server)? },
        timing: timing(at, &raw.timing)?,
        failover: failover(at, &raw.failover)?,
    };
    agreement::check(&site).map_err(|(field, problem)| SiteError {
        line: raw.place_of(field).map_or(1, |offset| line_of(text, offset)),
        field: field.into(),
        problem,
    })?;
    Ok(site)
}

fn lan(at: Checker<'_>, raw: &RawLan) -> Result<Lan, SiteError> {
    let mut lan = Lan {
        mac: at.optional("lan.mac", raw.mac.as_ref(), value)?,
        ipv4: None,
        ipv6: None,
        gateways: at.optional_list("lan.gateway", &raw.gateway, host)?,
        peers: at.optional_list("lan.peer", &raw.peer, host)?,
        vlan: at.bounded("lan.vlan", &raw.vlan, limits::VLAN_MIN..=limits::VLAN_MAX)?,
        mtu: at.bounded("lan.mtu", &raw.mtu, limits::MTU_MIN..=limits::MTU_MAX)?,
    };
    for (ipv6, own) in at.list("lan.address", &raw.address, own_address)? {
        let place = if ipv6 { &mut lan.ipv6 } else { &mut lan.ipv4 };
        if place.replace(own).is_some() {
            let family = if ipv6 { "IPv6" } else { "IPv4" };
            let problem = format!("expected one {family} address at most");
            return Err(at.error("lan.address", &raw.address, problem));
        }
    }
    Ok(lan)
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

/// An address of the box's own, and whether it is IPv6.
fn own_address(text: &str) -> Result<(bool, Own), String> {
    match text {
        DHCP => Ok((false, Own::Automatic)),
        SLAAC => Ok((true, Own::Automatic)),
        _ => {
            let network: Network = value(text)?;
            Ok((network.address.is_ipv6(), Own::Static(network)))
        }
    }
}

fn host(text: &str) -> Result<IpAddr, String> {
    host_address(text).map_err(|problem| got(problem, text))
}

/// By its address: the resolver of a box needs a right clock first.
fn server(text: &str) -> Result<IpAddr, String> {
    match host_address(text) {
        Ok(address) => Ok(address),
        Err(_) => Err(got("expected the IP address of an NTP server", text)),
    }
}

/// It becomes a path that init opens, so nothing else may pass.
fn serial_device(text: &str) -> Result<String, String> {
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    // A pseudo-terminal is the cable of two boxes on one machine.
    if text.strip_prefix("/dev/pts/").is_some_and(|name| !name.is_empty() && is_number(name)) {
        return Ok(text.to_owned());
    }
    let name = text.strip_prefix("/dev/tty").unwrap_or_default();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(got("expected a serial port like \"/dev/ttyS1\"", text));
    }
    if name == "S0" || is_number(name) {
        return Err(got("expected a port that is no console", text));
    }
    Ok(text.to_owned())
}

fn failover(at: Checker<'_>, raw: &RawFailover) -> Result<Failover, SiteError> {
    let by_hand = at.optional("failover.give_back", raw.give_back.as_ref(), by_hand)?;
    Ok(Failover {
        give_back_by_hand: by_hand.unwrap_or_default(),
        witness: at.optional("failover.witness", raw.witness.as_ref(), value)?,
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

    /// One text, or a list of at most [`limits::LIST_MAX`] of them.
    fn list<T>(
        self,
        field: &str,
        raw: &RawList,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SiteError> {
        let items = match raw.get_ref() {
            toml::Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        if items.is_empty() || items.len() > limits::LIST_MAX {
            let problem =
                format!("expected 1 to {} of them, got {}", limits::LIST_MAX, items.len());
            return Err(self.error(field, raw, problem));
        }
        let parse_one = |item: &toml::Value| {
            let text = item.as_str().ok_or("expected a text in quotes, or a list of such")?;
            parse(text)
        };
        let parsed: Result<Vec<T>, String> = items.iter().map(parse_one).collect();
        parsed.map_err(|problem| self.error(field, raw, problem))
    }

    fn optional_list<T>(
        self,
        field: &str,
        raw: &Option<RawList>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SiteError> {
        raw.as_ref().map_or(Ok(Vec::new()), |raw| self.list(field, raw, parse))
    }

    fn bounded(
        self,
        field: &str,
        raw: &Option<Spanned<i64>>,
        range: std::ops::RangeInclusive<u16>,
    ) -> Result<Option<u16>, SiteError> {
        let Some(raw) = raw else { return Ok(None) };
        match u16::try_from(*raw.get_ref()).ok().filter(|value| range.contains(value)) {
            Some(value) => Ok(Some(value)),
            None => {
                let (low, high, value) = (range.start(), range.end(), raw.get_ref());
                Err(self.error(field, raw, format!("expected {low} to {high}, got {value}")))
            }
        }
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
const SERIAL: &str = "serial.device";
/// As an address of the LAN: IPv4 by DHCP.
pub(super) const DHCP: &str = "dhcp";
/// Likewise: IPv6 by router advertisements.
pub(super) const SLAAC: &str = "slaac";

/// A text, or a list of texts; which of the two is looked at with the place at hand.
type RawList = Spanned<toml::Value>;

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
    serial: Option<RawSerial>,
    #[serde(default)]
    time: RawTime,
    #[serde(default)]
    timing: RawTiming,
    #[serde(default)]
    failover: RawFailover,
}

impl RawSite {
    /// Where a field's value starts.
    fn place_of(&self, field: &str) -> Option<usize> {
        let start = |list: &RawList| list.span().start;
        match field {
            "lan.address" => Some(start(&self.lan.address)),
            "lan.gateway" => self.lan.gateway.as_ref().map(start),
            // A missing peer is missing beside the address.
            "lan.peer" => self.lan.peer.as_ref().or(Some(&self.lan.address)).map(start),
            "lan.mtu" => self.lan.mtu.as_ref().map(|raw| raw.span().start),
            "service.a" => Some(start(&self.service.a)),
            "service.b" => Some(start(&self.service.b)),
            "crossover.mac" => self.crossover.mac.as_ref().map(|raw| raw.span().start),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLan {
    mac: Option<Spanned<String>>,
    address: RawList,
    gateway: Option<RawList>,
    peer: Option<RawList>,
    vlan: Option<Spanned<i64>>,
    mtu: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    a: RawList,
    b: RawList,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSerial {
    device: Spanned<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawTime {
    servers: Option<RawList>,
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
