//! What a started program may do, as the kernel sees it.

#![allow(clippy::unwrap_used)] // a test's helpers are tests too

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use linux::child::{self, Capability, Identity, Limits, Output, Program};
use linux::signals::{self, Exit};

/// Runs a program to its end and gives what it wrote. The only test of this file that has children,
/// because [`signals::reap`] takes any child.
fn run(program: Program<'_>) -> (String, Exit) {
    let running = child::spawn(program).unwrap();
    let mut output = String::new();
    let mut pipe = File::from(running.output.unwrap());
    loop {
        linux::poll::readable(&[pipe.as_fd()], None).unwrap();
        let mut piece = [0; 4096];
        match pipe.read(&mut piece).unwrap() {
            0 => break,
            length => output.push_str(std::str::from_utf8(&piece[..length]).unwrap()),
        }
    }
    loop {
        match signals::reap().unwrap() {
            Some((pid, exit)) => {
                assert_eq!(pid, running.pid);
                return (output, exit);
            }
            None => std::thread::yield_now(),
        }
    }
}

fn program<'a>(arguments: &'a [&'a str]) -> Program<'a> {
    Program {
        path: "/bin/sh",
        arguments,
        environment: &[("GREETING", "hello")],
        identity: None,
        limits: Limits { open_files: Some(123), ..Limits::default() },
        output: Output::Pipe,
    }
}

#[test]
fn started_programs() {
    let _held_back = signals::Signals::block(&[signals::Signal::Terminate]).unwrap();
    let (status, _) = run(Program { path: "/bin/cat", ..program(&["/proc/self/status"]) });
    assert!(status.contains(&format!("SigBlk:\t{:016x}", 0)), "not held back there: {status}");

    let script = "echo $GREETING $HOME; ulimit -n; ulimit -c; pwd; exit 3";
    let (output, exit) = run(program(&["-c", script]));
    assert_eq!(output, "hello\n123\n0\n/\n");
    assert_eq!(exit, Exit::Code(3));

    let (_, exit) = run(program(&["-c", "kill -9 $$"]));
    assert_eq!(exit, Exit::Signal(9));

    let missing = Program { path: "/no such program", ..program(&[]) };
    assert!(child::spawn(missing).unwrap_err().is_absent());

    as_an_unprivileged_user();
}

fn as_an_unprivileged_user() {
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    if !own.contains("CapEff:\t000001ff") {
        eprintln!("skipped, needs all capabilities: becoming another user");
        return;
    }
    let capabilities = [Capability::NetBindService, Capability::NetAdmin, Capability::NetRaw];
    let maild = Identity { uid: 900, gid: 901, capabilities: &capabilities };
    let (status, exit) =
        run(Program { path: "/bin/cat", identity: Some(maild), ..program(&["/proc/self/status"]) });
    assert_eq!(exit, Exit::Code(0));
    let expected = (1 << 10) | (1 << 12) | (1 << 13);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t{expected:016x}")), "{set}: {status}");
    }
    assert!(status.contains("Uid:\t900\t900\t900\t900"), "{status}");
    assert!(status.contains("Gid:\t901\t901\t901\t901"), "{status}");
    assert!(status.contains("Groups:\t \n"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");

    let nobody = Identity { uid: 65534, gid: 65534, capabilities: &[] };
    let (status, _) = run(Program {
        path: "/bin/cat",
        identity: Some(nobody),
        ..program(&["/proc/self/status"])
    });
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t{:016x}", 0)), "{set}: {status}");
    }
}
