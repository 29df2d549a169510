//! `[failover]`: what the owner wants decided by hand, and who may be asked.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use toml::Spanned;

/// How addresses come back, and whom to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// A box that returns takes its own address back only when its owner says so.
    pub give_back_by_hand: bool,
    /// A third host.
    pub witness: Option<Witness>,
}

/// A third host that answers: an echo (no port), or a port of `maild witness` or of any TCP service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    pub address: IpAddr,
    pub port: Option<u16>,
}

impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

impl std::str::FromStr for Witness {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Witness, &'static str> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Witness { address, port: None });
        }
        let socket: SocketAddr = text.parse().map_err(
            |_| "expected an address like 192.0.2.9, 192.0.2.9:7403 or [2001:db8::9]:7403",
        )?;
        Ok(Witness { address: socket.ip(), port: Some(socket.port()) })
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFailover {
    pub give_back: Option<Spanned<String>>,
    pub witness: Option<Spanned<String>>,
}

/// `give_back = "auto"` or `"manual"`.
pub(super) fn by_hand(text: &str) -> Result<bool, String> {
    match text {
        "auto" => Ok(false),
        "manual" => Ok(true),
        _ => Err(format!("expected \"auto\" or \"manual\", got {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;

    const SITE: &str = "side = \"a\"\nhostname = \"mail-a.example.test\"\ndomain = \"example.test\"\n\
                        pair_token = \"correct-horse-battery-staple\"\n\
                        [lan]\naddress = \"10.77.0.11/24\"\npeer = \"10.77.0.12\"\n\
                        [service]\na = \"10.77.0.1/24\"\nb = \"10.77.0.2/24\"\n";

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Site::parse(SITE).unwrap().failover, Failover::default());
        for witness in ["192.0.2.9", "192.0.2.9:7403", "[2001:db8::9]:25", "2001:db8::9"] {
            let text =
                format!("{SITE}[failover]\ngive_back = \"manual\"\nwitness = \"{witness}\"\n");
            let site = Site::parse(&text).unwrap();
            assert!(site.failover.give_back_by_hand);
            assert_eq!(site.failover.witness.unwrap().to_string(), witness);
            assert_eq!(Site::parse(&site.to_toml()), Ok(site));
        }
    }

    #[test]
    fn errors_name_the_field() {
        for (line, field) in [
            ("give_back = \"never\"", "failover.give_back"),
            ("witness = \"witness.example\"", "failover.witness"),
            ("wittness = \"192.0.2.9\"", "failover.wittness"),
        ] {
            let error = Site::parse(&format!("{SITE}[failover]\n{line}\n")).unwrap_err();
            assert_eq!(error.field, field, "{error}");
        }
    }
}
