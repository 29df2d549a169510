//! Step 1, the plan: what is to be built, from the board's file and the command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::run;
use crate::site::SiteFile;

/// What `twinpost build` takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct BuildOptions {
    /// The board: a folder below board/
    #[arg(long, value_name = "NAME")]
    pub board: String,
    /// A site file to put into the image
    #[arg(long, value_name = "SITE.toml")]
    pub site: Option<PathBuf>,
    /// Where the image goes (default: build/BOARD/twinpost.img)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A kernel package to take instead of the one Debian has today
    #[arg(long, value_name = "FILE")]
    pub kernel_deb: Option<PathBuf>,
    /// A folder with `init`, `maild` and `console`, to take instead of compiling them
    #[arg(long, value_name = "FOLDER")]
    pub programs: Option<PathBuf>,
}

impl BuildOptions {
    /// A board, and nothing else out of the ordinary.
    pub fn for_board(board: &str) -> BuildOptions {
        BuildOptions { board: board.to_owned(), ..BuildOptions::default() }
    }
}

/// Everything that the steps after this one need to know.
#[derive(Debug, Clone)]
pub struct Plan {
    pub board: Board,
    /// The checked-out tree.
    pub tree: PathBuf,
    /// Where the image goes; what is made beside it takes its name.
    pub out: PathBuf,
    pub site: Option<SiteFile>,
    pub kernel_deb: Option<PathBuf>,
    pub version: String,
    /// The commit the tree stands at, when it is a git checkout: `1a2b3c4d5e6f`, `-dirty` behind it
    /// when files differ.
    pub commit: Option<String>,
    /// Unix seconds: the date of everything in the image, and the floor of a box's clock.
    pub build_time: u64,
}

/// A board's facts, as they stand in its `board.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    pub name: String,
    pub description: String,
    pub kernel: KernelFacts,
    pub boot: BootFacts,
    pub disk: DiskFacts,
}

/// Which kernel, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelFacts {
    /// A Debian package: a kernel image, or the meta package of one.
    pub package: String,
    /// In the order of loading; what they depend on is found out.
    pub modules: Vec<String>,
    /// Taken where the kernel has them.
    #[serde(default)]
    pub modules_optional: Vec<String>,
}

/// How the kernel starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootFacts {
    pub cmdline: String,
}

/// The partitions as they are shipped; data grows at the first boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskFacts {
    pub esp_mib: u64,
    pub data_mib: u64,
}

impl Plan {
    /// Reads the board's file and settles every choice that the command line left open.
    pub fn new(options: &BuildOptions) -> Result<Plan> {
        let tree = find_tree()?;
        let board = Board::read(&tree, &options.board)?;
        let site = options.site.as_deref().map(SiteFile::read).transpose()?;
        let out = match &options.out {
            Some(out) => out.clone(),
            None => tree.join("build").join(&board.name).join("twinpost.img"),
        };
        Ok(Plan {
            out,
            site,
            kernel_deb: options.kernel_deb.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(&tree),
            build_time: build_time(&tree)?,
            board,
            tree,
        })
    }

    /// Downloads and unpacked packages, kept from build to build.
    pub fn cache(&self) -> PathBuf {
        cache(&self.tree)
    }

    /// A file beside the image: its name with another ending.
    pub fn beside(&self, ending: &str) -> PathBuf {
        self.out.with_extension(ending)
    }
}

impl Board {
    /// Reads `board/NAME/board.toml`.
    pub fn read(tree: &Path, name: &str) -> Result<Board> {
        let boards = tree.join("board");
        let file = boards.join(name).join("board.toml");
        if name.contains(['/', '.']) || !file.is_file() {
            bail!("there is no board {name:?}; there are: {}", names(&boards).join(", "));
        }
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let board: Board =
            toml::from_str(&text).with_context(|| format!("{} is wrong", file.display()))?;
        ensure!(board.name == name, "{} names itself {:?}", file.display(), board.name);
        Ok(board)
    }
}

/// The folder for downloads, shared by all boards.
pub fn cache(tree: &Path) -> PathBuf {
    tree.join("build").join("cache")
}

/// The checked-out tree: the nearest folder upwards that has boards and a daemon, else the one that
/// this program was compiled in.
pub fn find_tree() -> Result<PathBuf> {
    let is_tree = |folder: &Path| folder.join("board").is_dir() && folder.join("daemon").is_dir();
    let here = std::env::current_dir()?;
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    match here.ancestors().chain(compiled).find(|folder| is_tree(folder)) {
        Some(tree) => Ok(tree.to_owned()),
        None => bail!("not inside twinpost's source tree"),
    }
}

fn names(boards: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(boards) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("board.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn commit(tree: &Path) -> Option<String> {
    let hash = git(tree, &["rev-parse", "--short=12", "HEAD"])?;
    let state = git(tree, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if state.is_empty() { hash } else { format!("{hash}-dirty") })
}

/// `SOURCE_DATE_EPOCH` where it is set, else the date of the commit, else now: only the last makes
/// two builds of the same tree differ.
fn build_time(tree: &Path) -> Result<u64> {
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().context("SOURCE_DATE_EPOCH is not a number of seconds")?,
        Err(_) => match git(tree, &["log", "-1", "--format=%ct"]).and_then(|s| s.parse().ok()) {
            Some(seconds) => seconds,
            None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        },
    };
    ensure!(
        seconds >= FAT_EPOCH,
        "a build time of {seconds} is before 1980, where FAT's dates begin"
    );
    Ok(seconds)
}

fn git(tree: &Path, words: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(tree).args(words);
    run::capture(&mut command).ok().map(|text| text.trim().to_owned())
}

/// 1980-01-01 in Unix seconds, with a day for time zones.
const FAT_EPOCH: u64 = 315_532_800 + 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_of_the_tree_reads() {
        let tree = find_tree().unwrap();
        let names = names(&tree.join("board"));
        assert!(names.contains(&"qemu-x86_64".to_owned()), "{names:?}");
        for name in names {
            let board = Board::read(&tree, &name).unwrap();
            assert!(board.boot.cmdline.contains("console="), "{name}");
            assert!(tree.join("board").join(&name).join("README.md").is_file(), "{name}");
        }
    }

    #[test]
    fn an_unknown_board_is_answered_with_those_there_are() {
        let error = Board::read(&find_tree().unwrap(), "toaster").unwrap_err().to_string();
        assert!(error.contains("toaster") && error.contains("qemu-x86_64"), "{error}");
        assert!(Board::read(&find_tree().unwrap(), "../board/qemu-x86_64").is_err());
    }
}
