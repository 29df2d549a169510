//! What the README tells a person to type exists, and where it points is something.

use std::collections::BTreeSet;

use super::tree::{files, manifest, root, texts};
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

/// The words of each line in the code blocks, without the prompt.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            let line = line.trim().trim_start_matches("$ ");
            commands.push(line.split_ascii_whitespace().collect());
        }
    }
    commands
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
        // `board/NAME/board.toml` stands for many.
        let stands_for_many = |part: &str| part.bytes().all(|byte| byte.is_ascii_uppercase());
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
