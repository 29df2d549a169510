//! A file system of its own for a box: ext4 in a file, so that its power can be cut and its room be little. Needs root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::dice::Dice;
use crate::native::Maild;

/// Mounted while this lives.
pub struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    /// Makes it at an empty folder.
    pub fn make(image: PathBuf, mounted: PathBuf, mib: u64) -> Result<Disk> {
        if !nix::unistd::geteuid().is_root() {
            bail!("skipped: a file system in a file needs root");
        }
        File::create(&image)?.set_len(mib * 1024 * 1024)?;
        run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-b", "4096", "-F"]).arg(&image))?;
        let disk = Disk { image, mounted };
        disk.mount().context("skipped: this machine mounts no file as a file system")?;
        Ok(disk)
    }

    /// What was not synced is lost, but for what the kernel happened to write in time. No process may be using the
    /// disk any more, or it loses its files under its hands. Afterwards the disk is there as after the next start.
    pub fn cut_power(&self, dice: &mut Dice) -> Result<()> {
        self.write_some(dice)?;
        linux::disk::shut_down(&self.mounted)?;
        self.unmount()?;
        self.mount()
    }

    /// The box that uses this disk gets errors from it from now on, and what was not synced is lost;
    /// [`Disk::repair`] after the box has died of it.
    ///
    /// The box stands still meanwhile, out of the kernel: an `fdatasync` of a growing file that is under way while
    /// ext4 is shut down returns success for what it did not write (8 of 150 times on Linux 6.18, up to 0.1 ms after
    /// the end of the shutdown). No disk of a box that lives on lies so, and with a power cut nobody is left to answer.
    pub fn fail(&self, used_by: &Maild, dice: &mut Dice) -> Result<()> {
        self.write_some(dice)?;
        used_by.pause_whole()?;
        linux::disk::shut_down(&self.mounted)?;
        used_by.resume()
    }

    pub fn repair(&self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    /// Some files are written out, in any order, as a kernel may do at any time.
    fn write_some(&self, dice: &mut Dice) -> Result<()> {
        let mut files = Vec::new();
        list(&self.mounted, &mut files)?;
        for file in files {
            if dice.percent(30) {
                // A file may have gone meanwhile.
                let _ = File::open(&file).and_then(|file| file.sync_data());
            }
        }
        Ok(())
    }

    /// Writes and syncs wait from now on, until [`Disk::thaw`].
    pub fn freeze(&self) -> Result<()> {
        run(Command::new("fsfreeze").arg("--freeze").arg(&self.mounted))
    }

    pub fn thaw(&self) -> Result<()> {
        run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.mounted))
    }

    /// Leaves so many bytes free, until [`Disk::empty`].
    pub fn fill(&self, left_bytes: u64) -> Result<()> {
        let free_bytes = linux::host::room(&self.mounted)?.free_bytes;
        let ballast = File::create(self.ballast())?;
        let bytes = free_bytes.saturating_sub(left_bytes) as i64;
        nix::fcntl::fallocate(&ballast, nix::fcntl::FallocateFlags::empty(), 0, bytes)?;
        Ok(())
    }

    pub fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.join("ballast")
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mounted))
    }

    fn unmount(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.mounted))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It is seldom frozen. A process that was killed a moment ago may hold it still: then it goes with that.
        let _ = self.thaw();
        if self.unmount().is_err() {
            let _ = run(Command::new("umount").arg("--lazy").arg(&self.mounted));
        }
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            // `lost+found` is root's alone.
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {error}");
    Ok(())
}
