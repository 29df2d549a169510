//! A box without a disk: its UEFI alone shows power, console, carrier and network ports.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test right there")]

use std::time::{Duration, Instant};

use rack::{Error, Machine, MachineConfig, Nic, Rack, RackConfig, Side};

/// Long enough for any machine; nothing here waits for it to pass.
const LONG: Duration = Duration::from_secs(300);
/// What UEFI says when it has found no disk and asks the network.
const ASKS_NETWORK: &str = "Start PXE over IPv4";

#[test]
fn a_box_starts_talks_and_loses_power_again_and_again() {
    let rack = Rack::start(RackConfig::default()).unwrap();
    let mut machine = match Machine::new(&rack, Side::A, MachineConfig::default()) {
        Err(Error::Missing { what, package }) => {
            eprintln!("skipped: {what} is missing (package {package})");
            return;
        }
        machine => machine.unwrap(),
    };
    assert!(matches!(machine.pause(), Err(Error::Off(Side::A))));
    for _ in 0..2 {
        machine.power_on().unwrap();
        assert!(matches!(machine.power_on(), Err(Error::On(Side::A))));
        machine.console().unwrap().expect(ASKS_NETWORK, LONG).unwrap();
        let before = rack.stats().unwrap().port(Nic::LanA).frames_in;
        wait_until(|| rack.stats().unwrap().port(Nic::LanA).frames_in > before);
        machine.pause().unwrap();
        machine.set_lan_carrier(false).unwrap();
        machine.set_crossover_carrier(false).unwrap();
        machine.resume().unwrap();
        machine.power_cut().unwrap();
        assert!(!machine.is_on());
        wait_until(|| !rack.stats().unwrap().port(Nic::LanA).attached);
    }
    let log = std::fs::read_to_string(machine.console_log()).unwrap();
    assert_eq!(log.matches(ASKS_NETWORK).count(), 2, "the log is of all lives: {log}");
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(10));
    }
}
