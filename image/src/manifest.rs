//! Step 7, the manifest: what went into an image, and from where.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::deb::{self, Deb};
use crate::host;
use crate::initramfs::{Node, Tree};
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::run;

/// The record of one image. It lies in the ESP and, with the hash of the whole, beside the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: String,
    pub board: String,
    /// Unix seconds.
    pub build_time: u64,
    /// `None` when the tree was no git checkout.
    pub commit: Option<String>,
    pub cmdline: String,
    pub kernel_release: String,
    pub kernel_package: Deb,
    /// Packages of the host that something in the image comes from or was written by, with their
    /// versions.
    pub host_packages: BTreeMap<String, String>,
    pub rustc: String,
    /// In the order of loading.
    pub modules: Vec<String>,
    /// The files that the box runs from.
    pub initramfs: Vec<Entry>,
    /// The files of the ESP, but for the site file and this record itself.
    pub esp: Vec<Entry>,
    /// The whole image without a site file; absent in the copy that lies inside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Entry>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// What is known before the disk is written.
    pub fn new(plan: &Plan, kernel: &Kernel, tree: &Tree) -> Manifest {
        let packages = [host::EFI_PACKAGE, "mtools", "e2fsprogs", "gcc", "libc6-dev"];
        let versions = packages
            .iter()
            .filter_map(|package| Some((package.to_string(), deb::installed_version(package)?)));
        let files = tree.nodes().filter_map(|(name, node)| match node {
            Node::File { bytes, .. } => Some(Entry::of(name, bytes)),
            Node::Folder { .. } | Node::CharacterDevice { .. } => None,
        });
        Manifest {
            version: plan.version.clone(),
            board: plan.board.name.clone(),
            build_time: plan.build_time,
            commit: plan.commit.clone(),
            cmdline: plan.board.boot.cmdline.clone(),
            kernel_release: kernel.release.clone(),
            kernel_package: kernel.deb.clone(),
            host_packages: versions.collect(),
            rustc: run::capture(Command::new("rustc").arg("--version"))
                .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
            modules: kernel.modules.iter().map(|module| module.name.clone()).collect(),
            initramfs: files.collect(),
            esp: Vec::new(),
            image: None,
        }
    }

    /// As it is stored.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// As it was stored.
    pub fn from_json(bytes: &[u8]) -> Result<Manifest> {
        serde_json::from_slice(bytes).context("the manifest is damaged")
    }
}

impl Entry {
    /// A file whose bytes are at hand.
    pub fn of(path: &str, bytes: &[u8]) -> Entry {
        let sha256 = format!("{:x}", Sha256::digest(bytes));
        Entry { path: path.to_owned(), bytes: bytes.len() as u64, sha256 }
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256_of(file: &Path) -> Result<String> {
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, opened);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}
