//! The loop: waits for signals, messages, output and deadlines, and does what the state machines
//! say.

mod maild;
mod menu;
mod requests;

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use control::paths;
use linux::keys::Keys;
use linux::poll;
use linux::power::{self, End};
use linux::signals::{self, Signal, Signals};

use crate::clock::Clock;
use crate::limits::{DEVICE_LOOK_EVERY, END_MAX, PAUSE_MIN, UNMOUNT_AGAIN_AFTER, UNMOUNT_TRIES};
use crate::log::Log;
use crate::shutdown::{self, Shutdown};
use crate::socket::Socket;
use crate::start::Started;
use crate::watchdog::Watchdog;
use crate::{command_line, life, network::ServiceAddresses};
use maild::Maild;
use menu::Menu;

/// Everything that PID 1 holds while the box runs.
struct Pid1 {
    log: Log,
    version: String,
    hostname: String,
    problems: Vec<String>,
    signals: Option<Signals>,
    socket: Option<Socket>,
    keys: Vec<Keys>,
    addresses: ServiceAddresses,
    maild: Maild,
    menus: Vec<Menu>,
    watchdog: Watchdog,
    clock: Clock,
    shutdown: Shutdown,
}

/// Runs the box. Never returns.
pub fn run(started: Started) -> ! {
    let mut pid1 = Pid1::new(started);
    loop {
        let now = Instant::now();
        pid1.act(now);
        if pid1.wait(now) {
            pid1.log.line("init", "the box stood still for a while");
            pid1.maild.hear(Instant::now(), life::Input::Paused);
        }
    }
}

impl Pid1 {
    fn new(started: Started) -> Pid1 {
        let now = Instant::now();
        let Started { mut log, version, signals, mut watchdog, socket, site, addresses, .. } =
            started;
        watchdog.started(&mut log);
        let hostname = site.map_or_else(|| "this box".into(), |site| site.hostname);
        let terminals = command_line::terminals(&started.command_line);
        Pid1 {
            version,
            hostname,
            problems: started.problems,
            signals,
            socket,
            keys: Keys::open_all(),
            addresses,
            maild: Maild::new(now, started.can_serve, started.command_line.log),
            menus: terminals.into_iter().map(|name| Menu::new(now, name)).collect(),
            watchdog,
            clock: Clock::new(now, Path::new(paths::BUILD_TIME_FILE)),
            shutdown: Shutdown::default(),
            log,
        }
    }

    /// Does all that is due now.
    fn act(&mut self, now: Instant) {
        self.reap(now);
        self.maild.read_output(&mut self.log);
        self.read_messages(now);
        self.read_keys(now);
        self.read_signals(now);
        self.maild.turn(now, &mut self.log);
        for menu in &mut self.menus {
            menu.turn(now, &mut self.log);
        }
        self.clock.turn(now, &mut self.log);
        self.go_on_ending(now);
        let in_order = self.shutdown.under_way() || self.maild.in_order(now);
        self.watchdog.turn(now, in_order);
    }

    /// Sleeps until something comes in or is due. True when it woke far too late: the box was
    /// paused, or so busy that maild cannot have run either.
    fn wait(&mut self, now: Instant) -> bool {
        let deadlines = [
            self.maild.deadline(),
            self.watchdog.deadline(),
            self.clock.deadline(),
            self.shutdown.deadline(),
            self.menus.iter().filter_map(Menu::deadline).min(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let mut descriptors = Vec::new();
        descriptors.extend(self.signals.as_ref().map(AsFd::as_fd));
        descriptors.extend(self.socket.iter().flat_map(Socket::descriptors));
        descriptors.extend(self.keys.iter().map(AsFd::as_fd));
        descriptors.extend(self.maild.output());
        if let Err(error) = poll::readable(&descriptors, timeout) {
            drop(descriptors);
            self.log.line("init", &error.to_string());
            // Not to spin, should it fail each time.
            std::thread::sleep(DEVICE_LOOK_EVERY);
        }
        timeout.is_some_and(|timeout| now.elapsed() >= timeout + PAUSE_MIN)
    }

    /// Takes in every child that ended, ours or one that lost its parent.
    fn reap(&mut self, now: Instant) {
        while let Ok(Some((pid, exit))) = signals::reap() {
            if self.maild.is(pid) {
                // First of all, whatever the reason: see DESIGN §6.
                self.addresses.remove(&mut self.log);
                self.maild.ended(now, exit, &mut self.log);
            } else if let Some(menu) = self.menus.iter_mut().find(|menu| menu.is(pid)) {
                menu.ended(now);
            }
        }
    }

    fn read_signals(&mut self, now: Instant) {
        loop {
            let signal = self.signals.as_ref().and_then(|signals| signals.read().ok().flatten());
            match signal {
                None => return,
                Some(Signal::Child) => self.reap(now),
                Some(Signal::Interrupt) => self.end(now, End::Reboot, "ctrl-alt-del"),
                Some(Signal::Power) => self.end(now, End::PowerOff, "the power fails"),
                Some(Signal::Terminate | Signal::Kill) => self.end(now, End::PowerOff, "a signal"),
            }
        }
    }

    fn read_keys(&mut self, now: Instant) {
        let mut pressed = false;
        self.keys.retain_mut(|keys| match keys.power_pressed() {
            Ok(power) => {
                pressed |= power;
                true
            }
            Err(_) => false,
        });
        if pressed {
            self.end(now, End::PowerOff, "the power button");
        }
    }

    /// Begins the orderly end.
    fn end(&mut self, now: Instant, how: End, why: &str) {
        if self.shutdown.under_way() {
            return;
        }
        let what = match how {
            End::Reboot => "restarts",
            End::PowerOff => "switches off",
        };
        self.log.line("init", &format!("the box {what}: {why}"));
        self.maild.want(now, false);
        for menu in &mut self.menus {
            menu.want_no_more(now);
        }
        end_late_whatever_happens(how);
        self.shutdown.handle(now, shutdown::Input::Request(how));
    }

    fn go_on_ending(&mut self, now: Instant) {
        loop {
            let maild = self.maild.runs();
            let others = self.menus.iter().filter(|menu| menu.runs()).count();
            self.shutdown.handle(now, shutdown::Input::Programs { maild, others });
            let Some(step) = self.shutdown.poll() else { return };
            match step {
                shutdown::Output::AskMaild => self.ask_maild(),
                shutdown::Output::KillMaild => {
                    self.log.line("init", "maild does not end; killing it");
                    self.maild.kill();
                }
                shutdown::Output::AskOthers => self.send_to_all(Signal::Terminate),
                shutdown::Output::KillOthers => self.send_to_all(Signal::Kill),
                shutdown::Output::PutDown(how) => self.put_down(how),
            }
        }
    }

    fn ask_maild(&mut self) {
        let message = control::FromInit::Shutdown { reason: "the box ends".into() };
        let told = self.socket.as_mut().is_some_and(|socket| socket.send_to_maild(&message));
        if !told {
            self.maild.terminate();
        }
    }

    fn send_to_all(&mut self, signal: Signal) {
        if let Err(error) = signals::send_to_all(signal) {
            self.log.line("init", &error.to_string());
        }
    }

    /// The last step: addresses, disk, end.
    fn put_down(&mut self, how: End) {
        self.addresses.remove(&mut self.log);
        self.clock.keep(Instant::now(), &mut self.log);
        self.unmount_data();
        linux::mounts::sync_all();
        self.log.line("init", "goodbye");
        if how == End::PowerOff {
            self.watchdog.disarm();
        }
        // The console's writer gets a moment for the last lines.
        std::thread::sleep(UNMOUNT_AGAIN_AFTER);
        let Err(error) = power::end(how);
        self.log.line("init", &error.to_string());
    }

    fn unmount_data(&mut self) {
        let data = Path::new(paths::DATA);
        if !linux::mounts::is_mounted(data) {
            return;
        }
        for _ in 0..UNMOUNT_TRIES {
            if linux::mounts::unmount(data).is_ok() {
                return;
            }
            std::thread::sleep(UNMOUNT_AGAIN_AFTER);
        }
        let result = linux::mounts::remount(data, "ro");
        let outcome = result.map_or_else(|error| error.to_string(), |()| "read-only now".into());
        self.log.line("init", &format!("the data disk is still in use: {outcome}"));
    }
}

/// A disk that hangs can stop the orderly end; then the box ends without it.
fn end_late_whatever_happens(how: End) {
    let end = move || {
        std::thread::sleep(END_MAX);
        let _ = power::end(how);
    };
    // Without a thread the hardware watchdog has the last word.
    let _ = std::thread::Builder::new().name("late end".into()).spawn(end);
}
