//! The heartbeat: its fields, its bytes, its seal.
//!
//! It is sealed as [`crate::seal`] says. The path is among the fields, so a heartbeat recorded on one
//! cable is nothing on another. What makes it safe against replay is in [`crate::peer`]: sequences
//! only grow, and boot ids do not come back.

use serde::{Deserialize, Serialize};

use crate::limits::{BEAT_BYTES_MAX, TROUBLE_BYTES_MAX};
use crate::seal;
use crate::{Holds, Path, ReplicaState, Side, Standing};

pub use crate::seal::{Error, Key};

/// One heartbeat on one path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Beat {
    pub path: Path,
    pub side: Side,
    /// Random, drawn at each start of the sender's program.
    pub boot: u64,
    /// Grows with each heartbeat of a boot; the same on all paths.
    pub sequence: u64,
    /// The sender's monotonic clock, µs since its start.
    pub sent_us: u64,
    /// For the round trip time of this path.
    pub echo: Option<Echo>,
    pub facts: Facts,
    /// The sender's wall clock, Unix ms, where it knows it. Only compared, never used.
    pub unix_ms: Option<u64>,
}

/// The last heartbeat that the sender had heard on this path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Echo {
    /// Its `sent_us`.
    pub sent_us: u64,
    /// How long ago it was heard, µs.
    pub held_us: u64,
}

/// What a box says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The boot id of the other box that it hears now.
    pub hears: Option<u64>,
    pub hears_on: PathSet,
    pub standing: Standing,
    pub replica: ReplicaState,
    /// A client is served as it should be.
    pub healthy: bool,
    /// It takes what is replicated to it, healthy or not.
    pub stores: bool,
    /// Why not, in a few words; empty when healthy.
    pub trouble: String,
    /// Clients can reach it, as far as it knows: it says no at once, and yes once that has settled.
    pub reachable: bool,
    /// It wants to serve; false after a handover, in maintenance, and while it waits for its owner's
    /// word to take its address back.
    pub willing: bool,
    pub maintenance: bool,
    pub holds: Holds,
    pub claim: Option<ClaimTold>,
    /// The number of the other box's claim that it consents to.
    pub yields: Option<u64>,
    /// It stops in order.
    pub goodbye: bool,
    /// Where side a wants the link of the boxes: on the LAN, not on the crossover.
    pub link_over_lan: bool,
    pub listener: Option<Listener>,
    /// Its owner said there: the other box is to take its address back.
    pub returns: bool,
    /// Of the paths on which it hears something, those on which little is lost.
    pub clean_on: PathSet,
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

impl Beat {
    /// The bytes to send.
    #[must_use]
    pub fn seal(&self, key: &Key) -> Vec<u8> {
        seal::seal(VERSION, self, key)
    }

    /// Reads what came from a cable. Trailing zeros of a padded Ethernet frame are the caller's to cut.
    ///
    /// # Errors
    /// Why the bytes are no heartbeat of this pair.
    pub fn open(bytes: &[u8], key: &Key) -> Result<Beat, Error> {
        seal::open(VERSION, bytes, BEAT_BYTES_MAX, key)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Beat {
        Beat {
            path: Path::Lan,
            side: Side::B,
            boot: 0x0123_4567_89ab_cdef,
            sequence: 7,
            sent_us: 350_000,
            echo: Some(Echo { sent_us: 300_000, held_us: 12_000 }),
            facts: Facts {
                hears: Some(5),
                hears_on: PathSet { crossover: true, lan: true, serial: false },
                standing: Standing::Both,
                replica: ReplicaState::Both,
                healthy: true,
                stores: true,
                trouble: String::new(),
                reachable: true,
                willing: true,
                maintenance: false,
                holds: Holds { a: false, b: true },
                claim: None,
                yields: None,
                goodbye: false,
                link_over_lan: false,
                listener: Some(Listener { link_local: [0xfe; 16], port: 7400 }),
                returns: false,
                clean_on: PathSet { crossover: true, lan: false, serial: false },
            },
            unix_ms: Some(1_800_000_000_000),
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
        let too_long = Error::Length { got: 300, longest: BEAT_BYTES_MAX };
        assert_eq!(Beat::open(&[0; 300], &key), Err(too_long));
    }

    #[test]
    fn the_largest_heartbeat_fits() {
        let mut beat = sample();
        beat.boot = u64::MAX;
        beat.sequence = u64::MAX;
        beat.sent_us = u64::MAX;
        beat.echo = Some(Echo { sent_us: u64::MAX, held_us: u64::MAX });
        beat.facts.hears = Some(u64::MAX);
        beat.facts.trouble = shorten(&"ä".repeat(200));
        beat.facts.claim = Some(ClaimTold { number: u64::MAX, rank: 255 });
        beat.facts.yields = Some(u64::MAX);
        beat.unix_ms = Some(u64::MAX);
        let bytes = beat.seal(&Key::new([1; 32]));
        assert!(bytes.len() <= BEAT_BYTES_MAX, "{}", bytes.len());
        assert_eq!(Beat::open(&bytes, &Key::new([1; 32])), Ok(beat));
    }

    const GOLDEN: &str = "010101ef9bafcdf8acd1910107b0ae1501e0a712e05d01050101000103010100\
                          01010000010000000001fefefefefefefefefefefefefefefefee83900010000\
                          0180a0f1c2b1341a294e8e4a929da926d04d8ec78f4537";
}
