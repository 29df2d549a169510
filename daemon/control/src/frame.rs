//! Values to bytes and back: a `u32` little-endian length, then that many bytes of postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::MESSAGE_BYTES_MAX;

/// One message as it goes over the socket, length prefix included.
///
/// # Errors
/// [`FrameError::TooLong`] when the message is over [`MESSAGE_BYTES_MAX`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = postcard::to_extend(message, vec![0; PREFIX_BYTES])
        .map_err(|error| FrameError::Unwritable(error.to_string()))?;
    let length = bytes.len() - PREFIX_BYTES;
    if length > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLong { got: length, expected_max: MESSAGE_BYTES_MAX });
    }
    let prefix = u32::try_from(length).expect("a message is far below 4 GiB").to_le_bytes();
    bytes[..PREFIX_BYTES].copy_from_slice(&prefix);
    Ok(bytes)
}

/// Collects bytes as they arrive and gives out whole messages.
///
/// After an error the stream cannot be trusted any more: close it. The decoder then keeps
/// answering with an error.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    failed: Option<FrameError>,
}

impl Decoder {
    #[must_use]
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes what the socket gave. Call [`Decoder::next`] until it has nothing before the next
    /// read: then the buffer never holds more than one message and one read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole message, `None` when more bytes are needed.
    ///
    /// # Errors
    /// A length over the limit, or bytes that are no `T`.
    #[expect(clippy::should_implement_trait, reason = "generic over what is read")]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.take();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = Vec::new();
        }
        result
    }

    fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some((prefix, rest)) = self.buffer.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong { got: length, expected_max: MESSAGE_BYTES_MAX });
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let (message, left) = postcard::take_from_bytes(body)
            .map_err(|error| FrameError::Unreadable(error.to_string()))?;
        if !left.is_empty() {
            return Err(FrameError::Unreadable(format!("{} bytes left over", left.len())));
        }
        self.buffer.drain(..PREFIX_BYTES + length);
        Ok(Some(message))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("message of {got} bytes, expected at most {expected_max}")]
    TooLong { got: usize, expected_max: usize },
    #[error("not a message: {0}")]
    Unreadable(String),
    #[error("message cannot be written: {0}")]
    Unwritable(String),
}

const PREFIX_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Program, ToInit};

    #[test]
    fn messages_arrive_whole_however_the_bytes_are_cut() {
        let sent = [
            ToInit::Hello { program: Program::Maild, version: "1.2.3".into() },
            ToInit::Tick { sequence: 7 },
            ToInit::Rebuilding { percent: 40 },
            ToInit::Reboot,
        ];
        let bytes: Vec<u8> = sent.iter().flat_map(|message| encode(message).unwrap()).collect();
        for size in 1..=bytes.len() {
            let mut decoder = Decoder::new();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.push(piece);
                while let Some(message) = decoder.next::<ToInit>().unwrap() {
                    got.push(message);
                }
            }
            assert_eq!(got, sent, "pieces of {size}");
        }
    }

    #[test]
    fn wire_bytes_are_a_little_endian_length_and_postcard() {
        assert_eq!(encode(&ToInit::Tick { sequence: 5 }).unwrap(), [2, 0, 0, 0, 1, 5]);
    }

    #[test]
    fn the_largest_answers_fit() {
        use crate::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};
        let line = "x".repeat(LOG_LINE_BYTES_MAX);
        let log = crate::message::FromInit::Log { lines: vec![line; LOG_LINES_MAX] };
        assert!(encode(&log).is_ok());
    }

    #[test]
    fn bad_bytes_are_an_error_that_stays() {
        let cases: [(&str, &[u8]); 4] = [
            ("length over the limit", &[0xff, 0xff, 0xff, 0xff]),
            ("unknown variant", &[1, 0, 0, 0, 99]),
            ("bytes left over", &[3, 0, 0, 0, 1, 5, 5]),
            ("empty", &[0, 0, 0, 0]),
        ];
        for (what, bytes) in cases {
            let mut decoder = Decoder::new();
            decoder.push(bytes);
            assert!(decoder.next::<ToInit>().is_err(), "{what}");
            decoder.push(&encode(&ToInit::Reboot).unwrap());
            assert!(decoder.next::<ToInit>().is_err(), "{what}, later");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_not_sent() {
        let message = "x".repeat(MESSAGE_BYTES_MAX + 1);
        assert!(matches!(encode(&message), Err(FrameError::TooLong { .. })));
    }
}
