//! The site file, seen from the workstation: written for a pair, checked, put into an image.
//!
//! The box checks every value again when it starts (`control::site`); what is caught here is what
//! can be said to someone who still sits before a keyboard.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{disk, manifest::Manifest};

/// What `twinpost site` takes.
#[derive(Debug, clap::Args)]
pub struct SiteArgs {
    /// An image, made by `twinpost build`; it is changed in place
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The site file of the box that will run it
    #[arg(long, value_name = "SITE.toml")]
    site: PathBuf,
}

/// `twinpost site`: one image, two copies, a site file in each.
pub fn run(args: &SiteArgs) -> Result<()> {
    let site = SiteFile::read(&args.site)?;
    put(&args.image, &site)?;
    println!("{} is now side {} ({})", args.image.display(), site.site.side, site.site.hostname);
    Ok(())
}

/// Puts a site file into the ESP of an image, replacing the one that is there.
pub fn put(image: &Path, site: &SiteFile) -> Result<()> {
    let extents = disk::extents(image)?;
    let esp = disk::find(&extents, disk::ESP_NAME)?;
    let manifest = Manifest::from_json(&disk::read_from_esp(image, &esp, disk::MANIFEST_FILE)?)?;
    let mut staged = tempfile::NamedTempFile::new()?;
    std::io::Write::write_all(&mut staged, site.text.as_bytes())?;
    disk::put_in_esp(image, &esp, disk::SITE_FILE, staged.path(), manifest.build_time)
}

/// A site file that has been looked at: its text, byte for byte, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    pub text: String,
    pub site: Site,
}

/// What a site file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// `a` or `b`.
    pub side: String,
    pub hostname: String,
    /// The mail domain that is created at the first start.
    pub domain: String,
    /// The same on both boxes.
    pub pair_token: String,
    /// This box may serve alone from a blank disk: exactly one of the two.
    #[serde(default)]
    pub first: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_password: Option<String>,
    pub lan: Lan,
    pub service: Service,
    #[serde(default, skip_serializing_if = "Crossover::is_default")]
    pub crossover: Crossover,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Serial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    #[serde(default, skip_serializing_if = "Timing::is_default")]
    pub timing: Timing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
}

/// The port that clients come in by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lan {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// With its prefix length, or "dhcp" (IPv4), or "slaac" (IPv6); of each family one.
    pub address: Many<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Many<IpAddr>>,
    /// May be left out where an own address comes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Many<IpAddr>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected one value in quotes, or a list of them")]
pub enum Many<T> {
    One(T),
    List(Vec<T>),
}

impl<T> Many<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Many::One(one) => std::slice::from_ref(one),
            Many::List(list) => list,
        }
    }
}

impl<T> From<T> for Many<T> {
    fn from(one: T) -> Many<T> {
        Many::One(one)
    }
}

/// The two addresses that clients use, with their prefix lengths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub a: Many<String>,
    pub b: Many<String>,
}

/// The port with the cable to the peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossover {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// A second serial port with a null-modem cable to the peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    pub device: String,
}

/// Where the time comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    pub servers: Many<IpAddr>,
}

/// How patient a box is; what is left out is the box's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_after_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start_wait_ms: Option<u64>,
}

/// What is decided by hand, and who may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_back: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
}

impl SiteFile {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<SiteFile> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        SiteFile::parse(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    /// Checks a text.
    pub fn parse(text: &str) -> Result<SiteFile> {
        let site: Site = toml::from_str(text)?;
        site.check()?;
        Ok(SiteFile { text: text.to_owned(), site })
    }
}

impl Site {
    /// The file that says this.
    pub fn to_file(&self) -> Result<SiteFile> {
        SiteFile::parse(&toml::to_string(self)?)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            matches!(self.side.as_str(), "a" | "b"),
            "side is \"a\" or \"b\", not {:?}",
            self.side
        );
        for (field, addresses) in [
            ("lan.address", &self.lan.address),
            ("service.a", &self.service.a),
            ("service.b", &self.service.b),
        ] {
            let addresses = addresses.as_slice();
            ensure!(!addresses.is_empty(), "{field} is empty");
            for address in addresses {
                if field == "lan.address" && matches!(address.as_str(), "dhcp" | "slaac") {
                    continue;
                }
                check_network(address).with_context(|| format!("{field} is {address:?}"))?;
            }
        }
        let b = self.service.b.as_slice();
        let same = self.service.a.as_slice().iter().find(|address| b.contains(address));
        ensure!(same.is_none(), "{} is in service.a and service.b", same.map_or("", |one| one));
        if let Some(vlan) = self.lan.vlan {
            ensure!((1..=4094).contains(&vlan), "lan.vlan is {vlan}, not from 1 to 4094");
        }
        let by_itself = ["dhcp", "slaac"].map(str::to_owned);
        let found = self.lan.address.as_slice().iter().any(|address| by_itself.contains(address));
        ensure!(found || self.lan.peer.is_some(), "lan.peer is missing");
        Ok(())
    }
}

/// An address with the length of its network's prefix: `10.77.0.11/24`.
fn check_network(text: &str) -> Result<()> {
    let (address, length) = text.split_once('/').context("expected an address like 10.0.0.5/24")?;
    let address: IpAddr = address.parse().context("expected an address like 10.0.0.5/24")?;
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    let length: u8 = length.parse().context("the prefix length is no number")?;
    ensure!((1..=longest).contains(&length), "the prefix length is not from 1 to {longest}");
    Ok(())
}

impl Crossover {
    fn is_default(&self) -> bool {
        *self == Crossover::default()
    }
}

impl Timing {
    fn is_default(&self) -> bool {
        *self == Timing::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"side = "a"
hostname = "mail-a.example.test"
domain = "example.test"
pair_token = "a long enough token for a pair"
first = true

[lan]
address = "10.77.0.11/24"
peer = "10.77.0.12"

[service]
a = "10.77.0.1/24"
b = "10.77.0.2/24"
"#;

    #[test]
    fn a_file_reads_and_is_written_the_same() {
        let file = SiteFile::parse(EXAMPLE).unwrap();
        assert_eq!(file.text, EXAMPLE);
        assert_eq!(file.site.to_file().unwrap().text, EXAMPLE);
    }

    /// The box's own test reads the same file.
    #[test]
    fn every_key_that_a_box_knows_is_known_here() {
        let full = include_str!("../../daemon/control/tests/full-site.toml");
        let file = SiteFile::parse(full).unwrap();
        assert_eq!(SiteFile::parse(&file.site.to_file().unwrap().text).unwrap().site, file.site);
    }

    #[test]
    fn lists_and_addresses_that_come_by_themselves() {
        let text = EXAMPLE
            .replace("peer = \"10.77.0.12\"\n", "vlan = 12\nmtu = 1500\n")
            .replace("\"10.77.0.11/24\"", "[\"dhcp\", \"slaac\"]")
            .replace("\"10.77.0.1/24\"", "[\"10.77.0.1/24\", \"fd00::1/64\"]")
            + "\n[serial]\ndevice = \"/dev/ttyS1\"\n\n[time]\nservers = [\"10.77.0.254\"]\n";
        let file = SiteFile::parse(&text).unwrap();
        assert_eq!(file.site.to_file().unwrap().text, text);
    }

    #[test]
    fn mistakes_are_caught() {
        for (from, to) in [
            ("side = \"a\"", "side = \"c\""),
            ("10.77.0.11/24", "10.77.0.11"),
            ("10.77.0.11/24", "10.77.0.11/33"),
            ("10.77.0.2/24", "10.77.0.1/24"),
            ("first", "frist"),
            ("domain = \"example.test\"\n", ""),
            ("peer = \"10.77.0.12\"\n", ""),
            ("peer = \"10.77.0.12\"\n", "peer = \"10.77.0.12\"\nvlan = 0\n"),
            ("\"10.77.0.11/24\"", "[]"),
            ("\"10.77.0.11/24\"", "[\"10.77.0.11/24\", \"fd00::11\"]"),
            ("\"10.77.0.2/24\"", "[\"fd00::2/64\", \"10.77.0.1/24\"]"),
        ] {
            assert!(SiteFile::parse(&EXAMPLE.replace(from, to)).is_err(), "{to}");
        }
    }
}
