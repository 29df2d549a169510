//! Frames on a serial line: a null-modem cable to the peer.
//!
//! A frame is COBS-coded (Cheshire and Baker 1999) between two zero bytes, so whoever starts
//! listening half way, or loses a byte, is right again at the next one. There is no checksum: what
//! is sent here carries a seal of its own, and a bent frame does not fit it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::limits::SERIAL_FRAME_BYTES_MAX;
use crate::{Error, Result, terminal};

/// One port. Sending never waits: what the line cannot take now is dropped, because at 115 200 baud
/// a queue is only a way to be late.
#[derive(Debug)]
pub struct SerialPort {
    port: AsyncFd<File>,
    /// The rest of a frame that the line has begun: it is finished before another starts.
    rest: Mutex<Vec<u8>>,
    reader: tokio::sync::Mutex<Reader>,
}

impl SerialPort {
    /// # Errors
    /// What the kernel says. Must be called inside a tokio runtime.
    pub fn open(path: &Path) -> Result<SerialPort> {
        let port = terminal::open_raw(path)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: the descriptor stays the same and open as long as the `AsyncFd` owns it.
        let port = unsafe { AsyncFd::register_with_interest(port, interest) }
            .map_err(|error| failed(error.into()))?;
        Ok(SerialPort { port, rest: Mutex::default(), reader: Default::default() })
    }

    /// Sends one frame now or not at all: false when the line is still busy with an earlier one.
    ///
    /// # Errors
    /// What the kernel says; a longer frame than [`SERIAL_FRAME_BYTES_MAX`] is refused.
    pub fn try_send(&self, frame: &[u8]) -> Result<bool> {
        if frame.len() > SERIAL_FRAME_BYTES_MAX {
            return Err(failed(ErrorKind::InvalidInput.into()));
        }
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        self.push(&mut rest)?;
        if !rest.is_empty() {
            return Ok(false);
        }
        *rest = encode(frame);
        self.push(&mut rest)?;
        Ok(true)
    }

    fn push(&self, rest: &mut Vec<u8>) -> Result<()> {
        while !rest.is_empty() {
            match self.port.get_ref().write(rest) {
                Ok(0) => return Ok(()),
                Ok(written) => drop(rest.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// Waits for the next whole frame. Noise is passed over.
    ///
    /// # Errors
    /// What the kernel says, or that the other end of a pseudo-terminal is gone.
    pub async fn receive(&self) -> Result<Vec<u8>> {
        let mut reader = self.reader.lock().await;
        loop {
            if let Some(frame) = reader.next() {
                return Ok(frame);
            }
            let mut ready = self.port.readable().await.map_err(failed)?;
            let mut bytes = [0; 512];
            match ready.try_io(|port| port.get_ref().read(&mut bytes)) {
                Err(_not_ready) => {}
                Ok(Ok(0)) => return Err(failed(ErrorKind::UnexpectedEof.into())),
                Ok(Ok(length)) => reader.waiting.extend(&bytes[..length]),
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(failed(error)),
            }
        }
    }
}

impl AsFd for SerialPort {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.port.as_fd()
    }
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
struct Reader {
    /// Read, and not looked at.
    waiting: std::collections::VecDeque<u8>,
    /// The frame that is coming in, still coded.
    frame: Vec<u8>,
    /// It is too long to be one: everything up to the next zero is noise.
    too_long: bool,
}

impl Reader {
    fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(byte) = self.waiting.pop_front() {
            if byte != 0 {
                self.too_long |= self.frame.len() >= coded_bytes_max();
                if !self.too_long {
                    self.frame.push(byte);
                }
                continue;
            }
            let whole = !std::mem::take(&mut self.too_long);
            let coded = std::mem::take(&mut self.frame);
            if let Some(frame) = decode(&coded).filter(|frame| whole && !frame.is_empty()) {
                return Some(frame);
            }
        }
        None
    }
}

/// A frame with a zero on both sides: the first ends whatever noise lies before it.
fn encode(frame: &[u8]) -> Vec<u8> {
    let mut coded = vec![0];
    for block in frame.split(|&byte| byte == 0) {
        // A zero is said by the length of the block before it; a full block of 254 says none.
        block.chunks(254).for_each(|piece| push_block(&mut coded, piece));
        if block.len().is_multiple_of(254) {
            push_block(&mut coded, &[]);
        }
    }
    coded.push(0);
    coded
}

/// At most 254 bytes.
fn push_block(coded: &mut Vec<u8>, block: &[u8]) {
    coded.push(block.len() as u8 + 1);
    coded.extend(block);
}

fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(coded.len());
    let mut rest = coded;
    while let Some((&code, behind)) = rest.split_first() {
        let length = usize::from(code).checked_sub(1)?;
        frame.extend(behind.get(..length)?);
        rest = &behind[length..];
        if code != 0xff && !rest.is_empty() {
            frame.push(0);
        }
    }
    Some(frame)
}

fn coded_bytes_max() -> usize {
    SERIAL_FRAME_BYTES_MAX + SERIAL_FRAME_BYTES_MAX / 254 + 2
}

fn failed(error: std::io::Error) -> Error {
    Error::kernel("the serial line", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut reader = Reader::default();
        reader.waiting.extend(bytes);
        std::iter::from_fn(|| reader.next()).collect()
    }

    #[test]
    fn known_codes() {
        // The examples of the paper, and the ends of its blocks.
        assert_eq!(encode(&[0]), [0, 1, 1, 0]);
        assert_eq!(encode(&[0, 0]), [0, 1, 1, 1, 0]);
        assert_eq!(encode(&[0x11, 0x22, 0, 0x33]), [0, 3, 0x11, 0x22, 2, 0x33, 0]);
        for length in [1, 2, 253, 254, 255, 300, 508, 509] {
            for zero_at in [None, Some(0), Some(length / 2), Some(length - 1)] {
                let mut frame: Vec<u8> = (0..length).map(|n| (n % 255) as u8 + 1).collect();
                if let Some(at) = zero_at {
                    frame[at] = 0;
                }
                let coded = encode(&frame);
                assert!(!coded[1..coded.len() - 1].contains(&0));
                assert_eq!(frames_of(&coded), [frame], "{length} {zero_at:?}");
            }
        }
    }

    #[test]
    fn noise_costs_one_frame_at_most() {
        let (one, two) = (encode(b"one"), encode(b"two"));
        let half = [&one[2..], &two[..]].concat();
        assert_eq!(frames_of(&half).last().unwrap(), b"two");
        let noise = [&[0x80; 5000][..], &one, &[7, 1], &two].concat();
        assert_eq!(frames_of(&noise), [b"one", b"two"]);
        assert_eq!(frames_of(&[0, 0, 0, 5, 1, 0]), [] as [Vec<u8>; 0], "a block that is cut");
    }

    #[tokio::test]
    async fn frames_cross_a_cable_and_a_full_line_drops() {
        let (mut far, path, _kept) = terminal::open_pair().unwrap();
        let near = SerialPort::open(&path).unwrap();
        assert!(near.try_send(b"beat \0\x03\x11\n").unwrap());
        let mut sent = [0; 12];
        far.read_exact(&mut sent).unwrap();
        assert_eq!(frames_of(&sent), [b"beat \0\x03\x11\n"], "nothing is changed on the way");

        far.write_all(b"login: ").unwrap();
        for part in encode(b"answer").chunks(3) {
            far.write_all(part).unwrap();
        }
        assert_eq!(near.receive().await.unwrap(), b"answer");

        let long = [7; SERIAL_FRAME_BYTES_MAX];
        let taken = (0..1000).take_while(|_| near.try_send(&long).unwrap()).count();
        assert!(taken < 1000, "nobody reads at the other end, and it still does not wait");
        assert!(near.try_send(&[7; SERIAL_FRAME_BYTES_MAX + 1]).is_err());
    }
}
