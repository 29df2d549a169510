//! Terminals: the serial console above all.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::termios::{
    ControlFlags, FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices,
    Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr,
};

use crate::{Error, Result};

/// How a terminal treats what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whole lines, shown as they are typed.
    Cooked,
    /// Each key at once, not shown. Output is as in `Cooked`; Ctrl-C and the like are plain keys.
    Keys,
}

/// Opens a terminal without waiting for a carrier and without making it anybody's controlling
/// terminal. Reads and writes block again once it is open.
///
/// # Errors
/// What the kernel says: a serial port that is listed but not there says EIO.
pub fn open(path: &Path) -> Result<File> {
    let what = || format!("open {}", path.display());
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| Error::kernel(what(), error))?;
    set_mode(&terminal, Mode::Cooked)?;
    let flags =
        fcntl(&terminal, FcntlArg::F_GETFL).map_err(|error| Error::kernel(what(), error))?;
    let flags = OFlag::from_bits_truncate(flags) & !OFlag::O_NONBLOCK;
    fcntl(&terminal, FcntlArg::F_SETFL(flags)).map_err(|error| Error::kernel(what(), error))?;
    Ok(terminal)
}

/// Opens a serial port for bytes instead of people: 115 200 baud, 8 data bits, no parity, one stop
/// bit, nothing added, changed or held back. Reads and writes do not block.
///
/// # Errors
/// What the kernel says, see [`open`].
pub fn open_raw(path: &Path) -> Result<File> {
    let failed = |error: nix::Error| Error::kernel(format!("open {}", path.display()), error);
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| Error::kernel(format!("open {}", path.display()), error))?;
    let mut settings = tcgetattr(&port).map_err(failed)?;
    cfmakeraw(&mut settings);
    settings.control_flags |= ControlFlags::CLOCAL | ControlFlags::CREAD;
    let off = ControlFlags::HUPCL | ControlFlags::CRTSCTS | ControlFlags::CSTOPB;
    settings.control_flags &= !off;
    // By its bits: the C library's function for it is versioned and so missing from static programs.
    settings.control_flags.remove(ControlFlags::CBAUD);
    settings.control_flags.insert(ControlFlags::from_bits_retain(libc::B115200));
    tcsetattr(&port, SetArg::TCSANOW, &settings).map_err(failed)?;
    // What lies there is older than this program.
    tcflush(&port, FlushArg::TCIOFLUSH).map_err(failed)?;
    Ok(port)
}

/// A cable without hardware, for tests: one end, the device of the other, and what keeps that there.
///
/// # Errors
/// What the kernel says.
pub fn open_pair() -> Result<(File, PathBuf, OwnedFd)> {
    let failed = |error: nix::Error| Error::kernel("make a pseudo-terminal", error);
    let pair = nix::pty::openpty(None, None).map_err(failed)?;
    let device = nix::unistd::ttyname(&pair.slave).map_err(failed)?;
    Ok((File::from(pair.master), device, pair.slave))
}

/// Sets the mode. In both, the modem lines are ignored (CLOCAL) and flow control is off, so that
/// neither a missing carrier nor a stray Ctrl-S can make a writer hang.
///
/// # Errors
/// When it is no terminal.
pub fn set_mode(terminal: &impl AsFd, mode: Mode) -> Result<()> {
    let mut settings =
        tcgetattr(terminal).map_err(|error| Error::kernel("read terminal settings", error))?;
    apply(&mut settings, mode);
    tcsetattr(terminal, SetArg::TCSANOW, &settings)
        .map_err(|error| Error::kernel("set up the terminal", error))
}

fn apply(settings: &mut Termios, mode: Mode) {
    // The speed is the kernel's choice from its `console=` argument, and stays.
    settings.control_flags |= ControlFlags::CLOCAL | ControlFlags::CREAD;
    settings.control_flags &= !(ControlFlags::HUPCL | ControlFlags::CRTSCTS);
    settings.input_flags = InputFlags::ICRNL | InputFlags::BRKINT;
    settings.output_flags = OutputFlags::OPOST | OutputFlags::ONLCR;
    settings.local_flags = match mode {
        Mode::Keys => LocalFlags::empty(),
        Mode::Cooked => LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN | ECHO_AND_ERASE,
    };
    use SpecialCharacterIndices as Key;
    // VMIN and VTIME stand first: on some machines they share their places with the keys after
    // them.
    let keys = [(Key::VMIN, 1), (Key::VTIME, 0), (Key::VEOF, CONTROL_D), (Key::VERASE, DELETE)];
    let used = if mode == Mode::Keys { &keys[..2] } else { &keys[..] };
    for (key, value) in used {
        settings.control_chars[*key as usize] = *value;
    }
}

const ECHO_AND_ERASE: LocalFlags =
    LocalFlags::ECHO.union(LocalFlags::ECHOE).union(LocalFlags::ECHOK);
const CONTROL_D: u8 = 4;
const DELETE: u8 = 0x7f;

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use std::io::{Read, Write};

    #[test]
    fn keys_come_one_by_one_and_lines_end_with_a_return() {
        let pair = openpty(None, None).unwrap();
        set_mode(&pair.slave, Mode::Keys).unwrap();
        let (mut near, mut far) = (File::from(pair.slave), File::from(pair.master));
        far.write_all(b"s\x03").unwrap();
        let mut keys = [0; 2];
        near.read_exact(&mut keys).unwrap();
        assert_eq!(&keys, b"s\x03", "Ctrl-C is a key like any other");
        near.write_all(b"one\ntwo").unwrap();
        let mut shown = [0; 8];
        far.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"one\r\ntwo", "and no echo of the keys before it");
    }

    #[test]
    fn cooked_gives_lines_and_echo() {
        let pair = openpty(None, None).unwrap();
        set_mode(&pair.slave, Mode::Cooked).unwrap();
        let (mut near, mut far) = (File::from(pair.slave), File::from(pair.master));
        far.write_all(b"ab\x7fc\r").unwrap();
        let mut line = [0; 16];
        let length = near.read(&mut line).unwrap();
        assert_eq!(&line[..length], b"ac\n");
        let mut echo = [0; 2];
        far.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"ab");
    }

    #[test]
    fn a_raw_port_has_its_speed_and_changes_nothing() {
        let (mut far, device, _kept) = open_pair().unwrap();
        let mut near = open_raw(&device).unwrap();
        let settings = tcgetattr(&near).unwrap();
        let speed = settings.control_flags & ControlFlags::CBAUD;
        assert_eq!(speed.bits(), libc::B115200);
        near.write_all(b"\r\n\x03\0").unwrap();
        let mut sent = [0; 4];
        far.read_exact(&mut sent).unwrap();
        assert_eq!(&sent, b"\r\n\x03\0");
    }

    #[test]
    fn what_is_no_terminal_is_an_error() {
        assert!(open(Path::new("/dev/null")).is_err());
        assert!(open(Path::new("/dev/no such terminal")).unwrap_err().is_absent());
    }
}
