//! Where the `maild` to test is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program that is built already, instead of building one: `tests/run` says so.
const GIVEN: &str = "TWINPOST_MAILD";

/// The program, built once for each process that asks.
///
/// # Panics
/// When it does not build.
pub fn maild() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os(GIVEN) {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "{GIVEN} names {}, which is no file", path.display());
            path
        }
        None => build(),
    })
}

/// Builds with the profile of this program itself, into the same target folder.
fn build() -> PathBuf {
    let folder = profile_folder();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(top()).args(["build", "--quiet", "--locked", "--package", "maild"]);
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "maild does not build");
    folder.join("maild")
}

/// `target/debug`: this program lies in it, or in its `deps`.
fn profile_folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows where it lies");
    let folder = program.parent().expect("a program lies in a folder");
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    folder.expect("deps lies in a folder").to_owned()
}

/// The top of the repository.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands below the top")
}
