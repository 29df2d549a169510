//! PID 1 of the box.
//!
//! It mounts, loads modules, finds the disk, brings up both ports, starts maild and the console,
//! and then turns one loop ([`pid1`]) until the box ends: it restarts what ends, feeds the hardware
//! watchdog, keeps the log and shuts down in order. It never exits, never panics silently
//! ([`emergency`]) and never waits for a console ([`log`]). What it decides is in pure state
//! machines ([`supervisor`], [`life`], [`shutdown`]) and tables ([`mounts`], [`command_line`]).
//!
//! It knows nothing about mail, and nothing about views: when maild ends for whatever reason, its
//! first act is to take the service addresses off the LAN port, so that the peer can have them.
//!
//! Start reading at [`start`], then [`pid1`].

mod clock;
mod command_line;
mod emergency;
mod growth;
mod life;
mod limits;
mod log;
mod modules;
mod mounts;
mod network;
mod pid1;
mod programs;
mod settings;
mod shutdown;
mod socket;
mod start;
mod storage;
mod supervisor;
mod watchdog;

fn main() {
    if std::process::id() != 1 {
        eprintln!("init is the first program of a twinpost box; it does nothing anywhere else");
        std::process::exit(1);
    }
    emergency::prepare();
    let started = start::start();
    pid1::run(started)
}
