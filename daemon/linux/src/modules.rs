//! Loading kernel modules.

use std::fs::File;
use std::path::Path;

use nix::kmod::ModuleInitFlags;

use crate::{Error, Result};

/// Loads one uncompressed module; what it depends on must be loaded already.
///
/// # Errors
/// What the kernel says; [`Error::is_present`] when it is loaded or built in already.
pub fn load(path: &Path) -> Result<()> {
    let what = || format!("load {}", path.display());
    let file = File::open(path).map_err(|error| Error::kernel(what(), error))?;
    nix::kmod::finit_module(&file, c"", ModuleInitFlags::empty())
        .map_err(|error| Error::kernel(what(), error))
}
