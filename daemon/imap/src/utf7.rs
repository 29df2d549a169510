//! Modified UTF-7, the encoding of mailbox names (RFC 3501 §5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A name as it goes over the wire.
pub fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let plain = |c: char| matches!(c, ' '..='~');
        let run = rest.find(|c| plain(c) != plain(first)).unwrap_or(rest.len());
        let (now, later) = rest.split_at(run);
        if plain(first) {
            encoded.push_str(&now.replace('&', "&-"));
        } else {
            let units: Vec<u8> = now.encode_utf16().flat_map(u16::to_be_bytes).collect();
            encoded.push('&');
            encoded.push_str(&BASE64.encode(units));
            encoded.push('-');
        }
        rest = later;
    }
    encoded
}

/// A name from the wire. Leniency: a name with bytes above 127 that is UTF-8 is taken as it stands,
/// since some clients send that without asking; whatever is not modified UTF-7 is kept literally.
/// `None` only for bytes that are no UTF-8 at all.
pub fn decode(wire: &[u8]) -> Option<String> {
    let wire = str::from_utf8(wire).ok()?;
    if !wire.is_ascii() {
        return Some(wire.to_owned());
    }
    Some(decode_ascii(wire).unwrap_or_else(|| wire.to_owned()))
}

fn decode_ascii(wire: &str) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (encoded, later) = shifted.split_once('-')?;
        rest = later;
        if encoded.is_empty() {
            name.push('&');
            continue;
        }
        let bytes = BASE64.decode(encoded).ok()?;
        let (units, odd) = bytes.as_chunks::<2>();
        if !odd.is_empty() {
            return None;
        }
        let units: Vec<u16> = units.iter().map(|&unit| u16::from_be_bytes(unit)).collect();
        name.push_str(&String::from_utf16(&units).ok()?);
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("A&B", "A&-B"),
            ("&", "&-"),
            ("😀", "&2D3eAA-"),
            ("a\tb", "a&AAk-b"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_names_are_kept() {
        for name in ["R&D", "&AB-", "&2D0-", "&!!-", "Entwürfe", "a&"] {
            assert_eq!(decode(name.as_bytes()).as_deref(), Some(name));
        }
        assert_eq!(decode(b"\xff"), None);
    }
}
