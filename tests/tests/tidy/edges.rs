//! Who may depend on whom among our own crates: the table of DESIGN §9. A new edge is a decision: it is put here, with
//! its reason.

use std::collections::BTreeSet;

use super::tree::{crates, manifest, texts};
use crate::report;

/// A crate, and what it may depend on, also in its tests: what needs more than that stands in `tests/`.
const EDGES: &[(&str, &[&str])] = &[
    ("record", &[]),
    ("message", &[]),
    ("failover", &[]),
    ("control", &[]),
    ("linux", &[]),
    ("journal", &["record"]),
    ("replica", &["record"]),
    ("users", &["record"]),
    ("mailbox", &["record", "message"]),
    ("smtp", &["message"]),
    ("imap", &["message"]),
    ("pop3", &["message"]),
    ("queue", &["record"]),
    // Not `failover`: who serves which address is not a matter of the service itself.
    (
        "node",
        &[
            "record", "replica", "message", "smtp", "imap", "pop3", "queue", "journal", "mailbox",
            "users",
        ],
    ),
    // It names the operations that it needs as a trait; maild brings them.
    ("web-ui", &[]),
    // The program where everything is put together: beside node's service it drives `failover` on
    // real ports, carries `replica`'s messages over TLS, tells `smtp` its role, and makes the first
    // settings (`record`, `users`). Bodies, indexes and the log stay node's own.
    (
        "maild",
        &["node", "web-ui", "linux", "control", "failover", "record", "replica", "smtp", "users"],
    ),
    ("init", &["linux", "control"]),
    // `journal` and `users` are for recovery without maild.
    ("console", &["control", "linux", "journal", "users"]),
    ("rack", &[]),
    ("image", &["rack"]),
    // Everything that needs more than one crate is here.
    ("tests", EVERYTHING),
];

const EVERYTHING: &[&str] = &["*"];

#[test]
fn crates_depend_on_each_other_as_the_design_says() {
    let ours: BTreeSet<String> = crates().into_keys().collect();
    let mut breaches = Vec::new();
    for name in &ours {
        let Some((_, allowed)) = EDGES.iter().find(|(of, _)| of == name) else {
            breaches.push(format!("{name} stands in no row of the table"));
            continue;
        };
        for dependency in dependencies(name) {
            let known = ours.contains(&dependency);
            if known && *allowed != EVERYTHING && !allowed.contains(&dependency.as_str()) {
                breaches.push(format!("{name} → {dependency}"));
            }
        }
    }
    for (name, _) in EDGES {
        if !ours.contains(*name) {
            breaches.push(format!("the table has {name}, which is no crate"));
        }
    }
    report("edges between crates that the table does not have", &breaches);
}

/// Daemon crates never depend on the builder, and a member never hides from the workspace's list.
#[test]
fn every_crate_is_a_member_with_a_comment() {
    let (_, root) = texts().find(|(name, _)| *name == "Cargo.toml").expect("a workspace");
    let mut breaches = Vec::new();
    for (name, folder) in crates() {
        let entry = format!("\"{}\",", folder.display());
        match root.lines().find(|line| line.trim_start().starts_with(&entry)) {
            None => breaches.push(format!("{name} is no member")),
            Some(line) if !line.contains(" # ") => {
                breaches.push(format!("{name}: its line says nothing"));
            }
            Some(_) => {}
        }
    }
    report("members of the workspace", &breaches);
}

/// All crates that a manifest names, of every kind and for every target.
fn dependencies(name: &str) -> BTreeSet<String> {
    let folder = &crates()[name];
    let file = format!("{}/Cargo.toml", folder.display());
    let (_, text) = texts().find(|(name, _)| *name == file).expect("the crate's manifest");
    let mut names = BTreeSet::new();
    collect(&manifest(&file, text), &mut names);
    names
}

fn collect(table: &toml::Table, names: &mut BTreeSet<String>) {
    for (key, value) in table {
        let toml::Value::Table(inner) = value else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                for (name, value) in inner {
                    let renamed = value.get("package").and_then(toml::Value::as_str);
                    names.insert(renamed.unwrap_or(name).to_owned());
                }
            }
            _ => collect(inner, names),
        }
    }
}
