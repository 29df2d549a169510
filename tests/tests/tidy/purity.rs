//! Pure crates take bytes, time and randomness as input and give bytes back. And `unsafe` has one address.
//!
//! Clippy bans the calls too (`daemon/clippy.toml`); this finds also what is only named, and cannot be allowed away.

use std::path::Path;

use super::source::{code_only, lines_with_word, without_tests};
use super::tree::{crates, rust};
use crate::report;

const PURE: &[&str] =
    &["record", "replica", "failover", "message", "smtp", "imap", "pop3", "queue", "control"];

/// Words that only I/O needs. `std::net::IpAddr` and its kin are values.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "Instant::now",
    "SystemTime::now",
    "tokio",
    "getrandom",
];

#[test]
fn pure_crates_do_no_io() {
    let folders = crates();
    let mut breaches = Vec::new();
    for name in PURE {
        let sources = folders.get(*name).expect("a pure crate exists").join("src");
        for (file, text) in rust().filter(|(file, _)| Path::new(file).starts_with(&sources)) {
            let code = code_only(without_tests(text));
            for word in IMPURE {
                let lines = lines_with_word(&code, word).into_iter();
                breaches.extend(lines.map(|line| format!("{file}:{line}: {word}")));
            }
        }
    }
    report("I/O in a pure crate", &breaches);
}

#[test]
fn only_linux_is_unsafe() {
    let mut breaches = Vec::new();
    for (file, text) in rust().filter(|(file, _)| !file.starts_with("daemon/linux/")) {
        let code = code_only(text);
        for word in ["unsafe", "allow(unsafe_code", "expect(unsafe_code"] {
            let lines = lines_with_word(&code, word).into_iter();
            breaches.extend(lines.map(|line| format!("{file}:{line}: {word}")));
        }
    }
    report("`unsafe` outside daemon/linux", &breaches);
}

/// Without the workspace's lints a crate could be unsafe, or unwrap, unseen.
#[test]
fn every_crate_takes_the_lints() {
    let mut breaches = Vec::new();
    for (name, folder) in crates() {
        let file = super::tree::root().join(&folder).join("Cargo.toml");
        let text = std::fs::read_to_string(&file).expect("a manifest can be read");
        let table = super::tree::manifest(&name, &text);
        let inherits = table["lints"].get("workspace").and_then(toml::Value::as_bool);
        // `linux` cannot inherit them all: it is the one that lifts `unsafe_code`.
        if inherits != Some(true) && name != "linux" {
            breaches.push(name);
        }
    }
    report("crates without `[lints] workspace = true`", &breaches);
}
