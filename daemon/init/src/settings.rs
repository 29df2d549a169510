//! The kernel's settings: how it treats the network and its own faults.

use std::fs;
use std::path::Path;

use crate::log::Log;

/// Name below `/proc/sys`, value, and why.
const SETTINGS: [(&str, &str, &str); 9] = [
    ("kernel/printk_devkmsg", "on", "our own lines in the kernel's ring are not thinned out"),
    ("kernel/panic", "5", "a kernel that panics restarts; the peer serves meanwhile"),
    ("kernel/panic_on_oops", "1", "a kernel that has lost its way must not write to the disk"),
    ("net/ipv4/conf/all/arp_ignore", "1", "nobody learns a LAN address on the crossover"),
    ("net/ipv4/conf/all/arp_announce", "2", "questions carry an address of their own port"),
    ("net/ipv4/conf/all/promote_secondaries", "1", "one service address goes, the other stays"),
    ("net/ipv4/conf/default/promote_secondaries", "1", "the same, for this kernel reads either"),
    ("net/ipv6/conf/default/accept_ra", "0", "a server's addresses are the owner's choice"),
    ("net/ipv6/conf/default/accept_dad", "0", "an address is usable at once, not a second later"),
];

/// Applies [`SETTINGS`]; what this kernel does not have is logged. Before the modules: a port takes
/// the defaults over when its driver finds it.
pub fn apply(log: &mut Log) {
    for (name, value, why) in SETTINGS {
        if let Err(error) = linux::host::write_setting(name, value) {
            log.line("init", &format!("{error} ({why})"));
        }
    }
}

/// The firmware's version, "unknown" without one.
#[must_use]
pub fn version(path: &Path) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}
