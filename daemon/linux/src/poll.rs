//! Waiting for several descriptors at once.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::{Error, Result};

/// Waits until one of `descriptors` can be read (or has ended), or until `timeout` has passed.
/// Says for each whether it is ready, in the order given.
///
/// # Errors
/// What the kernel says. An interrupted wait is a wait that ended early.
pub fn readable(descriptors: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    let timeout = match timeout {
        None => PollTimeout::NONE,
        // Rounded up: a wait that ends just before its time would only spin.
        Some(timeout) => {
            let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
            i32::try_from(milliseconds)
                .ok()
                .and_then(|milliseconds| PollTimeout::try_from(milliseconds).ok())
                .unwrap_or(PollTimeout::MAX)
        }
    };
    match nix::poll::poll(&mut polled, timeout) {
        Ok(_) => Ok(polled.iter().map(|fd| fd.any().unwrap_or(true)).collect()),
        Err(Errno::EINTR) => Ok(vec![false; descriptors.len()]),
        Err(error) => Err(Error::kernel("poll", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn says_which_is_ready() {
        let (quiet, _held) = std::io::pipe().unwrap();
        let (loud, mut writer) = std::io::pipe().unwrap();
        let both = [quiet.as_fd(), loud.as_fd()];
        assert_eq!(readable(&both, Some(Duration::ZERO)).unwrap(), [false, false]);
        writer.write_all(b"x").unwrap();
        assert_eq!(readable(&both, None).unwrap(), [false, true]);
        drop(writer);
        assert_eq!(readable(&both, None).unwrap(), [false, true], "an end is readable too");
    }
}
