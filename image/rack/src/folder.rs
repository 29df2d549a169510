//! The rack's folder: sockets, disks, logs. It goes with the rack, and what dead racks left goes
//! too.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Error, Result};

/// A folder that is deleted on drop, unless it is kept.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

const PREFIX: &str = "twinpost-rack-";
/// A folder with this file in it stays until a person deletes it.
const KEEP: &str = "keep";

impl Folder {
    /// A new folder in `parent`, named after this process.
    ///
    /// Folders there whose process has gone are deleted first: a killed process cannot tidy up.
    pub fn create(parent: &Path) -> Result<Folder> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, error))?;
        remove_orphans(parent);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Folder { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("make", &path, error)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it in place on drop, for somebody to look at.
    pub fn keep(&self) -> Result<()> {
        let path = self.path.join(KEEP);
        fs::write(&path, "").map_err(|error| Error::io("write", &path, error))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove_orphans(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next())
            .and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&entry.path());
        }
    }
}

fn remove(folder: &Path) {
    if !folder.join(KEEP).exists() {
        // Somebody else may be at it too, and the next rack tries again.
        _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_and_orphans_go_with_the_next() {
        let parent = Folder::create(&std::env::temp_dir()).unwrap();
        // No process has this number: the kernel's highest is 2^22.
        let orphan = parent.path().join(format!("{PREFIX}4194305-0"));
        fs::create_dir(&orphan).unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        assert!(!orphan.exists());
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_kept_folder_stays() {
        let parent = Folder::create(&std::env::temp_dir()).unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        folder.keep().unwrap();
        let path = folder.path().to_owned();
        drop(folder);
        assert!(path.is_dir());
    }
}
