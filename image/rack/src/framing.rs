//! Frames on a QEMU stream socket: a 4-byte big-endian length, then the Ethernet frame.

use std::rc::Rc;

use crate::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MIN};

/// One Ethernet frame, without its check sum. Shared, because a switch floods.
pub type Frame = Rc<[u8]>;

/// Collects bytes from a socket and gives back whole frames.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    taken: usize,
}

/// The sender announced a length that no frame can have, so its stream cannot be followed further.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a frame of {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX} bytes, got a length of {0}")]
pub struct BadLength(pub usize);

impl Decoder {
    /// Adds bytes as they came from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadLength> {
        let rest = &self.buffer[self.taken..];
        let Some((prefix, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        if !(FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&length) {
            return Err(BadLength(length));
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let frame = Frame::from(frame);
        self.taken += 4 + length;
        Ok(Some(frame))
    }
}

/// Appends one frame in its wire form.
pub fn encode(frame: &[u8], out: &mut Vec<u8>) {
    debug_assert!(frame.len() <= FRAME_BYTES_MAX, "longer frames never enter the rack");
    out.extend_from_slice(&(frame.len() as u32).to_be_bytes());
    out.extend_from_slice(frame);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut_of_the_stream() {
        let frames: Vec<Vec<u8>> = vec![vec![1; 14], vec![2; 60], vec![3; 1514]];
        let mut stream = Vec::new();
        frames.iter().for_each(|frame| encode(frame, &mut stream));
        for step in [1, 2, 3, 5, 17, 600, stream.len()] {
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for piece in stream.chunks(step) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame.to_vec());
                }
            }
            assert_eq!(got, frames, "cut every {step} bytes");
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for length in [0_u32, 13, FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
            let mut decoder = Decoder::default();
            decoder.push(&length.to_be_bytes());
            assert_eq!(decoder.next_frame(), Err(BadLength(length as usize)));
        }
    }
}
