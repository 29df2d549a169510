//! Where things stand, and what must stand nowhere.

use std::collections::BTreeSet;

use super::tree::{files, manifest, texts};
use crate::report;

/// The top level of DESIGN §9, the licence, and what tools look for there and nowhere else.
const TOP: &[&str] = &[
    "daemon",
    "image",
    "board",
    "web-ui",
    "tests",
    "README.md",
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "clippy.toml",
    ".cargo",
    ".ci",
    ".gitignore",
];

/// Folder = crate = noun: these say nothing.
const EMPTY_NAMES: &[&str] = &["common", "utils", "util", "core", "helpers", "misc", "manager"];

/// Beginnings of paths that mean one machine only, written so that this file holds none of them.
const OF_ONE_MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/work", "spaces/"),
];

#[test]
fn nothing_else_stands_at_the_top() {
    let top: BTreeSet<&str> = files().keys().filter_map(|name| name.split('/').next()).collect();
    let breaches: Vec<String> =
        top.iter().filter(|name| !TOP.contains(name)).map(|name| (*name).to_owned()).collect();
    report("top-level entries that the design does not have", &breaches);
    let needed = ["Cargo.lock", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "daemon/README.md"];
    let missing: Vec<String> = needed
        .iter()
        .filter(|name| !files().contains_key(**name))
        .map(|name| (*name).to_owned())
        .collect();
    report("missing", &missing);
}

#[test]
fn folders_have_names() {
    let mut breaches = BTreeSet::new();
    for name in files().keys() {
        let folders = name.rsplit_once('/').map_or("", |(folders, _)| folders);
        if folders.split('/').any(|folder| EMPTY_NAMES.contains(&folder)) {
            breaches.insert(folders.to_owned());
        }
    }
    report("folders whose name says nothing", &Vec::from_iter(breaches));
}

#[test]
fn nothing_names_one_persons_machine() {
    let mut breaches = Vec::new();
    for (file, text) in texts() {
        for (index, line) in text.lines().enumerate() {
            for path in OF_ONE_MACHINE.iter().filter(|path| mentions_path(line, path)) {
                breaches.push(format!("{file}:{}: {path}", index + 1));
            }
        }
    }
    report("paths of one machine", &breaches);
}

/// The public registries are what everybody has; a mirror is one machine's setting.
#[test]
fn lock_files_name_the_public_registries() {
    let mut breaches = Vec::new();
    for (file, text) in texts() {
        let name = file.rsplit('/').next().unwrap_or(file);
        match name {
            "Cargo.lock" => {
                let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
                let lines = text.lines().filter(|line| line.starts_with("source = "));
                let others = lines.filter(|line| *line != source);
                breaches.extend(others.map(|line| format!("{file}: {line}")));
            }
            "package-lock.json" => {
                let lines =
                    text.lines().map(str::trim).filter(|line| line.starts_with("\"resolved\""));
                let public = "\"resolved\": \"https://registry.npmjs.org/";
                let others = lines.filter(|line| !line.starts_with(public));
                breaches.extend(others.map(|line| format!("{file}: {line}")));
            }
            ".npmrc" | "pip.conf" => breaches.push(file.to_owned()),
            _ => {}
        }
    }
    for (file, text) in texts().filter(|(file, _)| file.starts_with(".cargo/")) {
        let table = manifest(file, text);
        for key in ["source", "registries", "registry", "http", "net"] {
            if table.contains_key(key) {
                breaches.push(format!("{file}: [{key}]"));
            }
        }
    }
    report("registries that are not everybody's", &breaches);
}

/// A path counts where it begins a path: `/data/home/x` is none of a person.
fn mentions_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*'))
    })
}

#[test]
fn paths_are_found_where_they_begin() {
    let home = OF_ONE_MACHINE[0];
    assert!(mentions_path(&format!("cd {home}x"), home));
    assert!(mentions_path(&format!("\"{home}x\""), home));
    assert!(!mentions_path(&format!("/data{home}x"), home));
}
