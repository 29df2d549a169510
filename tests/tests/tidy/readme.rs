//! What the README tells a person to type exists, and where it points is something.

use std::collections::BTreeSet;

use super::tree::{crates, files, manifest, root, texts};
use crate::report;

/// What cargo itself has.
const CARGO: &[&str] =
    &["build", "check", "clippy", "doc", "fmt", "install", "metadata", "run", "test", "update"];

#[test]
fn commands_exist() {
    let (_, config) = texts().find(|(file, _)| *file == ".cargo/config.toml").expect("aliases");
    let config = manifest(".cargo/config.toml", config);
    let aliases = config["alias"].as_table().expect("a table of aliases");
    let groups = groups();
    let mut breaches = Vec::new();
    for (file, text) in documents() {
        for words in commands(text) {
            match words.as_slice() {
                ["cargo", "+nightly", ..] => {}
                ["cargo", name, ..] if !CARGO.contains(name) && !aliases.contains_key(*name) => {
                    breaches.push(format!("{file}: cargo {name}"));
                }
                ["cargo", _, rest @ ..] => {
                    breaches.extend(missing_parts(rest).map(|part| format!("{file}: {part}")));
                }
                ["tests/run", names @ ..] => {
                    let unknown = names.iter().take_while(|name| **name != "#").filter(|name| {
                        name.bytes().all(|byte| byte.is_ascii_lowercase())
                            && !groups.contains(**name)
                    });
                    breaches.extend(unknown.map(|name| format!("{file}: tests/run {name}")));
                }
                _ => {}
            }
        }
    }
    report("commands that do not exist", &breaches);
}

#[test]
fn paths_exist() {
    let mut breaches = Vec::new();
    for (file, text) in documents() {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(text) {
            if !root().join(folder).join(link).exists() {
                breaches.push(format!("{file}: link to {link}"));
            }
        }
        for path in paths(text) {
            let here = root().join(folder).join(path);
            if !root().join(path).exists() && !here.exists() {
                breaches.push(format!("{file}: {path}"));
            }
        }
    }
    report("paths that do not exist", &breaches);
}

fn documents() -> impl Iterator<Item = (&'static str, &'static str)> {
    texts().filter(|(file, _)| file.ends_with("README.md"))
}

/// The crate and the example that a cargo command names, when there are none.
fn missing_parts(arguments: &[&str]) -> impl Iterator<Item = String> {
    let after = |names: [&str; 2]| {
        let at = arguments.iter().position(|word| names.contains(word))?;
        arguments.get(at + 1).copied().filter(|name| !stands_for_many(name))
    };
    let crates = crates();
    let package = after(["-p", "--package"]);
    let folder = package.and_then(|package| crates.get(package));
    let missing_package = package.filter(|_| folder.is_none());
    let missing_example = after(["--example", "--example"]).filter(|example| {
        let file = folder.map(|folder| root().join(folder).join(format!("examples/{example}.rs")));
        !file.is_some_and(|file| file.exists())
    });
    let package = missing_package.map(|name| format!("crate {name}"));
    let example = missing_example.map(|name| format!("example {name}"));
    package.into_iter().chain(example)
}

/// The words of each line in the code blocks, without the prompt, and of what stands in backquotes in a sentence.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let (mut lines, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line.trim().trim_start_matches("$ "));
        } else {
            lines.extend(line.split('`').skip(1).step_by(2));
        }
    }
    lines.into_iter().map(|line| line.split_ascii_whitespace().collect()).collect()
}

/// `NAME`, `X`: a word that a reader replaces.
fn stands_for_many(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `[words](target)`, to files only.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
}

/// Words in backquotes that begin with one of our top-level folders.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let top: BTreeSet<&str> =
        files().keys().filter_map(|name| Some(name.split_once('/')?.0)).collect();
    let quoted = text.split('`').skip(1).step_by(2);
    let words = quoted.flat_map(str::split_ascii_whitespace);
    words.map(|word| word.trim_end_matches([',', '.', ';', ':'])).filter(move |word| {
        let plain = !word.contains(['*', '<', '{', '…', '$', '='])
            && !word.trim_end_matches('/').split('/').any(stands_for_many);
        plain && word.split_once('/').is_some_and(|(first, _)| top.contains(first))
    })
}

/// The names that `tests/run` takes.
fn groups() -> BTreeSet<&'static str> {
    let (_, script) = texts().find(|(file, _)| *file == "tests/run").expect("tests/run");
    let line = script.lines().find_map(|line| line.strip_prefix("GROUPS_IN_ORDER=("));
    line.and_then(|line| line.strip_suffix(')')).expect("its groups").split(' ').collect()
}
