//! The seal of everything that this crate sends over a network: `version (1 byte) | postcard fields |
//! first 16 bytes of HMAC-SHA256` with a key that only the pair has.

use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// A secret of the pair, one for each purpose.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Why bytes are not what they should be. Nothing is decided by them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("{got} bytes: expected {} to {longest}", TAG_BYTES + 2)]
    Length { got: usize, longest: usize },
    #[error("version {got}: expected {expected}")]
    Version { got: u8, expected: u8 },
    #[error("the seal does not fit: of another pair, or altered")]
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

pub(crate) fn seal<T: Serialize>(version: u8, fields: &T, key: &Key) -> Vec<u8> {
    let bytes = postcard::to_extend(fields, vec![version]);
    let mut bytes = bytes.expect("no message has a field that postcard refuses");
    let tag = key.mac(&bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag[..TAG_BYTES]);
    bytes
}

/// A newer release may append fields; they are passed over.
pub(crate) fn open<T: DeserializeOwned>(
    version: u8,
    bytes: &[u8],
    longest: usize,
    key: &Key,
) -> Result<T, Error> {
    if bytes.len() < TAG_BYTES + 2 || bytes.len() > longest {
        return Err(Error::Length { got: bytes.len(), longest });
    }
    let (sealed, tag) = bytes.split_at(bytes.len() - TAG_BYTES);
    key.mac(sealed).verify_truncated_left(tag).map_err(|_| Error::Seal)?;
    if sealed[0] != version {
        return Err(Error::Version { got: sealed[0], expected: version });
    }
    let (fields, _) = postcard::take_from_bytes::<T>(&sealed[1..])
        .map_err(|error| Error::Fields(error.to_string()))?;
    Ok(fields)
}

const TAG_BYTES: usize = 16;
