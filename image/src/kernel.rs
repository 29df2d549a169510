//! Step 3, the kernel: Debian's package, and of its modules those that the board needs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::deb::{Deb, resolve_kernel};
use crate::modules::{Module, Modules};
use crate::plan::{KernelFacts, Plan};
use crate::progress::{Step, human};

/// A kernel, ready for the image.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// What `uname -r` says on the box.
    pub release: String,
    pub vmlinuz: Vec<u8>,
    /// In the order of loading.
    pub modules: Vec<Module>,
    /// Optional modules of the board that this kernel does not have.
    pub lacking: Vec<String>,
    pub deb: Deb,
}

/// Fetches the package (or takes the one that was brought) and picks what the board's file names.
pub fn prepare(plan: &Plan) -> Result<Kernel> {
    let cache = plan.cache();
    std::fs::create_dir_all(&cache)?;
    let deb = match &plan.kernel_deb {
        Some(file) => Deb::open(file)?,
        None => Deb::fetch(&resolve_kernel(&plan.board.kernel.package)?, &cache)?,
    };
    let files = deb.unpack(&cache)?;
    let step = Step::spinner("kernel");
    let kernel = Kernel::read(deb, &files, &plan.board.kernel)?;
    let bytes = kernel.modules.iter().map(|module| module.bytes.len() as u64).sum();
    let count = kernel.modules.len();
    let without = match kernel.lacking.as_slice() {
        [] => String::new(),
        lacking => format!(", without {}", lacking.join(", ")),
    };
    step.done(format!("{}, {count} modules, {}{without}", kernel.release, human(bytes)));
    Ok(kernel)
}

impl Kernel {
    /// From an unpacked kernel package.
    pub fn read(deb: Deb, files: &Path, facts: &KernelFacts) -> Result<Kernel> {
        let (release, modules) = module_folder(files)
            .with_context(|| format!("{} is no kernel image package", deb.package))?;
        let vmlinuz = std::fs::read(files.join(format!("boot/vmlinuz-{release}")))
            .with_context(|| format!("{} has no kernel in it", deb.package))?;
        ensure!(vmlinuz.starts_with(b"MZ"), "the kernel {release} cannot be started by UEFI");
        let available = Modules::open(&modules)?;
        let (modules, lacking) = (available.pick(facts)?, available.lacking(facts));
        Ok(Kernel { release, vmlinuz, modules, lacking, deb })
    }
}

/// `lib/modules/RELEASE`, or below `usr` as newer Debian packages have it.
fn module_folder(files: &Path) -> Result<(String, PathBuf)> {
    for place in ["usr/lib/modules", "lib/modules"] {
        let Ok(mut entries) = std::fs::read_dir(files.join(place)) else { continue };
        if let Some(entry) = entries.next() {
            let entry = entry?;
            return Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    bail!("no kernel modules in it")
}
