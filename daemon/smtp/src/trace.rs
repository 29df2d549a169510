//! The header fields that a receiving server puts on top of a message (RFC 5321 §4.4).

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use crate::Envelope;
use crate::limits::DOMAIN_BYTES_MAX;

/// `Return-Path:` and `Received:`, folded, each line ended by CRLF; to be put before the message.
///
/// `hostname` is this server, `queue_id` what its log calls the delivery, `unix_s` the moment in
/// seconds since 1970 UTC. Whatever is in these and in the envelope, the result is these two fields
/// and no other. The recipient is named only when it is the only one, so that none learns of
/// another.
pub fn trace_headers(envelope: &Envelope, hostname: &str, queue_id: &str, unix_s: i64) -> Vec<u8> {
    let mut text = String::from("Return-Path: <");
    if let Some(from) = &envelope.from {
        text.push_str(&from.to_string());
    }
    let helo = word(&envelope.helo);
    let client = address_literal(envelope.client_ip);
    let (hostname, queue_id) = (word(hostname), word(queue_id));
    text.push_str(">\r\n");
    text.push_str(&format!("Received: from {helo} ({client})\r\n"));
    text.push_str(&format!("\tby {hostname} with {} id {queue_id}", protocol(envelope)));
    if let [only] = envelope.recipients.as_slice() {
        text.push_str(&format!("\r\n\tfor <{}>", only.address));
    }
    text.push_str(&format!(";\r\n\t{}\r\n", date(unix_s)));
    text.into_bytes()
}

/// The `with` keyword (RFC 3848).
fn protocol(envelope: &Envelope) -> &'static str {
    match (envelope.esmtp, envelope.tls, envelope.authenticated.is_some()) {
        (false, _, _) => "SMTP",
        (true, false, false) => "ESMTP",
        (true, true, false) => "ESMTPS",
        (true, false, true) => "ESMTPA",
        (true, true, true) => "ESMTPSA",
    }
}

/// IPv4 mapped into IPv6, as a dual-stack listener reports it, is written as IPv4.
fn address_literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// A name or id with every byte replaced that could end the line, a comment or the word.
fn word(text: &str) -> String {
    let mut word = String::new();
    for character in text.chars().take(DOMAIN_BYTES_MAX) {
        let plain = character.is_ascii_alphanumeric() || "-._:[]".contains(character);
        word.push(if plain { character } else { '?' });
    }
    if word.is_empty() { "unknown".to_owned() } else { word }
}

/// RFC 5322 §3.3; a moment that no calendar holds becomes the start of 1970.
fn date(unix_s: i64) -> String {
    let moment = Timestamp::from_second(unix_s).unwrap_or(Timestamp::UNIX_EPOCH);
    let in_utc = moment.to_zoned(TimeZone::UTC);
    rfc2822::to_string(&in_utc)
        .or_else(|_| rfc2822::to_string(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)))
        .expect("1970 has a date")
}
