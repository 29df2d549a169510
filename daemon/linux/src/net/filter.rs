//! Filters for raw sockets: classic BPF programs that the kernel runs on each frame.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;

/// One instruction.
pub(super) type Rule = libc::sock_filter;

/// IPv6 frames with a neighbour solicitation or advertisement right behind the IPv6 header
/// (RFC 4861 §4.3, §4.4).
pub(super) const NEIGHBOURS: [Rule; 7] = [
    rule(LOAD_BYTE, 0, 0, 14 + 6),  // next header
    rule(JUMP_EQUAL, 0, 4, 58),     // ICMPv6
    rule(LOAD_BYTE, 0, 0, 14 + 40), // its type
    rule(JUMP_EQUAL, 1, 0, 135),
    rule(JUMP_EQUAL, 0, 1, 136),
    rule(RETURN, 0, 0, WHOLE),
    rule(RETURN, 0, 0, 0),
];

/// Unfragmented IPv4 frames with UDP for the port of DHCP clients.
pub(super) const DHCP: [Rule; 9] = [
    rule(LOAD_BYTE, 0, 0, 14 + 9), // protocol
    rule(JUMP_EQUAL, 0, 6, 17),
    rule(LOAD_HALF, 0, 0, 14 + 6), // flags and fragment offset
    rule(JUMP_SET, 4, 0, 0x3fff),
    rule(LOAD_HEADER_LENGTH, 0, 0, 14),
    rule(LOAD_HALF_BEHIND, 0, 0, 14 + 2), // the UDP header's destination port
    rule(JUMP_EQUAL, 0, 1, 68),
    rule(RETURN, 0, 0, WHOLE),
    rule(RETURN, 0, 0, 0),
];

/// From now on only frames that pass come in.
pub(super) fn attach(socket: &OwnedFd, rules: &[Rule]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(rules.len()).map_err(io::Error::other)?,
        filter: rules.as_ptr().cast_mut(),
    };
    // SAFETY: the program names `rules`, which the kernel copies before the call returns and does
    // not write to.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

const fn rule(code: u32, then: u8, otherwise: u8, value: u32) -> Rule {
    Rule { code: code as u16, jt: then, jf: otherwise, k: value }
}

const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
const LOAD_HALF_BEHIND: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LOAD_HEADER_LENGTH: u32 = libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH;
const JUMP_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const JUMP_SET: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
const WHOLE: u32 = u32::MAX;
