//! A directory of the operating system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Disk;

/// One directory, locked against a second opening (by this program or another) until dropped.
#[derive(Debug)]
pub struct RealDisk {
    folder: PathBuf,
    handle: File,
}

impl RealDisk {
    /// Makes the directory when there is none.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] when somebody else has it open.
    pub fn open(folder: impl AsRef<Path>) -> io::Result<RealDisk> {
        let folder = folder.as_ref().to_path_buf();
        if !folder.is_dir() {
            fs::create_dir_all(&folder)?;
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        let handle = File::open(&folder)?;
        match handle.try_lock() {
            Ok(()) => Ok(RealDisk { folder, handle }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another program has this log open",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for RealDisk {
    fn drop(&mut self) {
        // By name: a child process that somebody forks at this instant holds a copy of the handle until
        // its exec, and would keep the lock with it.
        if let Err(error) = self.handle.unlock() {
            tracing::warn!(%error, "the log's lock goes with its handle only");
        }
    }
}

impl Disk for RealDisk {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if let (true, Ok(name)) =
                (entry.file_type()?.is_file(), entry.file_name().into_string())
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.folder.join(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let path = self.folder.join(name);
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&self, file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match file.read_at(&mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn set_len(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn forget_cached(&self, file: &File) {
        use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
        let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        if let Err(error) = posix_fadvise(file, 0, 0, advice) {
            tracing::debug!(%error, "the scrub reads what is cached");
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = nix::sys::statvfs::fstatvfs(&self.handle)?;
        Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }
}
