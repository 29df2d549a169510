//! A disk in memory that keeps no page of zeros, so that ten gigabytes of them fit; never loses power.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use journal::Disk;

const PAGE_BYTES: u64 = 4096;

#[derive(Clone, Default)]
pub struct SparseDisk(Arc<Mutex<Files>>);

#[derive(Default)]
struct Files {
    names: BTreeMap<String, u64>,
    files: HashMap<u64, SparseFile>,
    last: u64,
}

#[derive(Default)]
struct SparseFile {
    length: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

/// An open file.
#[derive(Debug)]
pub struct Inode(u64);

impl SparseDisk {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().expect("no holder panics")
    }

    fn with<T>(&self, file: &Inode, act: impl FnOnce(&mut SparseFile) -> T) -> io::Result<T> {
        let mut files = self.lock();
        let file = files.files.get_mut(&file.0);
        file.map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The pages that a piece of a file touches: number, first byte within, bytes.
fn pages(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + length as u64;
    (offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES)).map(move |page| {
        let from = offset.max(page * PAGE_BYTES);
        let to = end.min((page + 1) * PAGE_BYTES);
        (page, (from % PAGE_BYTES) as usize, (to - from) as usize)
    })
}

impl Disk for SparseDisk {
    type File = Inode;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Inode> {
        let inode = self.lock().names.get(name).copied();
        inode.map(Inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&self, name: &str) -> io::Result<Inode> {
        let mut files = self.lock();
        files.last += 1;
        let inode = files.last;
        files.names.insert(name.to_owned(), inode);
        files.files.insert(inode, SparseFile::default());
        Ok(Inode(inode))
    }

    fn length(&self, file: &Inode) -> io::Result<u64> {
        self.with(file, |file| file.length)
    }

    fn read_at(&self, file: &Inode, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.with(file, |file| {
            let there = file.length.saturating_sub(offset).min(bytes.len() as u64) as usize;
            let mut rest = &mut bytes[..there];
            for (page, from, length) in pages(offset, there) {
                let (piece, after) = rest.split_at_mut(length);
                match file.pages.get(&page) {
                    Some(page) => piece.copy_from_slice(&page[from..from + length]),
                    None => piece.fill(0),
                }
                rest = after;
            }
            there
        })
    }

    fn write_at(&self, file: &Inode, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(file, |file| {
            file.length = file.length.max(offset + bytes.len() as u64);
            let mut rest = bytes;
            for (page, from, length) in pages(offset, bytes.len()) {
                let (piece, after) = rest.split_at(length);
                rest = after;
                if !file.pages.contains_key(&page) && piece.iter().all(|byte| *byte == 0) {
                    continue;
                }
                let page = file.pages.entry(page);
                let page = page.or_insert_with(|| vec![0; PAGE_BYTES as usize].into());
                page[from..from + length].copy_from_slice(piece);
            }
        })
    }

    fn set_len(&self, file: &Inode, length: u64) -> io::Result<()> {
        self.with(file, |file| {
            file.pages.retain(|page, _| page * PAGE_BYTES < length);
            if let Some(last) = file.pages.get_mut(&(length / PAGE_BYTES)) {
                last[(length % PAGE_BYTES) as usize..].fill(0);
            }
            file.length = length;
        })
    }

    fn sync_data(&self, _file: &Inode) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let inode = files.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut files = self.lock();
        let inode = files.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        files.files.remove(&inode);
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }
}
