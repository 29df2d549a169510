//! Ports made of software, for tests: what the kernel sends by one is read from a file, and what is
//! written there has arrived at it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::libc::{self, c_int};

use crate::{Error, Result};

/// A port of the network that the thread was in which made it. It goes when its last file is closed.
#[derive(Debug)]
pub struct Tap {
    file: File,
}

impl Tap {
    /// Makes a port of this name, of at most 15 bytes; it has a hardware address drawn at random.
    ///
    /// # Errors
    /// [`Error::is_forbidden`] without CAP_NET_ADMIN, [`Error::is_absent`] where the kernel has no
    /// `/dev/net/tun`.
    pub fn make(name: &str) -> Result<Tap> {
        let what = || format!("make the port {name}");
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .map_err(|error| Error::kernel(what(), error))?;
        let mut wish = libc::ifreq {
            ifr_name: [0; libc::IFNAMSIZ],
            ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: calls::TAP_WITHOUT_HEADER },
        };
        if name.is_empty() || name.len() >= libc::IFNAMSIZ {
            return Err(Error::Unexpected {
                what: what(),
                expected: "a name of 1 to 15 bytes",
                got: format!("{} bytes", name.len()),
            });
        }
        for (to, from) in wish.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: the ioctl reads and writes one ifreq, which `wish` is; the file is open.
        unsafe { calls::set_interface(file.as_raw_fd(), &raw const wish) }
            .map_err(|error| Error::kernel(what(), error))?;
        Ok(Tap { file })
    }

    /// Puts the cable's plug in or pulls it out, as far as the kernel sees.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_carrier(&self, on: bool) -> Result<()> {
        let on = c_int::from(on);
        // SAFETY: the ioctl reads one int, which `on` is; the file is open.
        unsafe { calls::set_carrier(self.file.as_raw_fd(), &raw const on) }
            .map(drop)
            .map_err(|error| Error::kernel("set the carrier of a port", error))
    }

    /// A file to move frames by: each read gives one, each write takes one, none waits.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn frames(&self) -> Result<OwnedFd> {
        self.file
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| Error::kernel("a second file of a port", error))
    }
}

/// `linux/if_tun.h`
mod calls {
    use super::{c_int, libc};

    /// `IFF_TAP | IFF_NO_PI`: whole Ethernet frames and nothing before them.
    pub const TAP_WITHOUT_HEADER: libc::c_short = 0x0002 | 0x1000;

    // Their numbers say "an int", and the first takes an ifreq.
    nix::ioctl_write_ptr_bad!(set_interface, nix::request_code_write!(b'T', 202, 4), libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_carrier, nix::request_code_write!(b'T', 226, 4), c_int);
}
