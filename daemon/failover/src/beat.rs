//! The heartbeat: its fields, its bytes, its seal.
//!
//! A sealed heartbeat is `version (1 byte) | postcard fields | first 16 bytes of HMAC-SHA256`. The path
//! is among the fields, so a heartbeat recorded on one cable is nothing on another. What makes it
//! safe against replay is in [`crate::peer`]: sequences only grow, and boot ids do not come back.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::limits::{BEAT_BYTES_MAX, TROUBLE_BYTES_MAX};
use crate::{Holds, Path, ReplicaState, Side, Standing};

/// One heartbeat on one path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Beat {
    pub path: Path,
    pub side: Side,
    /// Random, drawn at each start of the sender's program.
    pub boot: u64,
    /// Grows with each heartbeat of a boot; the same on all paths.
    pub sequence: u64,
    /// The sender's monotonic clock, ms since its start.
    pub sent_ms: u64,
    /// For the round trip time of this path.
    pub echo: Option<Echo>,
    pub facts: Facts,
}

/// The last heartbeat that the sender had heard on this path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Echo {
    /// Its `sent_ms`.
    pub sent_ms: u64,
    /// How long ago it was heard, ms.
    pub held_ms: u64,
}

/// What a box says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The boot id of the other box that it hears now.
    pub hears: Option<u64>,
    pub hears_on: PathSet,
    pub standing: Standing,
    pub replica: ReplicaState,
    pub healthy: bool,
    /// Why not, in a few words; empty when healthy.
    pub trouble: String,
    /// Clients can reach it, as far as it knows: it says no at once, and yes once that has settled.
    pub reachable: bool,
    /// It wants to serve; false after a handover.
    pub willing: bool,
    pub holds: Holds,
    pub claim: Option<ClaimTold>,
    /// The number of the other box's claim that it consents to.
    pub yields: Option<u64>,
    /// It stops in order.
    pub goodbye: bool,
    /// Where side a wants the link of the boxes: on the LAN, not on the crossover.
    pub link_over_lan: bool,
    pub listener: Option<Listener>,
}

/// A box asks for the other's consent to go on alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClaimTold {
    /// Never the same twice in one boot.
    pub number: u64,
    /// Fixed when the claim is made. Of two claims the higher one stands.
    pub rank: u8,
}

/// Where a box listens for the replication link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listener {
    /// The link-local IPv6 address of its crossover port.
    pub link_local: [u8; 16],
    pub port: u16,
}

/// The paths on which something is heard.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct PathSet {
    pub crossover: bool,
    pub lan: bool,
    pub serial: bool,
}

impl PathSet {
    #[must_use]
    pub fn has(self, path: Path) -> bool {
        match path {
            Path::Crossover => self.crossover,
            Path::Lan => self.lan,
            Path::Serial => self.serial,
        }
    }
}

/// The pair's secret for heartbeats.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Why bytes are no heartbeat. Nothing is decided by them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("{got} bytes are no heartbeat: expected {} to {BEAT_BYTES_MAX}", TAG_BYTES + 2)]
    Length { got: usize },
    #[error("heartbeat of version {got}: expected {VERSION}")]
    Version { got: u8 },
    #[error("the seal does not fit: another pair's heartbeat, or an altered one")]
    Seal,
    #[error("sealed by this pair, but not readable: {0}")]
    Fields(String),
}

impl Key {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(bytes);
        mac
    }
}

impl Beat {
    /// The bytes to send.
    #[must_use]
    pub fn seal(&self, key: &Key) -> Vec<u8> {
        let bytes = postcard::to_extend(self, vec![VERSION]);
        let mut bytes = bytes.expect("a heartbeat has no field that postcard refuses");
        let tag = key.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        bytes
    }

    /// Reads what came from a cable. Trailing zeros of a padded Ethernet frame are the caller's to cut.
    pub fn open(bytes: &[u8], key: &Key) -> Result<Beat, Error> {
        if bytes.len() < TAG_BYTES + 2 || bytes.len() > BEAT_BYTES_MAX {
            return Err(Error::Length { got: bytes.len() });
        }
        let (sealed, tag) = bytes.split_at(bytes.len() - TAG_BYTES);
        key.mac(sealed).verify_truncated_left(tag).map_err(|_| Error::Seal)?;
        if sealed[0] != VERSION {
            return Err(Error::Version { got: sealed[0] });
        }
        let (beat, rest) = postcard::take_from_bytes::<Beat>(&sealed[1..])
            .map_err(|error| Error::Fields(error.to_string()))?;
        // A newer release may append fields; it must not change these.
        let _ = rest;
        Ok(beat)
    }
}

/// At most [`TROUBLE_BYTES_MAX`] bytes of `text`, cut at a character.
#[must_use]
pub(crate) fn shorten(text: &str) -> String {
    let mut end = text.len().min(TROUBLE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_string()
}

/// The first byte of a heartbeat. A change of fields other than appending is a new version.
const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Beat {
        Beat {
            path: Path::Lan,
            side: Side::B,
            boot: 0x0123_4567_89ab_cdef,
            sequence: 7,
            sent_ms: 350,
            echo: Some(Echo { sent_ms: 300, held_ms: 12 }),
            facts: Facts {
                hears: Some(5),
                hears_on: PathSet { crossover: true, lan: true, serial: false },
                standing: Standing::Both,
                replica: ReplicaState::Both,
                healthy: true,
                trouble: String::new(),
                reachable: true,
                willing: true,
                holds: Holds { a: false, b: true },
                claim: None,
                yields: None,
                goodbye: false,
                link_over_lan: false,
                listener: Some(Listener { link_local: [0xfe; 16], port: 7400 }),
            },
        }
    }

    #[test]
    fn golden_bytes_of_version_1() {
        let bytes = sample().seal(&Key::new([9; 32]));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(Beat::open(&bytes, &Key::new([9; 32])), Ok(sample()));
    }

    #[test]
    fn every_altered_byte_and_every_cut_is_refused() {
        let key = Key::new([9; 32]);
        let bytes = sample().seal(&key);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(Beat::open(&altered, &key), Err(Error::Seal), "byte {at}");
            assert!(Beat::open(&bytes[..at], &key).is_err(), "cut at {at}");
        }
        assert_eq!(Beat::open(&bytes, &Key::new([8; 32])), Err(Error::Seal));
        assert_eq!(Beat::open(&[0; 300], &key), Err(Error::Length { got: 300 }));
    }

    #[test]
    fn the_largest_heartbeat_fits() {
        let mut beat = sample();
        beat.boot = u64::MAX;
        beat.sequence = u64::MAX;
        beat.sent_ms = u64::MAX;
        beat.echo = Some(Echo { sent_ms: u64::MAX, held_ms: u64::MAX });
        beat.facts.hears = Some(u64::MAX);
        beat.facts.trouble = shorten(&"ä".repeat(200));
        beat.facts.claim = Some(ClaimTold { number: u64::MAX, rank: 255 });
        beat.facts.yields = Some(u64::MAX);
        let bytes = beat.seal(&Key::new([1; 32]));
        assert!(bytes.len() <= BEAT_BYTES_MAX, "{}", bytes.len());
        assert_eq!(Beat::open(&bytes, &Key::new([1; 32])), Ok(beat));
    }

    const GOLDEN: &str = "010101ef9bafcdf8acd1910107de0201ac020c01050101000103010001010001\
                          0000000001fefefefefefefefefefefefefefefefee83955b5ad246bce4a9c1c\
                          e5244f8901b7e7";
}
