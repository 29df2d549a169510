//! Step 2, compile: the programs of the box, each one static file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::plan::Plan;
use crate::progress::Step;
use crate::run;

/// The programs that go into the initramfs.
#[derive(Debug, Clone)]
pub struct Programs {
    pub init: PathBuf,
    pub maild: PathBuf,
    pub console: PathBuf,
}

/// The packages of the workspace that are programs of the box.
const PACKAGES: [&str; 3] = ["init", "maild", "console"];
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "firmware";

/// Compiles them with the same flags each time, in a target folder that nothing else uses.
pub fn compile(plan: &Plan) -> Result<Programs> {
    let step = Step::count("compile", packages_in_all(&plan.tree).unwrap_or(1));
    let target = plan.tree.join("target").join("firmware");
    let mut seen = HashSet::new();
    let mut cargo = cargo(&plan.tree);
    cargo
        .args(["build", "--locked", "--quiet", "--message-format", "json-render-diagnostics"])
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(&target)
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&plan.tree).join("\x1f"));
    run::watch(&mut cargo, |line| {
        if let Some(artifact) = Artifact::read(line) {
            step.say(&artifact.target.name);
            seen.insert(artifact.package_id);
            step.at(seen.len() as u64);
        }
    })
    .context("the programs of the box do not compile")?;
    step.done(format!("{}, {} packages", PACKAGES.join(", "), seen.len()));
    Ok(Programs::in_folder(&target.join(TARGET).join(PROFILE)))
}

impl Programs {
    /// The programs by their names in one folder.
    pub fn in_folder(folder: &Path) -> Programs {
        Programs {
            init: folder.join("init"),
            maild: folder.join("maild"),
            console: folder.join("console"),
        }
    }
}

/// Static, and without a trace of the folders that this machine happens to use.
fn flags(tree: &Path) -> Vec<String> {
    let mut flags = vec!["-C".to_owned(), "target-feature=+crt-static".to_owned()];
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    flags.push(format!("--remap-path-prefix={}=/twinpost", tree.display()));
    flags
}

/// Cargo, without what the cargo that may have started this program told it.
fn cargo(tree: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(tree);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let inherited = name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(name.as_str(), "RUSTFLAGS" | "CARGO_BUILD_RUSTFLAGS" | "CARGO_TARGET_DIR");
        if inherited {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// How many packages take part: the end of the progress bar.
fn packages_in_all(tree: &Path) -> Result<u64> {
    let mut tree_command = cargo(tree);
    tree_command
        .args(["tree", "--locked", "--target", TARGET, "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    let text = run::capture(&mut tree_command)?;
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    Ok(lines.filter(|line| !line.is_empty()).collect::<HashSet<_>>().len() as u64)
}

/// One line of cargo's report: something has been compiled, or was already.
#[derive(Debug, Deserialize)]
struct Artifact {
    reason: String,
    package_id: String,
    target: Target,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

impl Artifact {
    fn read(line: &str) -> Option<Artifact> {
        let artifact: Artifact = serde_json::from_str(line).ok()?;
        (artifact.reason == "compiler-artifact").then_some(artifact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_told_from_other_messages() {
        let line =
            r#"{"reason":"compiler-artifact","package_id":"p","target":{"name":"ring"},"x":1}"#;
        assert_eq!(Artifact::read(line).unwrap().target.name, "ring");
        assert!(Artifact::read(r#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(Artifact::read("warning: x").is_none());
    }

    #[test]
    fn no_folder_of_this_machine_shows_in_the_programs() {
        let flags = flags(Path::new("/somewhere/tree"));
        assert!(flags.contains(&"--remap-path-prefix=/somewhere/tree=/twinpost".to_owned()));
    }
}
