//! The power button, where the board shows it as an input device.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

use crate::limits::INPUT_DEVICES_MAX;

/// One input device. Only presses of a power key are taken from it.
#[derive(Debug)]
pub struct Keys {
    device: File,
}

impl Keys {
    /// All input devices of the box; none where there is no input layer.
    #[must_use]
    pub fn open_all() -> Vec<Keys> {
        let open = |number: usize| {
            OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
                .open(Path::new("/dev/input").join(format!("event{number}")))
                .ok()
        };
        (0..INPUT_DEVICES_MAX).filter_map(open).map(|device| Keys { device }).collect()
    }

    /// Reads what is waiting; true when a power key was pressed. `Err` when the device is gone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn power_pressed(&mut self) -> std::io::Result<bool> {
        let mut pressed = false;
        let mut events = [0; EVENT_BYTES * 16];
        loop {
            match self.device.read(&mut events) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    pressed |= events[..length].chunks_exact(EVENT_BYTES).any(is_power_press);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(pressed),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Keys {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

/// `struct input_event`: a time, then type, code and value.
fn is_power_press(event: &[u8]) -> bool {
    const EV_KEY: u16 = 1;
    const KEY_POWER: u16 = 116;
    const KEY_SLEEP: u16 = 142;
    const PRESSED: i32 = 1;
    let [.., k0, k1, c0, c1, v0, v1, v2, v3] = *event else { return false };
    let code = u16::from_ne_bytes([c0, c1]);
    u16::from_ne_bytes([k0, k1]) == EV_KEY
        && (code == KEY_POWER || code == KEY_SLEEP)
        && i32::from_ne_bytes([v0, v1, v2, v3]) == PRESSED
}

const EVENT_BYTES: usize = size_of::<libc::input_event>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pressed_power_key_counts() {
        let event = |kind: u16, code: u16, value: i32| {
            let mut bytes = vec![0x55; EVENT_BYTES - 8];
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(code.to_ne_bytes());
            bytes.extend(value.to_ne_bytes());
            is_power_press(&bytes)
        };
        assert!(event(1, 116, 1));
        assert!(!event(1, 116, 0), "released");
        assert!(!event(1, 30, 1), "another key");
        assert!(!event(0, 116, 1), "no key at all");
        assert!(!is_power_press(&[]));
    }
}
