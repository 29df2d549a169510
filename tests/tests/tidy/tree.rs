//! The files of the repository: what git tracks, or in a tree without git everything but what is built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The top of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands below the top")
}

/// Every file with its bytes, by its path from the top, with `/`. A file that git tracks but that is gone from the
/// disk (about to be removed) is left out; a link counts as a file of its target's name.
pub fn files() -> &'static BTreeMap<String, Vec<u8>> {
    static FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let names = tracked().unwrap_or_else(|| {
            let mut names = Vec::new();
            walk(root(), "", &mut names);
            names
        });
        assert!(!names.is_empty(), "no files below {}", root().display());
        let read = |name: String| fs::read(root().join(&name)).ok().map(|bytes| (name, bytes));
        names.into_iter().filter_map(read).collect()
    })
}

/// The files that are text, with it.
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    files()
        .iter()
        .filter_map(|(name, bytes)| Some((name.as_str(), std::str::from_utf8(bytes).ok()?)))
}

/// The Rust files.
pub fn rust() -> impl Iterator<Item = (&'static str, &'static str)> {
    texts().filter(|(name, _)| name.ends_with(".rs"))
}

/// Our crates: the folder of each, by name.
pub fn crates() -> BTreeMap<String, PathBuf> {
    let manifests = texts().filter(|(name, _)| name.ends_with("/Cargo.toml"));
    manifests
        .map(|(name, text)| {
            let folder = name.trim_end_matches("/Cargo.toml");
            (package_name(name, text), PathBuf::from(folder))
        })
        .collect()
}

/// A manifest as a table.
pub fn manifest(name: &str, text: &str) -> toml::Table {
    text.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn package_name(name: &str, text: &str) -> String {
    let table = manifest(name, text);
    let package = table.get("package").and_then(|package| package.get("name"));
    package.and_then(toml::Value::as_str).unwrap_or_else(|| panic!("{name}: no name")).to_owned()
}

/// `None` where there is no git or no checkout.
fn tracked() -> Option<Vec<String>> {
    let output =
        Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output().ok()?;
    if !output.status.success() || !root().join(".git").exists() {
        return None;
    }
    let text = String::from_utf8(output.stdout).expect("file names are UTF-8");
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the tree can be read") {
        let entry = entry.expect("a folder of the tree can be read");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match (is_folder, name.as_str()) {
            (true, "target" | "build" | ".git") => {}
            (true, _) if name.ends_with("/node_modules") => {}
            (true, _) => walk(&entry.path(), &format!("{name}/"), names),
            (false, _) => names.push(name),
        }
    }
}
