//! Step 4, the initramfs: the box's whole root file system, as a cpio archive.
//!
//! The same contents give the same bytes: sorted names, one date, owner 0, inodes numbered in
//! order.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::compile::Programs;
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::progress::{Step, human};

/// A tree of files in the making. Names are without the leading slash.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// One name in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Folder { mode: u32 },
    File { mode: u32, bytes: Vec<u8> },
    CharacterDevice { mode: u32, major: u32, minor: u32 },
}

/// Where the programs and facts are; `control::paths` on the box names the same places.
const FACTS: &str = "etc/twinpost";

/// Puts together what the box runs from.
pub fn tree(plan: &Plan, programs: &Programs, kernel: &Kernel) -> Result<Tree> {
    let mut tree = Tree::default();
    for mount_point in ["data", "dev", "proc", "run", "sys"] {
        tree.folder(mount_point, 0o755);
    }
    tree.folder("tmp", 0o1777);
    // The kernel opens this as PID 1's stdin, stdout and stderr, before anything is mounted.
    tree.insert("dev/console", Node::CharacterDevice { mode: 0o600, major: 5, minor: 1 });
    tree.program("init", &programs.init)?;
    tree.program("sbin/maild", &programs.maild)?;
    tree.program("sbin/console", &programs.console)?;
    let place = format!("lib/modules/{}", kernel.release);
    for module in &kernel.modules {
        tree.file(&format!("{place}/{}", module.path), 0o644, module.bytes.clone());
    }
    let list = kernel.modules.iter().map(|module| format!("/{place}/{}\n", module.path));
    tree.fact("modules.list", list.collect());
    tree.fact("build-time", format!("{}\n", plan.build_time));
    tree.fact("version", format!("{}\n", plan.version));
    tree.fact("board", format!("{}\n", plan.board.name));
    Ok(tree)
}

/// The tree as the kernel reads it: a cpio archive, compressed.
pub fn pack(tree: &Tree, build_time: u64) -> Result<Vec<u8>> {
    let step = Step::spinner("initramfs");
    let archive = tree.to_cpio(build_time)?;
    step.say(format!("compressing {}", human(archive.len() as u64)));
    let packed = compress(&archive)?;
    step.done(format!("{} files, {}", tree.nodes.len(), human(packed.len() as u64)));
    Ok(packed)
}

impl Tree {
    /// Every name, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(name, node)| (name.as_str(), node))
    }

    fn folder(&mut self, name: &str, mode: u32) {
        self.insert(name, Node::Folder { mode });
    }

    fn file(&mut self, name: &str, mode: u32, bytes: Vec<u8>) {
        self.insert(name, Node::File { mode, bytes });
    }

    fn fact(&mut self, name: &str, text: String) {
        self.file(&format!("{FACTS}/{name}"), 0o644, text.into_bytes());
    }

    fn program(&mut self, name: &str, from: &Path) -> Result<()> {
        let bytes =
            std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.file(name, 0o755, bytes);
        Ok(())
    }

    /// Adds a node, and the folders above it that are not there yet.
    fn insert(&mut self, name: &str, node: Node) {
        let slashes = name.match_indices('/').map(|(at, _)| at);
        for above in slashes.map(|at| &name[..at]) {
            self.nodes.entry(above.to_owned()).or_insert(Node::Folder { mode: 0o755 });
        }
        self.nodes.insert(name.to_owned(), node);
    }

    /// The archive in the "new ASCII" format, the only one that the kernel unpacks.
    fn to_cpio(&self, build_time: u64) -> Result<Vec<u8>> {
        let mtime = u32::try_from(build_time).context("the build time is past the year 2106")?;
        let mut archive = Vec::new();
        // BTreeMap order puts each folder before what is in it.
        for (ino, (name, node)) in (1_u32..).zip(&self.nodes) {
            let entry = cpio::NewcBuilder::new(name).ino(ino).mtime(mtime).mode(node.mode());
            let (entry, bytes): (_, &[u8]) = match node {
                Node::Folder { .. } => (entry.nlink(2), &[]),
                Node::File { bytes, .. } => (entry, bytes),
                Node::CharacterDevice { major, minor, .. } => {
                    (entry.rdev_major(*major).rdev_minor(*minor), &[])
                }
            };
            let size = u32::try_from(bytes.len()).context("a file of 4 GiB in the initramfs")?;
            let mut writer = entry.write(&mut archive, size);
            writer.write_all(bytes)?;
            writer.finish()?;
        }
        cpio::newc::trailer(&mut archive)?;
        Ok(archive)
    }
}

impl Node {
    /// Kind and permissions together, as `stat` has them.
    fn mode(&self) -> u32 {
        match self {
            Node::Folder { mode } => 0o040_000 | mode,
            Node::File { mode, .. } => 0o100_000 | mode,
            Node::CharacterDevice { mode, .. } => 0o020_000 | mode,
        }
    }
}

/// One name of an archive that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub mode: u32,
    pub bytes: Vec<u8>,
}

/// Reads a packed initramfs back, name by name.
pub fn unpack(packed: &[u8]) -> Result<Vec<Listed>> {
    let mut archive = Vec::new();
    zstd::Decoder::new(packed)?.read_to_end(&mut archive).context("not a zstd frame")?;
    let mut rest = archive.as_slice();
    let mut listed = Vec::new();
    loop {
        let mut reader = cpio::NewcReader::new(rest)?;
        if reader.entry().is_trailer() {
            return Ok(listed);
        }
        let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        listed.push(Listed { name, mode, bytes });
        rest = reader.finish()?;
    }
}

/// In one thread: with more, the bytes depend on how many.
fn compress(archive: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    encoder.set_pledged_src_size(Some(archive.len() as u64))?;
    encoder.include_checksum(true)?;
    encoder.write_all(archive)?;
    Ok(encoder.finish()?)
}

/// High, because the ESP holds several images and unpacking costs the box the same at every level.
const COMPRESSION_LEVEL: i32 = 19;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.file("sbin/maild", 0o755, b"program".to_vec());
        tree.folder("tmp", 0o1777);
        tree.insert("dev/console", Node::CharacterDevice { mode: 0o600, major: 5, minor: 1 });
        tree.fact("version", "1\n".into());
        tree
    }

    #[test]
    fn what_goes_in_comes_out() {
        let listed = unpack(&pack(&sample(), 1_700_000_000).unwrap()).unwrap();
        let lines: Vec<String> =
            listed.iter().map(|entry| format!("{:o} {}", entry.mode, entry.name)).collect();
        assert_eq!(
            lines,
            [
                "40755 dev",
                "20600 dev/console",
                "40755 etc",
                "40755 etc/twinpost",
                "100644 etc/twinpost/version",
                "40755 sbin",
                "100755 sbin/maild",
                "41777 tmp",
            ]
        );
        assert_eq!(listed[6].bytes, b"program");
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        let first = pack(&sample(), 1_700_000_000).unwrap();
        assert_eq!(first, pack(&sample(), 1_700_000_000).unwrap());
        assert_ne!(first, pack(&sample(), 1_700_000_001).unwrap());
    }

    #[test]
    fn the_archive_is_what_the_cpio_program_reads() {
        let Some(cpio) = crate::run::find_program("cpio") else { return };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("archive");
        std::fs::write(&file, sample().to_cpio(1_700_000_000).unwrap()).unwrap();
        let mut command = std::process::Command::new(cpio);
        command.args(["--list", "--numeric-uid-gid", "--verbose", "-F"]).arg(&file);
        let text = crate::run::capture(&mut command).unwrap();
        let console = text.lines().find(|line| line.ends_with("dev/console")).unwrap();
        assert!(console.starts_with("crw-------") && console.contains("5,   1"), "{console}");
        assert_eq!(text.lines().count(), 8);
    }

    #[test]
    fn garbage_is_refused() {
        assert!(unpack(b"not a frame").is_err());
        assert!(unpack(&compress(b"no cpio archive").unwrap()).is_err());
    }
}
