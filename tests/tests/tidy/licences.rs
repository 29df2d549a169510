//! The project is MIT OR Apache-2.0, and so is usable only what allows that.

use std::process::Command;

use serde_json::Value;

use super::tree::root;
use crate::report;

/// SPDX names of licences that ask for nothing but their text and, some, a notice. MPL-2.0 asks for its own files'
/// changes only.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_outside_crate_has_a_licence_that_we_may_use() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    assert!(packages.len() > 20, "cargo metadata lists only {} packages", packages.len());
    let mut breaches = Vec::new();
    for package in packages {
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        if !is_allowed(text("license")) {
            breaches.push(format!("{} {}: {:?}", text("name"), text("version"), text("license")));
        }
    }
    report("crates whose licence is not on the list", &breaches);
}

/// What builds on the box's platform: it is here already, since this test was built from it.
fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .expect("cargo can be run");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {complaint}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// Whether an SPDX expression can be met with the allowed licences alone.
fn is_allowed(expression: &str) -> bool {
    // Old crates write `/` for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let mut at = 0;
    let allowed = alternatives(&words, &mut at);
    allowed && at == words.len()
}

/// `a OR b`, which binds weaker than AND.
fn alternatives(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = conjunction(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        allowed |= conjunction(words, at);
    }
    allowed
}

fn conjunction(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= one(words, at);
    }
    allowed
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(&word) = words.get(*at) else { return false };
    *at += 1;
    if word == "(" {
        let allowed = alternatives(words, at);
        *at += 1;
        return allowed;
    }
    if words.get(*at) == Some(&"WITH") {
        let whole = words[*at - 1..(*at + 2).min(words.len())].join(" ");
        *at = (*at + 2).min(words.len());
        // An exception only allows more, so the licence alone is enough too.
        return ALLOWED.contains(&whole.as_str()) || ALLOWED.contains(&word);
    }
    ALLOWED.contains(&word)
}

#[test]
fn expressions() {
    for (expression, expect) in [
        ("MIT", true),
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only", false),
        ("AGPL-3.0-only OR MIT", true),
        ("(MIT OR GPL-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("Apache-2.0 AND (GPL-2.0 WITH Classpath-exception-2.0)", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression), expect, "{expression}");
    }
}
