//! When PID 1 itself is broken: say so, let the peer have the addresses, restart the box.
//!
//! A PID 1 that ends takes the kernel with it; one that panics has lost an invariant and must not
//! go on. The panic hook therefore never returns. The hardware watchdog is not fed here: if even
//! this hangs, it restarts the box.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, TryLockError};
use std::time::Duration;

use linux::net::{Address, Netlink};
use linux::power::{self, End};
use linux::signals::{self, Signal};

use crate::limits::EMERGENCY_WAIT;

/// What to take off which port. Set once the network is up.
static SERVICE_ADDRESSES: Mutex<Option<(u32, Vec<Address>)>> = Mutex::new(None);

/// Installs the panic hook.
pub fn prepare() {
    std::panic::set_hook(Box::new(|information| {
        say(&format!("twinpost: init is broken: {information}"));
        if std::thread::current().name() != Some("main") {
            // Only the console's writer: the box does without. Returning would end PID 1.
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        restart()
    }));
}

/// Tells where the service addresses can be found, should the worst come.
pub fn remember_service_addresses(port: u32, addresses: Vec<Address>) {
    if let Ok(mut place) = SERVICE_ADDRESSES.lock() {
        *place = Some((port, addresses));
    }
}

fn restart() -> ! {
    // Maild gives the addresses up by itself; if it does not, or takes them back, they go anyway.
    let _ = signals::send_to_all(Signal::Terminate);
    drop_service_addresses();
    say("twinpost: the box restarts in a moment");
    std::thread::sleep(EMERGENCY_WAIT);
    let _ = signals::send_to_all(Signal::Kill);
    drop_service_addresses();
    linux::mounts::sync_all();
    loop {
        let _ = power::end(End::Reboot);
        std::thread::sleep(EMERGENCY_WAIT);
    }
}

fn drop_service_addresses() {
    // The panic may have come while it was locked.
    let known = match SERVICE_ADDRESSES.try_lock() {
        Ok(known) => known.clone(),
        Err(TryLockError::Poisoned(known)) => known.into_inner().clone(),
        Err(TryLockError::WouldBlock) => None,
    };
    let Some((port, addresses)) = known else { return };
    let Ok(mut netlink) = Netlink::open() else { return };
    for address in addresses {
        let _ = netlink.remove_address(port, address);
    }
}

fn say(text: &str) {
    for path in ["/dev/kmsg", "/dev/console"] {
        if let Ok(mut place) = OpenOptions::new().write(true).open(path) {
            let _ = place.write_all(format!("{text}\n").as_bytes());
        }
    }
}
